"""What the billing office sees of claims: where each stands, what happened, what may be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer

from app.billing_office.claim_book import ClaimNotKept, claim_row, findings_of
from app.billing_office.claim_events import left_with, read_events, read_states, under_way
from app.billing_office.corrections import objection_to
from app.billing_office.export_formats import FACTS
from app.store import (
    ChargeMessageRow,
    ClaimEventRow,
    ClaimExportRow,
    ClaimFileRow,
    ClaimLineRow,
    ClaimRow,
    PatientRow,
    from_document,
)
from billing.claim import ScrubFinding
from billing.claim_model import Claim
from billing.claim_state import ClaimEvent, ClaimState, Status, claim_state, objection

PAGE_SIZE = 50

# What people call each state, and how a badge shows it.
STATES: Mapping[Status, tuple[str, str]] = {
    "exported": ("Sent", "wait"),
    "accepted": ("File accepted", "good"),
    "acknowledged": ("With the payer", "good"),
    "rejected": ("Rejected", "bad"),
    "paid": ("Paid", "good"),
    "partly_paid": ("Paid in part", "wait"),
    "denied": ("Denied", "bad"),
    "reversed": ("Payment taken back", "bad"),
    "reopened": ("Reopened", "wait"),
    "replaced": ("Replaced", "wait"),
    "voided": ("Voided", "wait"),
    "unbilled": ("Un-billed", "wait"),
}
_EVENTS: Mapping[str, str] = {
    "built": "Built and scrubbed",
    "exported": "Left",
    "file_accepted": "Accepted by the receiver",
    "file_rejected": "Rejected by the receiver",
    "acknowledged": "Accepted by the payer",
    "rejected": "Rejected by the payer",
    "reversed": "Payment taken back",
    "remitted": "Decided by the payer",
    "reopened": "The payer was asked to look again",
    "correction_sent": "A corrected claim was sent",
    "void_sent": "A void was sent",
    "replaced": "Replaced: the payer took the corrected claim",
    "voided": "Voided: the payer took the void",
    "unbilled": "Un-billed",
}
_FREQUENCIES = {"1": "original", "7": "correction (7)", "8": "void (8)"}


class BadClaimFilter(ValueError):
    """A filter that the page does not offer; the message names it."""


@dataclass(frozen=True)
class ClaimFilter:
    """Which of a month's claims are asked for; `page` counts from 1.

    Raises:
        BadClaimFilter: an unknown state, or a page below 1.
    """

    month: str
    state: str | None = None
    name: str = ""
    page: int = 1

    def __post_init__(self) -> None:
        if self.state is not None and self.state not in STATES:
            raise BadClaimFilter(f"there is no state {self.state}; there are {', '.join(STATES)}")
        if self.page < 1:
            raise BadClaimFilter("pages count from 1")


@dataclass(frozen=True)
class ClaimBrief:
    """One claim in a list. `frequency` and `format` are in words."""

    claim_id: str
    patient_id: int
    patient_name: str
    month: str
    format: str
    frequency: str
    total: str | None
    state: str
    tone: str
    paid: Decimal
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ClaimListing:
    """One page of claims, the newest first; `by_state` counts the whole month."""

    items: tuple[ClaimBrief, ...]
    matches: int
    pages: int
    by_state: Mapping[str, int]


@dataclass(frozen=True)
class HistoryItem:
    """One thing that happened: its own date, where it was said, who recorded it and when."""

    on: date
    what: str
    source: str
    by: str | None
    recorded_at: datetime | None
    payer_claim_number: str | None
    paid: Decimal | None
    reasons: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    refused: str | None


@dataclass(frozen=True)
class Action:
    """What a person may do with the claim; `why_not` says why it can't be done now."""

    name: str
    label: str
    hint: str
    why_not: str | None


@dataclass(frozen=True)
class ClaimHistory:
    """All of one claim. `claim` is None where it left before claims were kept whole."""

    brief: ClaimBrief
    state: ClaimState
    claim: Claim | None
    lines: tuple[dict[str, Any], ...]
    findings: tuple[ScrubFinding, ...]
    items: tuple[HistoryItem, ...]
    files: tuple[ClaimExportRow, ...]
    answers: tuple[str, ...]
    message: ChargeMessageRow | None
    replaces: str | None
    changed_by: tuple[str, ...]
    actions: tuple[Action, ...]


def claim_listing(db: Session, wanted: ClaimFilter) -> ClaimListing:
    """The page of the month's claims that `wanted` asks for."""
    month = ClaimExportRow.month == wanted.month
    heads = [*_heads(db, month), *_heads_not_kept(db, month)]
    states = read_states(db, [head.claim_id for head in heads])
    by_state = Counter[str](state.status for state in states.values())
    name = wanted.name.strip().casefold()
    found = [
        head
        for head in heads
        if wanted.state in (None, states[head.claim_id].status)
        and name in head.patient_name.casefold()
    ]
    start = (wanted.page - 1) * PAGE_SIZE
    page = found[start : start + PAGE_SIZE]
    return ClaimListing(
        _briefs(db, page, states), len(found), max(1, ceil(len(found) / PAGE_SIZE)), by_state
    )


def claims_of_patient(db: Session, patient_id: int) -> tuple[ClaimBrief, ...]:
    """Every claim of one patient, the newest first."""
    heads = [
        *_heads(db, ClaimRow.patient_id == patient_id),
        *_heads_not_kept(db, ClaimLineRow.patient_id == patient_id),
    ]
    return _briefs(db, heads, read_states(db, [head.claim_id for head in heads]))


def claim_history(db: Session, claim_id: str) -> ClaimHistory:
    """Raises ClaimUnknown for a claim that never left from here."""
    try:
        row: ClaimRow | None = claim_row(db, claim_id)
    except ClaimNotKept:
        row = None
    heads = [
        *_heads(db, ClaimRow.claim_id == claim_id),
        *_heads_not_kept(db, ClaimLineRow.claim_id == claim_id),
    ]
    events = read_events(db, [claim_id])[claim_id]
    state = claim_state(events)
    (brief,) = _briefs(db, heads, {claim_id: state})
    claim = None if row is None else from_document(Claim, row.document)
    message = db.scalar(select(ChargeMessageRow).where(ChargeMessageRow.claim_id == claim_id))
    return ClaimHistory(
        brief=brief,
        state=state,
        claim=claim,
        lines=_lines(db, claim_id, claim, state),
        findings=() if row is None else findings_of(row),
        items=_items(db, claim_id, events, state),
        files=tuple(
            db.scalars(
                select(ClaimExportRow)
                .where(ClaimExportRow.id == left_with(db, [claim_id])[claim_id].export_id)
                .options(defer(ClaimExportRow.content), defer(ClaimExportRow.data))
            )
        ),
        answers=tuple(
            db.scalars(
                select(ClaimFileRow.name)
                .join(ClaimEventRow, ClaimEventRow.file_id == ClaimFileRow.id)
                .where(ClaimEventRow.claim_id == claim_id)
                .distinct()
            )
        ),
        message=message,
        replaces=None if row is None else row.replaces,
        changed_by=tuple(
            db.scalars(
                select(ClaimRow.claim_id).where(ClaimRow.replaces == claim_id).order_by(ClaimRow.id)
            )
        ),
        actions=_actions(db, claim_id, row, state, message),
    )


class _Head(NamedTuple):
    """What a list shows of a claim besides its state; `total` None where it was not kept."""

    claim_id: str
    patient_id: int
    patient_name: str
    month: str
    format: str
    frequency: str
    total: str | None


def _heads(db: Session, condition: ColumnElement[bool]) -> list[_Head]:
    rows = db.execute(
        select(
            ClaimRow.claim_id,
            ClaimRow.patient_id,
            PatientRow.name,
            ClaimExportRow.month,
            ClaimRow.format,
            ClaimRow.frequency,
            ClaimRow.total,
        )
        .join(ClaimExportRow, ClaimExportRow.id == ClaimRow.export_id)
        .join(PatientRow, PatientRow.id == ClaimRow.patient_id)
        .where(condition)
        .order_by(ClaimRow.id.desc())
    )
    return [_Head(*row) for row in rows]


def _heads_not_kept(db: Session, condition: ColumnElement[bool]) -> list[_Head]:
    """Of claims that have lines and no row: they left before claims were kept whole."""
    rows = db.execute(
        select(
            ClaimLineRow.claim_id,
            ClaimLineRow.patient_id,
            PatientRow.name,
            ClaimExportRow.month,
            ClaimExportRow.format,
        )
        .join(ClaimExportRow, ClaimExportRow.id == ClaimLineRow.export_id)
        .join(PatientRow, PatientRow.id == ClaimLineRow.patient_id)
        .where(condition, ClaimLineRow.claim_id.not_in(select(ClaimRow.claim_id)))
        .group_by(
            ClaimLineRow.claim_id,
            ClaimLineRow.patient_id,
            PatientRow.name,
            ClaimExportRow.month,
            ClaimExportRow.format,
        )
        .order_by(func.max(ClaimLineRow.id).desc())
    )
    return [_Head(*row, "1", None) for row in rows]


def _briefs(
    db: Session, heads: Sequence[_Head], states: Mapping[str, ClaimState]
) -> tuple[ClaimBrief, ...]:
    waiting = db.execute(
        select(ChargeMessageRow.claim_id, ChargeMessageRow.attempts).where(
            ChargeMessageRow.claim_id.in_([head.claim_id for head in heads]),
            ChargeMessageRow.status == "waiting",
        )
    )
    unanswered = {claim_id: attempts for claim_id, attempts in waiting}
    briefs = []
    for head in heads:
        state = states[head.claim_id]
        word, tone = STATES[state.status]
        attempts = unanswered.get(head.claim_id)
        if attempts is not None:
            word = "Sent, not acknowledged" if attempts else "Waiting to be sent"
        briefs.append(
            ClaimBrief(
                claim_id=head.claim_id,
                patient_id=head.patient_id,
                patient_name=head.patient_name,
                month=head.month,
                format=FACTS[head.format].label,  # type: ignore[index]  # the exporter's own
                frequency=_FREQUENCIES[head.frequency],
                total=head.total,
                state=word,
                tone=tone,
                paid=state.paid,
                reasons=_reasons(state),
            )
        )
    return tuple(briefs)


def _reasons(state: ClaimState) -> tuple[str, ...]:
    """Why the claim stands where it does, of the claim and of its lines, each once."""
    own = [*state.reasons, *(reason for line in state.lines for reason in line.reasons)]
    return tuple(dict.fromkeys(own))


def _lines(
    db: Session, claim_id: str, claim: Claim | None, state: ClaimState
) -> tuple[dict[str, Any], ...]:
    """What was charged, with what the payer decided on each line."""
    decided = {line.line_id: line for line in state.lines}
    if claim is not None:
        return tuple(
            {
                "id": line.id,
                "code": line.charge.code,
                "modifiers": line.charge.modifiers,
                "units": line.charge.units,
                "date": line.charge.service_date,
                "amount": line.charge.amount,
                "reasons": line.charge.reasons,
                "result": decided.get(line.id),
            }
            for line in claim.lines
        )
    rows = db.scalars(
        select(ClaimLineRow).where(ClaimLineRow.claim_id == claim_id).order_by(ClaimLineRow.id)
    )
    return tuple(
        {
            "id": row.line_id,
            "code": row.code,
            "modifiers": row.modifiers,
            "units": row.units,
            "date": row.service_date,
            "amount": None,
            "reasons": (),
            "result": decided.get(row.line_id),
        }
        for row in rows
    )


def _items(
    db: Session, claim_id: str, events: Sequence[ClaimEvent], state: ClaimState
) -> tuple[HistoryItem, ...]:
    """The events by their own date; one that the claim's state did not allow says so."""
    recorded = {
        row.digest: row
        for row in db.scalars(select(ClaimEventRow).where(ClaimEventRow.claim_id == claim_id))
    }
    refused = {refusal.event.digest: refusal.why for refusal in state.refused}
    items = []
    for event in events:
        row = recorded.get(event.digest)
        items.append(
            HistoryItem(
                on=event.on,
                what=_EVENTS[event.kind],
                source=event.source,
                by=row.recorded_by if row else None,
                recorded_at=row.recorded_at if row else None,
                payer_claim_number=event.payer_claim_number,
                paid=event.paid,
                reasons=event.reasons,
                lines=tuple(
                    (line.line_id or "whole claim", line.reasons)
                    for line in event.lines
                    if line.reasons
                ),
                refused=refused.get(event.digest),
            )
        )
    return tuple(sorted(items, key=lambda item: item.on))


def _actions(
    db: Session,
    claim_id: str,
    row: ClaimRow | None,
    state: ClaimState,
    message: ChargeMessageRow | None,
) -> tuple[Action, ...]:
    def why_not(kind: Any) -> str | None:
        return objection(state, ClaimEvent(claim_id, kind, date.min, "", reasons=("asked",)))

    not_kept = "it left before claims were kept whole"
    return (
        Action(
            "correct",
            "Correct (7)",
            "A corrected claim from today's facts, in place of this one.",
            not_kept if row is None else objection_to(db, row, "correction_sent", state),
        ),
        Action(
            "void",
            "Void (8)",
            "The payer is asked to take this claim back; its charges are free after that.",
            not_kept if row is None else objection_to(db, row, "void_sent", state),
        ),
        Action(
            "reopen",
            "Note a reopening",
            "That the payer was asked to look again: an appeal or a reopening.",
            why_not("reopened"),
        ),
        Action(
            "unbill",
            "Un-bill",
            "The charges may leave again on a new claim.",
            why_not("unbilled") or under_way(db, claim_id, message),
        ),
    )
