"""What became of a claim: a pure fold over append-only events.

Files arrive late, twice and in any order, so the fold does not go by arrival: it drops repeated
events by their digest and takes the rest by stage and date. The same events always give the same
state. An event that its stage does not allow changes nothing and is a finding.

A charge may be billed anew (`ClaimState.releases_charges`) once its claim was rejected, un-billed
or voided, or returned as unprocessable: nothing was decided then. A denial was a decision; it is
appealed, corrected (frequency 7) or un-billed by a person with a reason, since sending the same
again is a duplicate (CARC 18; Medicare Claims Processing Manual, ch. 1 §80.3 and ch. 34).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

EventKind = Literal[
    "built",
    "exported",
    "file_accepted",
    "file_rejected",
    "acknowledged",
    "rejected",
    "reversed",
    "remitted",
    "reopened",
    "correction_sent",
    "void_sent",
    "replaced",
    "voided",
    "unbilled",
]
Status = Literal[
    "none",
    "built",
    "exported",
    "accepted",
    "rejected",
    "acknowledged",
    "paid",
    "partly_paid",
    "denied",
    "reversed",
    "reopened",
    "replaced",
    "voided",
    "unbilled",
]

# The stages of a claim's life. Each date comes from another clock and time zone, so the stage
# goes before the date; from adjudication on, payer and office alternate and the date decides.
_STAGE: Mapping[EventKind, int] = {
    "built": 0,
    "exported": 1,
    "file_accepted": 2,
    "file_rejected": 2,
    "acknowledged": 3,
    "rejected": 3,
    "remitted": 4,
    "reversed": 4,
    "reopened": 4,
    "correction_sent": 4,
    "void_sent": 4,
    "replaced": 4,
    "voided": 4,
    "unbilled": 4,
}
# Within a stage and day, in the order of `EventKind`: an acceptance before the rejection that
# overrules it, in one remittance the reversal before the corrected payment, and then what the
# office did, which answers what it had read.
_RANK: tuple[EventKind, ...] = get_args(EventKind)
_WITH_PAYER: frozenset[Status] = frozenset({"exported", "accepted", "acknowledged"})
_DECIDED: frozenset[Status] = frozenset({"paid", "partly_paid", "denied"})
_NOT_TAKEN: frozenset[Status] = frozenset(
    {"none", "built", "exported", "accepted", "rejected", "unbilled"}
)
# A file's answer may be late or lost, so a later stage does not wait for an earlier answer.
_ALLOWED: Mapping[EventKind, frozenset[Status]] = {
    "built": frozenset({"none"}),
    "exported": frozenset({"built"}),
    "file_accepted": frozenset({"exported", "accepted"}),
    "file_rejected": frozenset({"exported", "accepted", "rejected"}),
    "acknowledged": _WITH_PAYER,
    "rejected": _WITH_PAYER | {"rejected"},
    "remitted": _WITH_PAYER | {"reversed", "reopened"},
    "reversed": _DECIDED | {"reopened", "replaced", "voided"},
    "reopened": _DECIDED,
    "correction_sent": _DECIDED | {"acknowledged", "reopened"},
    "void_sent": _DECIDED | {"acknowledged", "reopened"},
    "replaced": _DECIDED | {"acknowledged", "reopened", "reversed"},
    "voided": _DECIDED | {"acknowledged", "reopened", "replaced", "reversed"},
    "unbilled": frozenset({"built", "exported", "denied", "reversed"}),
}
_UNPROCESSABLE = "MA130"
_NEED_THE_PAYERS_NUMBER: frozenset[EventKind] = frozenset(
    {"correction_sent", "void_sent", "replaced", "voided"}
)
_NEED_A_REASON: Mapping[EventKind, str] = {
    "correction_sent": "a correction",
    "void_sent": "a void",
    "unbilled": "un-billing",
}


@dataclass(frozen=True)
class LineResult:
    """One line as a remittance decided it. `allowed` is the payment and what the patient owes."""

    line_id: str | None
    paid: Decimal
    allowed: Decimal
    reasons: tuple[str, ...] = ()

    @property
    def is_denied(self) -> bool:
        """Nothing was allowed: neither the payer nor the patient pays."""
        return self.allowed <= 0


@dataclass(frozen=True)
class ClaimEvent:
    """One thing that happened to a claim. `on` is its own date, never that of the arrival.

    `source` names the file's own number and `place` the event's in it, so that two equal payments
    are two and one file read twice is one. `remarks` are bare codes, `reasons` words.
    """

    claim_id: str
    kind: EventKind
    on: date
    source: str
    place: int = 0
    payer_claim_number: str | None = None
    paid: Decimal | None = None
    lines: tuple[LineResult, ...] = ()
    remarks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal: an event is stored once."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Refusal:
    """An event that the claim's state did not allow, and why."""

    event: ClaimEvent
    why: str


@dataclass(frozen=True)
class ClaimState:
    """Where a claim stands. `paid` sums all payments and reversals."""

    status: Status = "none"
    payer_claim_number: str | None = None
    paid: Decimal = Decimal("0.00")
    lines: tuple[LineResult, ...] = ()
    remarks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def releases_charges(self) -> bool:
        """Whether its charges may be billed anew."""
        if self.status == "denied":
            return _UNPROCESSABLE in self.remarks
        return self.status in ("rejected", "voided", "unbilled")


def claim_state(events: Iterable[ClaimEvent]) -> ClaimState:
    """The state after all `events` of one claim, in whatever order and however often they come.

    Raises:
        ValueError: the events belong to several claims.
    """
    unique = {event.digest: event for event in events}
    if len({event.claim_id for event in unique.values()}) > 1:
        raise ValueError("the events belong to several claims")
    state = ClaimState()
    for _, event in sorted(unique.items(), key=lambda item: _order(*item)):
        why = objection(state, event)
        if why is None:
            state = _after(state, event)
        else:
            state = replace(state, refused=(*state.refused, Refusal(event, why)))
    return state


def _order(digest: str, event: ClaimEvent) -> tuple[int, date, int, str, int, str]:
    return (
        _STAGE[event.kind],
        event.on,
        _RANK.index(event.kind),
        event.source,
        event.place,
        digest,
    )


def objection(state: ClaimState, event: ClaimEvent) -> str | None:
    """Why `event` can't happen to a claim in `state`; None where it can."""
    if state.status not in _ALLOWED[event.kind]:
        return f"a claim that is {_plain(state.status)} can't be {_plain(event.kind)}"
    if event.kind in _NEED_THE_PAYERS_NUMBER and state.payer_claim_number is None:
        return "a corrected or void claim (frequency 7, 8) needs the payer's claim number"
    if event.kind in _NEED_A_REASON and not event.reasons:
        return f"{_NEED_A_REASON[event.kind]} needs a reason"
    return None


def taken_on(events: Iterable[ClaimEvent]) -> date | None:
    """The day on which the payer took a correction or void in place of the claim before: by its
    277CA, or by deciding on it. None while it did not, or where it refused it."""
    known = list(events)
    if claim_state(known).status in _NOT_TAKEN:
        return None
    days = [event.on for event in known if event.kind in ("acknowledged", "remitted")]
    return min(days, default=None)


def _after(state: ClaimState, event: ClaimEvent) -> ClaimState:
    return replace(
        state,
        status=_next_status(state, event),
        payer_claim_number=event.payer_claim_number or state.payer_claim_number,
        paid=state.paid + (event.paid or 0),
        lines=event.lines if event.kind == "remitted" else state.lines,
        remarks=event.remarks if event.kind == "remitted" else state.remarks,
        reasons=state.reasons if event.kind in ("correction_sent", "void_sent") else event.reasons,
    )


def _next_status(state: ClaimState, event: ClaimEvent) -> Status:
    match event.kind:
        case "file_accepted":
            return "accepted"
        case "file_rejected" | "rejected":
            return "rejected"
        case "remitted":
            return _decision(event)
        case "reversed" if state.status in ("replaced", "voided"):
            return state.status  # the payer takes back what the office had replaced or voided
        case "correction_sent" | "void_sent":
            return state.status  # until the payer has taken it, the claim stands as it was
        case "built" | "exported" | "acknowledged" | "reversed" | "reopened":
            return event.kind
        case "replaced" | "voided" | "unbilled":
            return event.kind


def _decision(event: ClaimEvent) -> Status:
    """Paid: something was allowed for every line, be it all the patient's share. A reduction to
    the contracted amount is no partial payment."""
    denied = [line.is_denied for line in event.lines]
    if all(denied):
        return "denied"
    return "partly_paid" if any(denied) else "paid"


def _plain(word: str) -> str:
    plain = {
        "none": "not known",
        "unbilled": "un-billed",
        "correction_sent": "corrected",
        "void_sent": "voided",
    }
    return plain.get(word, word.replace("_", " "))
