"""The month-end close of many patients: tallied, claimed, scrubbed and written, part by part.

Where there are many, several processes take a part each. They only read: what they make comes back
to the one transaction that stores and sends it, so that a process that dies leaves nothing half
done. That transaction holds the patients whose facts are tallied, so that what the others read
does not change under them.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from multiprocessing import get_context

from sqlalchemy.orm import Session

from app.billing_office.claims import build_claim, read_basis
from app.billing_office.export_formats import Format
from app.billing_office.leaving import Leaving, in_words, prepare
from app.billing_office.month import (
    MonthAtRest,
    PatientMonth,
    charged_months,
    lock_out_of_date,
    store_months,
    stored_months,
    tally_months,
)
from app.store import Database, Tenant
from billing.claim import ScrubFinding
from billing.edits import Edits
from billing.hl7_dft import Routing
from billing.payers import load_payers
from billing.scrub import holds, scrub

# Patients worked on at once: enough for a query to be worth it, few enough to be held in memory.
_PART = 250
# As many patients are done before processes have started.
_FEW = 1000


class WorkerDied(RuntimeError):
    """A process of the close ended; nothing was stored or sent."""


@dataclass(frozen=True)
class Close:
    """What is the same for all patients of one close; `now` is local.

    Every claim is checked against `edits`, the deployment's. `number` is a control number that is
    used for nothing else: claim ids are made of it.
    """

    tenant_id: str
    month: str
    format: Format
    routing: Routing
    edits: Edits
    number: int
    now: datetime


@dataclass(frozen=True)
class Part:
    """Patients by row id: whose month is to be tallied, and whose is known to have charges."""

    out_of_date: tuple[int, ...] = ()
    charged: tuple[int, ...] = ()


@dataclass(frozen=True)
class PartDone:
    """Of one part: the months to store, the claims that may leave, and what stays back and why."""

    months: tuple[MonthAtRest, ...]
    ready: tuple[Leaving, ...]
    waiting: tuple[str, ...]
    held: tuple[str, ...]


def close_month(
    database: Database, db: Session, close: Close, workers: int = 1
) -> Iterator[PartDone]:
    """Every part of the close, in the order of the patients' ids, whatever process made it.

    Its months are stored in the transaction of `db`; other processes come by `database`.

    Raises:
        WorkerDied: a process ended before its work was done.
    """
    # Locked first: what is stored of these patients does not change from then on.
    out_of_date = lock_out_of_date(db, close.month, close.now.date(), wait=True)
    stored = stored_months(db, close.month)
    row_ids = {patient_id: row_id for patient_id, (row_id, _) in stored.items()}
    charged = [patient_id for patient_id, (_, count) in stored.items() if count]
    for done in _done(database, db, close, _parts(out_of_date, charged), workers):
        store_months(db, close.month, done.months, row_ids)
        yield done


def _done(
    database: Database, db: Session, close: Close, parts: Sequence[Part], workers: int
) -> Iterator[PartDone]:
    if workers == 1 or sum(len(part.out_of_date) + len(part.charged) for part in parts) <= _FEW:
        for part in parts:
            yield close_part(db, close, part)
        return
    url = database.engine.url.render_as_string(hide_password=False)
    executor = ProcessPoolExecutor(
        min(workers, len(parts)), get_context("spawn"), _start_worker, (url,)
    )
    with executor, _collector_paused():
        try:
            yield from _in_order(executor, close, parts, ahead=2 * workers)
        except BrokenProcessPool:
            raise WorkerDied("a process of the close ended; nothing was stored or sent") from None


def close_part(db: Session, close: Close, part: Part) -> PartDone:
    """The part as the database has its facts now; nothing is written."""
    tenant = db.get_one(Tenant, close.tenant_id)
    today = close.now.date()
    tallied = tally_months(db, close.month, today, part.out_of_date)
    months = [each.item for each in tallied]
    months += charged_months(db, close.month, part.charged)
    months.sort(key=lambda item: item.patient.id)
    waiting: list[str] = []
    reviewed = [item for item in (_without_review(item, waiting) for item in months) if item]
    known = {each.patient.id: [each.episode] for each in tallied}
    basis = read_basis(db, tenant, [item.patient.id for item in reviewed], known)
    ready: list[Leaving] = []
    held: list[str] = []
    for item in reviewed:
        claim = build_claim(basis, item, claim_id_of(close.number, item.patient.id))
        findings = (
            (claim,) if isinstance(claim, ScrubFinding) else scrub(claim, today, edits=close.edits)
        )
        if isinstance(claim, ScrubFinding) or holds(findings):
            held += [in_words(finding) for finding in findings]
        else:
            ready.append(
                prepare(
                    close.format,
                    close.routing,
                    close.now,
                    item.patient,
                    item.episode_id,
                    claim,
                    findings,
                )
            )
    left = {each.patient_id for each in ready}
    return PartDone(
        # What leaves is billed from then on: the months that it leaves are to be tallied again.
        tuple(each.at_rest(today, close.now, stale=each.patient.id in left) for each in tallied),
        tuple(ready),
        tuple(waiting),
        tuple(held),
    )


def claim_id_of(number: int, patient_id: int) -> str:
    """CLM01, new in every export: what it names (CLM01, FT1-2, MSH-10) must never repeat.

    `number` is a control number that is used for nothing else.
    """
    return f"{number:05d}{patient_id:05d}"


def _parts(out_of_date: Sequence[int], charged: Sequence[int]) -> list[Part]:
    known = set(out_of_date)
    everybody = iter(sorted(known.union(charged)))
    parts = []
    while ids := list(islice(everybody, _PART)):
        parts.append(
            Part(
                tuple(id_ for id_ in ids if id_ in known),
                tuple(id_ for id_ in ids if id_ not in known),
            )
        )
    return parts


def _without_review(item: PatientMonth, waiting: list[str]) -> PatientMonth | None:
    """The month without the charges that a person must look at first, which go to `waiting`; None
    where no others are left."""
    row = item.row
    if not row.to_review:
        return item if row.charges else None
    waiting += [f"{charge.code} of {charge.last} waits for review" for charge in row.to_review]
    left = tuple(charge for charge in row.charges if charge not in row.to_review)
    return replace(item, row=replace(row, charges=left)) if left else None


# Processes ----------------------------------------------------------------------------------------


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing that comes from the parts is cyclic, and to go through it again and again as it grows
    takes a third of this process's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_database: Database


def _start_worker(url: str) -> None:
    global _database
    _database = Database(url)
    load_payers()
    gc.collect()
    gc.freeze()
    gc.disable()


def _work(close: Close, part: Part) -> PartDone:
    # Next to nothing of a part is cyclic: that is looked for between parts, when nothing is left
    # of the one before, and never at what was there from the start.
    gc.collect()
    with _database.begin(close.tenant_id) as db:
        return close_part(db, close, part)


def _in_order(
    executor: ProcessPoolExecutor, close: Close, parts: Sequence[Part], ahead: int
) -> Iterator[PartDone]:
    """No more than `ahead` parts are under way or done and not yet taken."""
    waiting: deque[Future[PartDone]] = deque()
    for part in parts:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        waiting.append(executor.submit(_work, close, part))
    while waiting:
        yield waiting.popleft().result()
