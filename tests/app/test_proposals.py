"""What the results suggest for the plan, and what becomes of it: nothing without a signature."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.demo.history import STORIES, write_history
from app.sessions import SessionReport, accept_manual_log
from app.store import AlertRow, ProgramRow, ProposalDecisionRow
from rtm.exercises import load_library
from rtm.session import Pain
from tests.app.test_program_builder import program_of, words
from tests.app.test_service import count, one
from tests.conftest import World

STORY = next(story for story in STORIES if story.patient == "samuel-brandt")
# The last day of the month that the history tells, and what its sessions reached by then.
END = datetime(2026, 10, 31, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Office:
    """A clinician before the chart of a patient with a month of sessions, at the end of it."""

    world: World
    browser: Browser

    def chart(self) -> requests.Response:
        return self.browser.get(f"{self.world.places.app}/chart")

    def post(self, way: str, fields: Mapping[str, str]) -> requests.Response:
        return self.browser.post(f"{self.world.places.app}/chart/proposal/{way}", fields)


@pytest.fixture
def office(make_world: Callable[..., World]) -> Office:
    """The arm reaches its target, and the pain has gone down."""
    made = make_world(worker=False)
    browser = walk.launch_chart(made.places, STORY.patient)
    write_history(replace(made.context, now=lambda: END + timedelta(days=1)), [STORY])
    context = replace(made.context, now=lambda: END)
    made.app.extensions["homestretch"] = context
    return Office(replace(made, context=context), browser)


def card(page: requests.Response) -> str:
    found = re.search(r'aria-labelledby="proposal-title">(.*?)</section>', page.text, re.S)
    assert found, "the chart has no proposal"
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[1])).split())


def fields(page: requests.Response) -> dict[str, str]:
    """Of the proposal's forms."""
    names = ("digest", "signing_key")
    form = page.text.partition("/chart/proposal/decline")[2]
    found = {name: re.search(rf'name="{name}"[^>]*value="([^"]+)"', form) for name in names}
    token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert token
    return {
        **{name: match[1] for name, match in found.items() if match},
        "csrf_token": token[1],
        "patient": "1",
    }


def test_the_reasons_stand_on_the_chart_each_with_what_was_measured(office: Office) -> None:
    told = card(office.chart())
    assert "Proposal: " in told
    assert re.search(
        r"Shoulder abduction: 1\d\d°; at least 150° is asked for \(2026-10-\d\d\)", told
    )
    assert "Pain after exercise: " in told
    assert "Nothing changes without a signature." in told
    assert count(office.world, ProposalDecisionRow) == 0


def test_a_red_flag_proposes_a_call_which_can_be_declined_once_with_a_reason(
    office: Office,
) -> None:
    facts = {
        "cause": "screen:test",
        "outcome": "stop_call_care_team",
        "reasons": [{"id": "fever", "text": "Yes to: fever"}],
        "note": None,
    }
    with office.world.context.database.begin(office.world.tenant_id) as db:
        db.add(
            AlertRow(
                patient_id=1,
                kind="red_flag",
                cause="screen:test",
                facts=facts,
                raised_at=END - timedelta(hours=1),
            )
        )
    page = office.chart()
    assert "Proposal: Call the patient" in card(page)
    assert "Accept and sign" not in page.text
    said = {**fields(page), "note": "Called this morning."}
    office.post("decline", said)
    office.post("decline", {**said, "note": "again"})
    assert "Declined by Terry Alvarez, 2026-10-31: Called this morning." in card(office.chart())
    decision = one(office.world, ProposalDecisionRow)
    assert decision.decision == "declined"  # type: ignore[attr-defined]
    assert decision.proposal["reasons"][0]["rule"] == "red_flag"  # type: ignore[attr-defined]
    assert count(office.world, ProgramRow) == 1


def hurt(office: Office) -> None:
    """On each of the last days the exercise hurt more than the protocol allows."""
    for days in (1, 2, 3):
        accept_manual_log(
            office.world.context,
            office.world.tenant_id,
            1,
            SessionReport(
                session_id=str(uuid4()),
                line="shoulder_flexion",
                started_at=END - timedelta(days=days),
                pain=Pain(3, 6),
                repetitions_reported=10,
                duration_reported_s=60.0,
            ),
        )


def test_a_flare_up_proposes_an_easier_exercise_and_accepting_signs_it_once(
    office: Office,
) -> None:
    hurt(office)
    page = office.chart()
    told = card(page)
    assert "Proposal: Step back" in told
    change = re.search(r"(\S.*) in the place of Arm raise to the front", told)
    assert change, told
    before = program_of(office.world)
    said = fields(page)
    for _ in range(2):
        office.post("accept", said)
    after = program_of(office.world)
    assert count(office.world, ProgramRow) == 2
    assert (after.id, after.version) == (before.id, 2)
    new = {x.exercise_id for x in after.exercises} - {x.exercise_id for x in before.exercises}
    (easier,) = new
    assert easier in load_library()["shoulder_flexion"].regressions
    assert {x.exercise_id for x in before.exercises} - {x.exercise_id for x in after.exercises} == {
        "shoulder_flexion"
    }
    decision = one(office.world, ProposalDecisionRow)
    assert decision.decision == "accepted"  # type: ignore[attr-defined]


def test_a_proposal_may_be_edited_before_it_is_signed(office: Office) -> None:
    hurt(office)
    page = office.browser.get(f"{office.world.places.app}/chart/prescribe/proposed")
    assert 'value="shoulder_flexion"' not in re.sub(r"add-shoulder_flexion", "", page.text)
    office.browser.submit(page, {"lines-0-sets": "1"})
    assert program_of(office.world).exercises[0].dose.sets == 1
    assert one(office.world, ProposalDecisionRow).decision == "edited"  # type: ignore[attr-defined]


def test_what_was_not_on_the_page_is_not_decided(office: Office) -> None:
    hurt(office)
    said = fields(office.chart())
    answer = office.post("accept", {**said, "digest": "0" * 32})
    assert "The results have changed since this page was opened" in words(answer)
    assert count(office.world, ProposalDecisionRow) == 0
    assert count(office.world, ProgramRow) == 1
    with pytest.raises(DemoFailed, match="400"):
        office.post("accept", {"digest": said["digest"]})
