"""Importing what payers and clearinghouses answer: TA1, 999, 277CA and 835, in any mixture."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing_office.claim_events import (
    claims_of_export,
    known_claims,
    line_ids,
    read_states,
    record_events,
    settle,
)
from app.context import Context
from app.store import ClaimExportRow, ClaimFileRow
from billing.claim_events import (
    claim_answer_event,
    interchange_event,
    remittance_event,
    transaction_event,
)
from billing.claim_files import sets_of_claims
from billing.claim_state import ClaimEvent
from billing.x12_835 import Remittance, imbalances, read_835
from billing.x12_acknowledgement import read_277ca, read_999, read_ta1
from billing.x12_reader import InvalidX12, TransactionSet, X12File, read_x12

# The set of a claim whose file does not name it: an earlier release wrote one set a file.
_FIRST_SET = "0001"


class ImportRefused(ValueError):
    """The file is none that can be imported; the message says why."""


@dataclass(frozen=True)
class ImportDone:
    """`states` counts the claims of the file by where they stand now; `paid` sums its payments.

    `new_events` is 0 for a file whose events came before; `released` counts the charges that may
    be billed anew; `findings` is what somebody has to look at.
    """

    sets: int
    new_events: int
    states: dict[str, int]
    paid: Decimal
    released: int
    findings: tuple[str, ...]
    imported_before: datetime | None


@dataclass(frozen=True)
class _Reading:
    """What a file says, before it is matched with what we hold."""

    events: tuple[ClaimEvent, ...]
    remittances: tuple[Remittance, ...]
    findings: tuple[str, ...]


def import_answers(
    context: Context, tenant_id: str, name: str, content: bytes, by: str
) -> ImportDone:
    """Stores the file and the events in it, each once however often it comes.

    Raises:
        ImportRefused: `content` is not X12, or holds none of TA1, 999, 277CA and 835.
    """
    try:
        file = read_x12(content)
    except InvalidX12 as error:
        raise ImportRefused(str(error)) from None
    if not file.sets and not file.interchange_acknowledgements:
        why = "; ".join(f"{finding.where}: {finding.why}" for finding in file.findings)
        raise ImportRefused(why or "no transaction set and no TA1 is in it")
    with context.database.begin(tenant_id) as db:
        now = context.now()
        reading = _read(db, file)
        row, imported_before = _file_row(db, name, content, now, by)
        findings = list(reading.findings)
        known = known_claims(db, {event.claim_id for event in reading.events})
        ours = [event for event in reading.events if event.claim_id in known]
        findings += [
            f"{event.source}: claim {event.claim_id} never left from here"
            for event in reading.events
            if event.claim_id not in known
        ]
        new_events = record_events(db, ours, at=now, by=by, file_id=row.id)
        released = settle(db, sorted(known), at=now, by=by)
        states = Counter[str]()
        for claim_id, state in read_states(db, sorted(known)).items():
            states[state.status] += 1
            findings += [
                f"{refusal.event.source}: claim {claim_id}: {refusal.why}"
                for refusal in state.refused
            ]
        findings += _unknown_lines(db, reading.events, known)
        row.findings = findings
        return ImportDone(
            sets=len(file.sets) + len(file.interchange_acknowledgements),
            new_events=new_events,
            states=dict(states),
            paid=sum((remittance.paid for remittance in reading.remittances), Decimal("0.00")),
            released=released,
            findings=tuple(findings),
            imported_before=imported_before,
        )


def _read(db: Session, file: X12File) -> _Reading:
    """Every set by itself: one that can't be understood costs no other."""
    events: list[ClaimEvent] = []
    remittances: list[Remittance] = []
    findings = [f"{finding.where}: {finding.why}" for finding in file.findings]
    for on, segment in file.interchange_acknowledgements:
        try:
            answer = read_ta1(segment, on)
        except InvalidX12 as error:
            findings.append(f"TA1: {error}")
            continue
        export = _export(db, answer.control_number)
        if export is None:
            findings.append(f"TA1: no export has the control number {answer.control_number}")
        else:
            claims = claims_of_export(db, export)
            events += [interchange_event(claim_id, answer) for claim_id in claims]
    for answer_set in file.sets:
        try:
            if answer_set.kind == "835":
                remittance = read_835(answer_set)
                remittances.append(remittance)
                findings += _remittance_findings(remittance)
                events += _remittance_events(remittance, findings)
            else:
                events += _acknowledgement_events(db, answer_set, findings)
        except InvalidX12 as error:
            findings.append(f"{answer_set.where}: {error}; the set is left out")
    return _Reading(tuple(events), tuple(remittances), tuple(findings))


def _acknowledgement_events(
    db: Session, answer_set: TransactionSet, findings: list[str]
) -> list[ClaimEvent]:
    if answer_set.kind == "277":
        return [claim_answer_event(answer) for answer in read_277ca(answer_set)]
    if answer_set.kind != "999":
        findings.append(f"{answer_set.where}: neither 999, 277CA nor 835; left out")
        return []
    events: list[ClaimEvent] = []
    for transaction in read_999(answer_set):
        claims = _claims_of_set(db, transaction.group_number, transaction.control_number)
        if not claims:
            findings.append(
                f"{answer_set.where}: no export has the group {transaction.group_number} and the "
                f"transaction set {transaction.control_number}"
            )
            continue
        events += [transaction_event(claim_id, transaction) for claim_id in claims]
    return events


def _remittance_events(remittance: Remittance, findings: list[str]) -> list[ClaimEvent]:
    events = []
    for place, claim in enumerate(remittance.claims):
        event = remittance_event(claim, remittance, place)
        if event is None:
            why = f"claim status {claim.status} decides nothing"
            findings.append(f"{remittance.where}, claim {claim.claim_id}: {why}")
        else:
            events.append(event)
    return events


def _remittance_findings(remittance: Remittance) -> Iterator[str]:
    """Wrong sums, and money on no claim, which only the bookkeeping can place."""
    for finding in imbalances(remittance):
        yield f"{finding.where}: {finding.why}"
    for adjustment in remittance.provider_adjustments:
        yield f"{remittance.where}: provider adjustment {adjustment.words}"


def _file_row(
    db: Session, name: str, content: bytes, now: datetime, by: str
) -> tuple[ClaimFileRow, datetime | None]:
    """The file's row, and when the same bytes were imported before."""
    sha256 = hashlib.sha256(content).hexdigest()
    row = db.scalar(select(ClaimFileRow).where(ClaimFileRow.sha256 == sha256))
    if row is not None:
        return row, row.imported_at
    row = ClaimFileRow(
        name=name, sha256=sha256, content=content, imported_at=now, imported_by=by, findings=[]
    )
    db.add(row)
    db.flush()
    return row, None


def _export(db: Session, control_number: int) -> ClaimExportRow | None:
    """The X12 file that bore `control_number`."""
    return db.scalar(
        select(ClaimExportRow).where(
            ClaimExportRow.control_number == control_number,
            ClaimExportRow.format.in_(("837p", "837i")),
        )
    )


def _claims_of_set(db: Session, group_number: int, set_number: str | None) -> list[str]:
    """The claims of one transaction set, or of the whole group where none is named."""
    export = _export(db, group_number)
    if export is None:
        return []
    claims = claims_of_export(db, export)
    if set_number is None:
        return claims
    sets = sets_of_claims(export.content)
    return [claim_id for claim_id in claims if sets.get(claim_id, _FIRST_SET) == set_number]


def _unknown_lines(db: Session, events: Iterable[ClaimEvent], known: set[str]) -> Iterator[str]:
    """Remittance lines whose REF*6R is missing or none of the claim's."""
    for event in events:
        if event.claim_id not in known or not event.lines:
            continue
        own = line_ids(db, event.claim_id)
        for line in event.lines:
            if line.line_id is not None and line.line_id not in own:
                yield f"{event.source}: claim {event.claim_id} has no line {line.line_id}"
