"""A month of synthetic patients through the product, and everything that leaves it checked.

    python -m bench.claims_month [--patients 10000]

Three practices with the same patients: one bills on 837P, one, a hospital's outpatient department,
on 837I, and one hands its charges to the EHR as HL7 DFT. Every 837 must be accepted by pyx12 and by
x12sdk, every DFT by hl7apy, strictly and with no segment lost. The money must come out: the charges
as tallied here are those of the worklist; what left, read back by another reader than the
writer, is what the export says and what the worklist is less by when it is tallied again. Exits 1
where anything does not.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import func, select

from app.accounts import read_accounts
from app.billing_office.export import export_month
from app.billing_office.export_formats import ExportedFile
from app.billing_office.month import month_bounds, refresh
from app.billing_office.worklist import summary
from app.config import Settings
from app.context import Context, open_context
from app.demo.tenant import TENANT_ID, register
from app.store import ClaimLineRow, PatientRow, Tenant, in_parts
from app.store.upgrade import upgrade
from bench.billing_practice import CLOSED_AT, MONTH, write_practice
from billing.account import Entity, sum_amounts
from billing.tally import tally
from billing.x12_reader import read_x12
from tests.billing.hl7_validator import hl7_errors, read_strictly
from tests.billing.x12_validators import pyx12_errors, x12sdk_errors

# What leaves each practice: which entity it is, and the format that is asked for.
_KINDS: Mapping[str, tuple[Entity, str]] = {
    "837P": ("private_practice", "837"),
    "837I": ("hospital_outpatient", "837"),
    "DFT": ("private_practice", "dft"),
}
_ZERO = Decimal("0.00")
_MESSAGES_AT_ONCE = 100


@dataclass(frozen=True)
class Contents:
    """What a file says, by a reader that is not the writer: `total` sums what it states of its
    claims, `lines_total` their lines."""

    claim_ids: tuple[str, ...]
    lines: int
    total: Decimal
    lines_total: Decimal


@dataclass(frozen=True)
class MonthCheck:
    """`charges` is what was tallied, `left` what is in the files, `stays` what the worklist holds
    afterwards. `accepted` counts by validator what it took of `files` or messages."""

    name: str
    claims: int
    lines: int
    files: int
    accepted: dict[str, int]
    charges: Decimal
    left: Decimal
    stays: Decimal
    seconds: float
    problems: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--only", choices=[*_KINDS], help="one practice instead of all")
    chosen = parser.parse_args(arguments)
    wrong = 0
    for check in check_months(chosen.patients, [chosen.only] if chosen.only else [*_KINDS]):
        _tell(check)
        wrong += len(check.problems)
    return 1 if wrong else 0


def check_months(
    patients: int, kinds: Iterable[str] = _KINDS, workers: int = 2
) -> Iterator[MonthCheck]:
    """Of each of the practices `kinds`."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _quiet) as executor:
        for name in kinds:
            entity, asked = _KINDS[name]
            with tempfile.TemporaryDirectory() as folder:
                yield _check(name, entity, asked, patients, Path(folder), executor, workers)


def _check(
    name: str,
    entity: Entity,
    asked: str,
    patients: int,
    folder: Path,
    executor: Executor,
    workers: int,
) -> MonthCheck:
    context = _practice(folder, patients, entity)
    charges = _tallied(context)
    began = time.perf_counter()
    done = export_month(context, TENANT_ID, MONTH, asked, workers=workers)
    seconds = time.perf_counter() - began
    worklist = _worklist_total(context)
    with context.database.begin(TENANT_ID) as db:
        refresh(db, MONTH, CLOSED_AT.date(), CLOSED_AT, patients)
    stays = _worklist_total(context)
    if asked == "dft":
        accepted, contents, problems = _check_messages(done.files, executor)
    else:
        accepted, contents, problems = _check_claims(done.files, folder, executor)
    left = contents.lines_total
    sums = [
        ("the charges and the worklist", charges, worklist),
        ("what left and what the export says", left, done.total),
        ("the claims and their lines", contents.total, left),
        ("what left and what the worklist is less by", left, worklist - stays),
        ("the claims read and exported", len(contents.claim_ids), done.claim_count),
        ("the lines read and exported", contents.lines, done.line_count),
        ("the lines exported and kept", done.line_count, _lines_kept(context)),
    ]
    if set(contents.claim_ids) != {id_ for file in done.files for id_ in file.claim_ids}:
        problems.append("the ids of the claims read and exported differ")
    problems += [f"{what} differ: {one} and {two}" for what, one, two in sums if one != two]
    context.database.engine.dispose()
    return MonthCheck(
        name,
        done.claim_count,
        done.line_count,
        len(done.files),
        accepted,
        charges,
        left,
        stays,
        seconds,
        tuple(problems),
    )


def _practice(folder: Path, patients: int, entity: Entity) -> Context:
    context = open_context(Settings(data_dir=folder / "data"), now=lambda: CLOSED_AT)
    upgrade(context.database.engine)
    register(context, "https://ehr.example/fhir")
    with context.database.begin(TENANT_ID) as db:
        tenant = db.get_one(Tenant, TENANT_ID)
        tenant.practice = {**tenant.practice, "entity": entity}
        write_practice(db, patients)
    return context


def _tallied(context: Context) -> Decimal:
    """The month's known amounts, patient by patient, by nothing but the tally."""
    first, last = month_bounds(MONTH)
    total = _ZERO
    with context.database.begin(TENANT_ID) as db:
        ids = db.scalars(select(PatientRow.id)).all()
        for part in in_parts(ids):
            some = PatientRow.id.in_(part)
            patients = db.scalars(select(PatientRow).where(some)).all()
            for account in read_accounts(db, patients, CLOSED_AT.date()).values():
                found = tally(account).charges
                total += sum_amounts([c for c in found if first <= c.service_date <= last])
    return total


def _worklist_total(context: Context) -> Decimal:
    with context.database.begin(TENANT_ID) as db:
        return summary(db, MONTH).total


def _lines_kept(context: Context) -> int:
    first, _ = month_bounds(MONTH)
    with context.database.begin(TENANT_ID) as db:
        query = select(func.count(ClaimLineRow.id)).where(ClaimLineRow.service_date >= first)
        return db.scalar(query) or 0


# What checks --------------------------------------------------------------------------------------


def _check_claims(
    files: Sequence[ExportedFile], folder: Path, executor: Executor
) -> tuple[dict[str, int], Contents, list[str]]:
    paths = []
    for file in files:
        paths.append(folder / f"{file.control_number}.837")
        paths[-1].write_bytes(file.data)
    validators = {"pyx12": pyx12_errors, "x12sdk": x12sdk_errors}
    runs = [
        (name, path, executor.submit(validator, path))
        for path in paths
        for name, validator in validators.items()
    ]
    contents = [_contents(file.data) for file in files]
    accepted, problems = dict.fromkeys(validators, 0), []
    for name, path, run in runs:
        errors = run.result()
        accepted[name] += not errors
        problems += [f"{path.name}: {name}: {error[:300]}" for error in errors]
    return accepted, _sum(contents), problems


def _contents(data: bytes) -> Contents:
    file = read_x12(data)
    segments = [segment for each in file.sets for segment in each.segments]
    claims = [s for s in segments if s.get_seg_id() == "CLM"]
    totals = [Decimal(claim.get_value("CLM02")) for claim in claims]
    lines = [s.get_value("SV102") for s in segments if s.get_seg_id() == "SV1"]
    lines += [s.get_value("SV203") for s in segments if s.get_seg_id() == "SV2"]
    ids = tuple(claim.get_value("CLM01") for claim in claims)
    return Contents(ids, len(lines), sum(totals, _ZERO), sum(map(Decimal, lines), _ZERO))


def _check_messages(
    files: Sequence[ExportedFile], executor: Executor
) -> tuple[dict[str, int], Contents, list[str]]:
    # Segments end with CR, so that LF parts the messages of a file.
    messages = [text for file in files for text in file.data.decode().split("\n")]
    found = list(executor.map(_check_some, in_parts(messages, _MESSAGES_AT_ONCE)))
    problems = [problem for part in found for problem in part[1]]
    accepted = {"hl7apy": len(messages) - len(problems)}
    return accepted, _sum([part[0] for part in found]), problems


def _check_some(messages: Sequence[str]) -> tuple[Contents, list[str]]:
    """A message states no total, so that of its lines stands for it."""
    ids, lines, problems = [], [], []
    for number, text in enumerate(messages):
        errors = hl7_errors(text)
        if errors:
            problems.append(f"message {number}: {'; '.join(errors)[:300]}")
            continue
        message = read_strictly(text)
        ids.append(str(message.msh.msh_10.value))
        for group in message.dft_p03_financial:
            lines.append(Decimal(group.ft1.ft1_11.value.partition("&")[0]))
    total = sum(lines, _ZERO)
    return Contents(tuple(ids), len(lines), total, total), problems


def _sum(contents: Sequence[Contents]) -> Contents:
    return Contents(
        tuple(chain.from_iterable(each.claim_ids for each in contents)),
        sum(each.lines for each in contents),
        sum((each.total for each in contents), _ZERO),
        sum((each.lines_total for each in contents), _ZERO),
    )


def _quiet() -> None:
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)  # it logs what it also returns


def _tell(check: MonthCheck) -> None:
    accepted = ", ".join(f"{count} accepted by {name}" for name, count in check.accepted.items())
    print(
        f"{check.name}: {check.claims:,} claims, {check.lines:,} lines, {check.files} files in"
        f" {check.seconds:.1f} s; {accepted}"
    )
    print(f"  charges = worklist {check.charges:,}; files {check.left:,}; stays {check.stays:,}")
    for problem in check.problems:
        print(f"  WRONG: {problem}")


if __name__ == "__main__":
    sys.exit(main())
