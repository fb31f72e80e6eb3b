"""The month-end close beside one pass that only reads the same rows.

    python -m bench.billing [--patients 2000 10000] [--database URL] [--workers 2]

The close is the product's own export: every patient tallied, every claim built and scrubbed, the
worklist and the claims stored, and the 837P written, from the database to the bytes of the files.
The pass reads the same rows by SQLAlchemy Core in one process: each column that the close selects,
joins, filters or sorts by, with documents decoded as Core gives them. It runs twice, so that both
find the database's pages in memory, and the second time counts.

Each runs in a process of its own. Databases are made here and dropped afterwards: one in a
temporary folder for SQLite, and one on the PostgreSQL server of `--database`, of POSTGRESQL_URL, or
of this machine, where it answers. Larger practices take longer to write than to close: about a
minute for 100,000 patients.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, select, text

from app.billing_office.export import export_month
from app.config import Settings
from app.context import Context, open_context
from app.demo.tenant import TENANT_ID, register
from app.store import (
    ChargeApprovalRow,
    ClaimLineRow,
    EpisodeRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    Tenant,
)
from app.store.upgrade import upgrade
from bench.billing_practice import CLOSED_AT, MONTH, write_practice

ROOT = Path(__file__).parent.parent
_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
# What the close makes no use of.
_UNUSED = {"recorded_by", "seen_at", "fhir_user", "approved_by", "approved_at"}
_READ = (
    Tenant,
    PractitionerRow,
    PatientRow,
    EpisodeRow,
    LedgerFactRow,
    ClaimLineRow,
    ChargeApprovalRow,
)


@dataclass(frozen=True)
class Measured:
    """One practice closed: seconds of the pass and of the close by the clock and of processor time
    (without the database server's), and the peaks of memory."""

    patients: int
    rows: int
    read_s: float
    read_cpu_s: float
    close_s: float
    close_cpu_s: float
    claims: int
    lines: int
    megabytes: float
    peak_mb: float
    worker_peak_mb: float

    @property
    def ratio(self) -> float:
        return self.close_s / self.read_s

    @property
    def patient_ms(self) -> float:
        return 1000 * self.close_s / self.patients


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", nargs="+", type=int, default=[2000, 10_000])
    parser.add_argument("--database", help="URL of a PostgreSQL server; `sqlite` for SQLite alone")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--child", choices=["read", "close"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        work = {"read": _read_and_tell, "close": _close_and_tell}[chosen.child]
        work(_context(chosen.url), chosen.workers)
        return
    for name, server in _servers(chosen.database):
        measured = [_measure(server, count, chosen.workers) for count in chosen.patients]
        _tell(name, measured, chosen.workers)


def _servers(asked: str | None) -> Iterator[tuple[str, str | None]]:
    """What to measure on: the name of each database, and the server's URL if it has one."""
    if asked != "sqlite":
        server = asked or os.environ.get("POSTGRESQL_URL", _SERVER)
        try:
            with psycopg.connect(server, connect_timeout=3) as connection:
                version = connection.info.server_version
        except psycopg.OperationalError as error:
            print(f"PostgreSQL is left out: no answer ({type(error).__name__})")
        else:
            yield f"PostgreSQL {version // 10_000}.{version % 10_000}", server
    yield "SQLite", None


def _measure(server: str | None, patients: int, workers: int) -> Measured:
    with _database(server) as url:
        context = _context(url)
        engine = context.database.engine
        upgrade(engine)
        register(context, "https://ehr.example/fhir")
        with context.database.begin(TENANT_ID) as db:
            write_practice(db, patients)
        _settle(engine)
        engine.dispose()
        _child("read", url, workers)
        read = _child("read", url, workers)
        return Measured(patients, **read, **_child("close", url, workers))


def _settle(engine: Engine) -> None:
    """What a server's autovacuum does in time, so that it does not do it now."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


@contextmanager
def _database(server: str | None) -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/close.db"
        return
    name = f"homestretch_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server.rsplit('/', 1)[0]}/{name}".replace("postgresql://", "postgresql+psycopg://")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _context(url: str) -> Context:
    folder = Path(tempfile.gettempdir()) / "homestretch-bench"
    return open_context(Settings(data_dir=folder, database_url=url), now=lambda: CLOSED_AT)


def _child(what: str, url: str, workers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.billing", "--child", what, "--url", url]
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _read_and_tell(context: Context, _workers: int) -> None:
    began, spent_s, rows = time.perf_counter(), _cpu_s(), 0
    with context.database.engine.connect() as connection:
        for kind in _READ:
            columns = [c for c in kind.__table__.columns if c.name not in _UNUSED]
            result = connection.execution_options(yield_per=1000).execute(select(*columns))
            rows += sum(1 for _ in result)
    told = {"rows": rows, "read_s": time.perf_counter() - began, "read_cpu_s": _cpu_s() - spent_s}
    print(json.dumps(told))


def _close_and_tell(context: Context, workers: int) -> None:
    began, spent_s = time.perf_counter(), _cpu_s()
    done = export_month(context, TENANT_ID, MONTH, "837p", workers=workers)
    told = {
        "close_s": time.perf_counter() - began,
        "close_cpu_s": _cpu_s() - spent_s,
        "claims": done.claim_count,
        "lines": done.line_count,
        "megabytes": sum(len(file.data) for file in done.files) / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def _cpu_s() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _tell(name: str, measured: Sequence[Measured], workers: int) -> None:
    print(f"{name}, {workers} workers, {len(os.sched_getaffinity(0))} cores")
    for one in measured:
        print(
            f"  {one.patients:7,} patients  read {one.rows:9,} rows {one.read_s:6.2f} s"
            f"  close {one.close_s:6.2f} s  close ÷ read {one.ratio:5.2f} (aim ≤ 3)"
            f"  {one.patient_ms:6.3f} ms a patient"
        )
        print(
            f"  {'':7}           {one.claims:,} claims, {one.lines:,} lines, {one.megabytes:.1f} MB"
            f"; processor time {one.close_cpu_s:.1f} s and {one.read_cpu_s:.1f} s"
            f"; peak memory {one.peak_mb:.0f} MB, of a worker {one.worker_peak_mb:.0f} MB"
        )
    if len(measured) > 1:
        first, last = measured[0], measured[-1]
        growth = last.patient_ms / first.patient_ms
        sizes = f"{last.patients:,} ÷ {first.patients:,} patients"
        print(f"  {sizes}: {growth:.2f} times the cost of one (aim ≤ 1.2)")


if __name__ == "__main__":
    main()
