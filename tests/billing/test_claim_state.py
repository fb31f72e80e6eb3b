"""Where a claim stands: the ways it may go, those it may not, and that order does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim_state import (
    ClaimEvent,
    ClaimState,
    EventKind,
    LineResult,
    Status,
    claim_state,
    taken_on,
)

DAY = date(2026, 4, 1)
PAID = LineResult("HS-1-1", Decimal("40.00"), Decimal("50.00"))
DENIED = LineResult("HS-1-2", Decimal(0), Decimal(0), ("CO 50",))


def event(kind: EventKind, day: int = 0, **fields: object) -> ClaimEvent:
    made = ClaimEvent("HS-1", kind, DAY + timedelta(days=day), f"{kind} {day}")
    return replace(made, **fields)  # type: ignore[arg-type]


BUILT, EXPORTED = event("built"), event("exported")
TAKEN = event("file_accepted")
ACKNOWLEDGED = event("acknowledged", 1, payer_claim_number="ICN-1")
REMITTED = event("remitted", 9, paid=Decimal("40.00"), lines=(PAID,))
DENIAL = event("remitted", 9, paid=Decimal(0), lines=(DENIED,), remarks=("N115",))
PAID_AGAIN = event("remitted", 30, paid=Decimal("1.00"), lines=(PAID,))
REVERSED = event("reversed", 20, paid=Decimal("-40.00"), lines=(PAID,))
REOPENED = event("reopened", 12)
REPLACED = event("replaced", 12)
VOIDED = event("voided", 12)
SENT_7 = event("correction_sent", 11, reasons=("units",))
SENT_8 = event("void_sent", 11, reasons=("the wrong patient",))
UNBILLED = event("unbilled", 12, reasons=("never uploaded",))
SENT = (BUILT, EXPORTED)
ANSWERED = (*SENT, TAKEN, ACKNOWLEDGED)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((), "none"),
        ((BUILT,), "built"),
        (SENT, "exported"),
        ((*SENT, TAKEN), "accepted"),
        ((*SENT, event("file_rejected")), "rejected"),
        ((*SENT, TAKEN, event("file_rejected")), "rejected"),
        (ANSWERED, "acknowledged"),
        ((*SENT, ACKNOWLEDGED), "acknowledged"),
        ((*SENT, TAKEN, event("rejected", 1)), "rejected"),
        ((*ANSWERED, event("rejected", 2)), "rejected"),
        ((*ANSWERED, REMITTED), "paid"),
        ((*SENT, REMITTED), "paid"),
        ((*ANSWERED, replace(REMITTED, lines=(PAID, DENIED))), "partly_paid"),
        ((*ANSWERED, DENIAL), "denied"),
        ((*ANSWERED, REMITTED, REVERSED), "reversed"),
        ((*ANSWERED, REMITTED, REVERSED, replace(REMITTED, on=REVERSED.on)), "paid"),
        ((*ANSWERED, DENIAL, REOPENED), "reopened"),
        ((*ANSWERED, DENIAL, REOPENED, event("remitted", 30, lines=(PAID,))), "paid"),
        ((*ANSWERED, REMITTED, REPLACED), "replaced"),
        ((*ANSWERED, REMITTED, REPLACED, REVERSED), "replaced"),
        ((*ANSWERED, REMITTED, VOIDED, REVERSED), "voided"),
        ((*ANSWERED, REMITTED, SENT_7), "paid"),
        ((*ANSWERED, SENT_8), "acknowledged"),
        ((*ANSWERED, REMITTED, REVERSED, replace(REPLACED, on=REVERSED.on)), "replaced"),
        ((*ANSWERED, REMITTED, REVERSED, replace(VOIDED, on=REVERSED.on)), "voided"),
        ((*SENT, UNBILLED), "unbilled"),
        ((*ANSWERED, DENIAL, UNBILLED), "unbilled"),
    ],
)
def test_a_claim_goes_its_way(events: tuple[ClaimEvent, ...], status: Status) -> None:
    state = claim_state(events)
    assert state.status == status
    assert state.refused == ()


@pytest.mark.parametrize(
    ("events", "status", "says"),
    [
        ((TAKEN,), "none", "not known"),
        (
            (*ANSWERED, REMITTED, event("remitted", 10, paid=Decimal(1), lines=(PAID,))),
            "paid",
            "is paid",
        ),
        ((*SENT, event("file_rejected"), ACKNOWLEDGED), "rejected", "is rejected"),
        ((*SENT, event("rejected", 1), REMITTED), "rejected", "is rejected"),
        ((*ANSWERED, REVERSED), "acknowledged", "reversed"),
        ((*ANSWERED, UNBILLED), "acknowledged", "un-billed"),
        ((*SENT, TAKEN, UNBILLED), "accepted", "un-billed"),
        ((*ANSWERED, REMITTED, UNBILLED), "paid", "un-billed"),
        ((*SENT, replace(UNBILLED, reasons=())), "exported", "reason"),
        ((*SENT, REMITTED, SENT_7), "paid", "payer's claim number"),
        ((*ANSWERED, replace(SENT_8, reasons=())), "acknowledged", "a void needs a reason"),
        ((*SENT, TAKEN, SENT_7), "accepted", "can't be corrected"),
        ((*SENT, REMITTED, REPLACED), "paid", "payer's claim number"),
        ((*SENT, REMITTED, VOIDED), "paid", "payer's claim number"),
        (
            (*ANSWERED, REMITTED, VOIDED, event("remitted", 30, lines=(PAID,))),
            "voided",
            "is voided",
        ),
    ],
)
def test_what_can_not_be_changes_nothing_and_is_told(
    events: tuple[ClaimEvent, ...], status: Status, says: str
) -> None:
    state = claim_state(events)
    assert state.status == status
    assert [says in refusal.why for refusal in state.refused] == [True]


def test_payments_and_reversals_add_up() -> None:
    again = event("remitted", 20, paid=Decimal("45.00"), lines=(PAID,))
    assert claim_state((*ANSWERED, REMITTED, REVERSED, again)).paid == Decimal("45.00")


def test_the_payers_number_of_a_remittance_serves_where_no_277ca_came() -> None:
    known = replace(REMITTED, payer_claim_number="ICN-2")
    assert claim_state((*SENT, known, VOIDED)).status == "voided"


@pytest.mark.parametrize(
    ("events", "released"),
    [
        (SENT, False),
        ((*SENT, event("file_rejected")), True),
        ((*SENT, event("rejected", 1)), True),
        ((*ANSWERED, REMITTED), False),
        ((*ANSWERED, DENIAL), False),
        ((*ANSWERED, replace(DENIAL, remarks=("MA130",))), True),
        ((*ANSWERED, DENIAL, UNBILLED), True),
        ((*ANSWERED, REMITTED, VOIDED), True),
        ((*ANSWERED, REMITTED, REPLACED), False),
    ],
)
def test_charges_are_free_again_only_where_nothing_stands_decided(
    events: tuple[ClaimEvent, ...], released: bool
) -> None:
    assert claim_state(events).releases_charges is released


@pytest.mark.parametrize(
    ("events", "day"),
    [
        (SENT, None),
        ((*SENT, TAKEN), None),
        (ANSWERED, ACKNOWLEDGED.on),
        ((*ANSWERED, REMITTED), ACKNOWLEDGED.on),
        ((*SENT, DENIAL), DENIAL.on),
        ((*ANSWERED, event("rejected", 2)), None),
        ((*SENT, UNBILLED), None),
    ],
)
def test_a_correction_is_taken_by_a_277ca_or_a_decision(
    events: tuple[ClaimEvent, ...], day: date | None
) -> None:
    assert taken_on(events) == day


def test_events_of_two_claims_do_not_mix() -> None:
    with pytest.raises(ValueError, match="several claims"):
        claim_state((BUILT, replace(BUILT, claim_id="HS-2")))


# Order --------------------------------------------------------------------------------------------

KINDS = st.sampled_from(
    [*ANSWERED, REMITTED, DENIAL, REVERSED, REOPENED, REPLACED, VOIDED, UNBILLED, PAID_AGAIN]
)
EVENTS = st.lists(
    st.builds(
        lambda made, days, place: replace(made, on=made.on + timedelta(days=days), place=place),
        KINDS,
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    max_size=12,
)


def _in_order_once(events: list[ClaimEvent]) -> ClaimState:
    seen: dict[str, ClaimEvent] = {}
    for each in events:
        seen.setdefault(each.digest, each)
    return claim_state(seen.values())


@given(EVENTS, st.data())
def test_any_order_and_any_repetition_give_the_state_of_in_order_once(
    events: list[ClaimEvent], data: st.DataObject
) -> None:
    repeated = events + data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    shuffled = data.draw(st.permutations(repeated))
    assert claim_state(shuffled) == _in_order_once(events)


@given(st.permutations([*ANSWERED, REMITTED, REVERSED, event("remitted", 20, lines=(PAID,))]))
def test_a_whole_life_ends_the_same_however_its_files_arrive(events: list[ClaimEvent]) -> None:
    state = claim_state(events)
    assert (state.status, state.payer_claim_number, state.refused) == ("paid", "ICN-1", ())


@given(EVENTS)
def test_money_is_only_what_accepted_events_moved(events: list[ClaimEvent]) -> None:
    state = claim_state(events)
    unique = {each.digest: each for each in events}.values()
    refused = {refusal.event.digest for refusal in state.refused}
    moved = [each.paid or Decimal(0) for each in unique if each.digest not in refused]
    assert state.paid == sum(moved, Decimal(0))
