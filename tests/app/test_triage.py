"""Alerts by rules, once for a cause, and the panel on which clinicians deal with them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import update

from app.alert_load import load_lines, read_loads
from app.alerts import acknowledge, raise_alert
from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.jobs.watch import needs_watch, watch_tenant
from app.messages import Person as Writer
from app.messages import send_message
from app.prescribing import sign
from app.store import (
    AlertAcknowledgementRow,
    AlertRow,
    AlertStepRow,
    PatientRow,
    PractitionerRow,
    SignInRow,
)
from app.triage import BadPanelFilter, PanelFilter, colleagues, hand_on, read_panel
from app.watching import missed_days, watch_patient
from rtm.alerts import AlertFacts
from rtm.program import Program
from rtm.protocols import draft_program, load_protocols
from rtm.safety import Reason
from tests.app.launching import set_tenant
from tests.app.test_service import count, one
from tests.conftest import World

ADA = "ada-okafor"
SIGNED = datetime(2026, 10, 30, 15, tzinfo=UTC)
LATER = datetime(2026, 11, 3, 15, tzinfo=UTC)
COLLEAGUE = "robin-chen"


@dataclass(frozen=True)
class Person:
    """A clinician who launched a chart; both charts are of other patients than Ada Okafor."""

    world: World
    browser: Browser

    @property
    def page(self) -> requests.Response:
        return self.browser.get(f"{self.world.places.app}/panel")

    def sees(self, query: str = "") -> str:
        """The panel's words."""
        page = self.browser.get(f"{self.world.places.app}/panel{query}")
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.text)).split())

    def does(self, way: str, **fields: str) -> requests.Response:
        """To the one alert there is."""
        alert = the_alert(self.world)
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.page.text)
        assert token
        url = f"{self.world.places.app}/panel/{alert.id}/{way}"
        return self.browser.post(url, {"csrf_token": token[1], **fields})


@dataclass(frozen=True)
class Clinic:
    """Terry Alvarez signed a program for Ada Okafor, who has not begun it some days later."""

    world: World
    terry: Person
    robin: Person


@pytest.fixture
def clinic(make_world: Callable[..., World]) -> Clinic:
    made = make_world(worker=False)
    # Launched by the true clock, by which the EHR signs.
    terry, robin = launch(made, walk.THERAPIST), launch(made, COLLEAGUE)
    world = with_program(made)
    return Clinic(world, Person(world, terry), Person(world, robin))


def with_program(made: World) -> World:
    """At `LATER`; Terry Alvarez signed at `SIGNED`."""
    walk.launch_chart(made.places, ADA)
    sign(
        at(made, SIGNED).context,
        made.tenant_id,
        patient_id=ada(made),
        practitioner_id=terry_id(made),
        draft=draft(),
        signing_key="once",
    )
    return at(made, LATER)


def at(world: World, now: datetime) -> World:
    context = replace(world.context, now=lambda: now)
    world.app.extensions["homestretch"] = context
    return replace(world, context=context)


def draft() -> Program:
    protocol = load_protocols()["knee_strengthening"]
    phase = protocol.phase("strength")
    return draft_program(protocol, phase, id="ada", start=SIGNED.date(), side="right")


def launch(world: World, practitioner: str) -> Browser:
    browser = Browser()
    form = {"patient": "samuel-brandt", "practitioner": practitioner}
    browser.post(f"{world.places.ehr}/launch", form)
    return browser


def the_alert(world: World) -> AlertRow:
    alert = one(world, AlertRow)
    assert isinstance(alert, AlertRow)
    return alert


def ada(world: World) -> int:
    patient = one(world, PatientRow, PatientRow.fhir_id == ADA)
    assert isinstance(patient, PatientRow)
    return patient.id


def watched(world: World) -> int:
    return watch_tenant(world.context, world.tenant_id)


# What the rules find -----------------------------------------------------------------------------


def test_missed_days_alert_once_and_say_since_when(clinic: Clinic) -> None:
    assert watched(clinic.world) == 1
    alert = the_alert(clinic.world)
    assert alert.kind == "missed_days"
    (reason,) = alert.facts["reasons"]
    assert reason["text"] == "No session on 4 due days in a row, since 2026-10-30"
    assert watched(at(clinic.world, LATER + timedelta(hours=2))) == 0
    assert count(clinic.world, AlertRow) == 1


def test_patients_are_looked_at_once_an_hour(clinic: Clinic) -> None:
    tenant = set_tenant(clinic.world)
    assert needs_watch(clinic.world.context, tenant)
    watched(clinic.world)
    assert not needs_watch(clinic.world.context, tenant)
    assert needs_watch(at(clinic.world, LATER + timedelta(minutes=61)).context, tenant)


def test_a_message_that_waits_alerts_after_a_day_unless_it_is_answered(clinic: Clinic) -> None:
    world = clinic.world
    set_tenant(world, alert_rules={"missed_days": {"disabled": True}})
    write(world, Writer(ada(world)), 1, subject="Driving")
    write(world, Writer(ada(world)), 2, subject="Swimming")
    write(world, Writer(ada(world), terry_id(world)), 3, thread_id=message_id(2))
    assert watched(at(world, LATER + timedelta(hours=23))) == 0
    assert watched(at(world, LATER + timedelta(hours=25))) == 1
    assert message_id(1) in the_alert(world).cause
    assert watched(at(world, LATER + timedelta(hours=50))) == 0


def terry_id(world: World) -> int:
    terry = one(world, PractitionerRow, PractitionerRow.fhir_user.endswith(walk.THERAPIST))
    assert isinstance(terry, PractitionerRow)
    return terry.id


def message_id(number: int) -> str:
    return f"6f1e3a52-58a8-4d8e-b6a8-8f3f4f0a000{number}"


def write(world: World, sender: Writer, number: int, **about: str) -> None:
    send_message(
        world.context,
        world.tenant_id,
        sender,
        message_id=message_id(number),
        text="May I?",
        **about,
    )


def test_after_the_program_no_day_is_missed_but_a_message_still_waits(clinic: Clinic) -> None:
    world = at(clinic.world, datetime.combine(draft().end, time(15), UTC) + timedelta(days=1))
    write(world, Writer(ada(world)), 1, subject="Driving")
    assert watched(at(world, world.context.now() + timedelta(hours=25))) == 1
    assert the_alert(world).kind == "message_waiting"


def test_workers_at_once_raise_one_alert_on_postgresql(
    make_world: Callable[..., World], postgresql: str
) -> None:
    world = with_program(make_world(worker=False, database_url=postgresql))
    with ThreadPoolExecutor(4) as pool:
        raised = list(
            pool.map(lambda _: watch_patient(world.context, world.tenant_id, ada(world)), range(4))
        )
    assert sorted(raised) == [0, 0, 0, 1]


def test_a_health_system_switches_a_rule_off(clinic: Clinic) -> None:
    set_tenant(clinic.world, alert_rules={"missed_days": {"disabled": True}})
    assert watched(clinic.world) == 0


def test_days_missed_count_back_from_yesterday() -> None:
    program, today = draft(), date(2026, 11, 8)
    due = program.days_due(program.start, date(2026, 11, 7))
    assert missed_days(program, set(), today) == due
    assert missed_days(program, {due[-2]}, today) == due[-1:]
    assert missed_days(program, {due[-1]}, today) == ()


# The panel ---------------------------------------------------------------------------------------


@pytest.fixture
def missed(clinic: Clinic) -> Clinic:
    """One alert: days missed by Ada Okafor."""
    assert watched(clinic.world) == 1
    return clinic


def test_an_alert_is_on_the_panel_of_who_signed_the_program(missed: Clinic) -> None:
    assert "Ada Okafor" in missed.terry.sees()
    chart = missed.terry.browser.get(f"{missed.world.places.app}/chart")
    assert "1 alert waits for you" in chart.text
    assert "Ada Okafor" not in missed.robin.sees()
    for way in ("acknowledge", "open"):
        assert "not on your panel any more" in missed.robin.does(way).text
    assert count(missed.world, AlertAcknowledgementRow) == 0


def test_an_acknowledged_alert_leaves_the_panel(missed: Clinic) -> None:
    assert "Alert acknowledged." in missed.terry.does("acknowledge", note="Called her.").text
    assert "Nothing waits for you." in missed.terry.sees()
    seen = one(missed.world, AlertAcknowledgementRow)
    assert isinstance(seen, AlertAcknowledgementRow)
    assert seen.note == "Called her."


def test_an_alert_that_was_put_off_comes_back_that_morning(missed: Clinic) -> None:
    missed.terry.does("snooze", until="2026-11-05", note="On holiday")
    assert "Nothing waits for you." in missed.terry.sees()
    assert "Put off until 2026-11-05." in missed.terry.sees("?shown=snoozed")
    # Midnight in Chicago is six hours behind UTC.
    for hour, matches in ((5, 0), (7, 1)):
        then = datetime(2026, 11, 5, hour, tzinfo=UTC)
        with missed.world.context.database.begin(missed.world.tenant_id) as db:
            assert read_panel(db, terry_id(missed.world), PanelFilter(), then).matches == matches


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("2026-11-03", "Choose a day after today."),
        ("2025-01-01", "Choose a day after today."),
        ("soon", "Not a valid date value."),
    ],
)
def test_a_day_that_is_not_to_come_puts_nothing_off(missed: Clinic, until: str, says: str) -> None:
    assert says in missed.terry.does("snooze", until=until).text
    assert count(missed.world, AlertStepRow) == 0


def test_a_red_flag_can_not_be_put_off(clinic: Clinic) -> None:
    facts = AlertFacts("screen:1", "stop_call_care_team", (Reason("fever", "Fever"),))
    with clinic.world.context.database.begin(clinic.world.tenant_id) as db:
        assert raise_alert(db, ada(clinic.world), "red_flag", facts, LATER)
    page = clinic.terry.does("snooze", until="2026-11-05")
    assert "can't wait" in html.unescape(page.text)
    assert count(clinic.world, AlertStepRow) == 0


def test_an_alert_that_is_handed_on_is_the_colleagues(missed: Clinic) -> None:
    me = terry_id(missed.world)
    with missed.world.context.database.begin(missed.world.tenant_id) as db:
        ((robin, name),) = colleagues(db, me)
    missed.terry.does("snooze", until="2026-11-09", note="On holiday")
    assert f"Handed on to {name}." in missed.terry.does("hand-on", to=str(robin), note="Away.").text
    assert "Nothing waits for you." in missed.terry.sees()
    shown = missed.robin.sees()
    for words in ("Ada Okafor", "Handed on by", "Away."):
        assert words in shown
    assert "On holiday" not in shown
    assert "not on your panel any more" in missed.terry.does("acknowledge").text


def test_an_alert_is_handed_on_to_nobody_who_is_not_here(missed: Clinic) -> None:
    assert "Not a valid choice." in missed.terry.does("hand-on", to="999").text
    assert count(missed.world, AlertStepRow) == 0


def test_the_panel_opens_a_chart_under_its_own_banner(missed: Clinic) -> None:
    page = missed.terry.does("open")
    assert page.url.endswith("/chart")
    assert "<title>Ada Okafor" in page.text
    assert 'aria-label="Patient"' in page.text


def test_under_the_ehrs_own_banner_no_other_chart_opens(missed: Clinic) -> None:
    world = missed.world
    with world.context.database.begin(world.tenant_id) as db:
        db.execute(update(SignInRow).values(need_patient_banner=False))
    assert "Open chart" not in missed.terry.page.text
    with pytest.raises(DemoFailed, match=r"409.*another patient"):
        missed.terry.does("open")


@pytest.mark.parametrize(
    "wanted", [{"kind": "mood"}, {"sort": "size"}, {"page": 0}, {"shown": "all"}], ids=str
)
def test_a_filter_that_does_not_exist_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(BadPanelFilter):
        PanelFilter(**wanted)


def test_the_page_says_what_is_wrong_with_a_filter(clinic: Clinic) -> None:
    with pytest.raises(DemoFailed, match=r"400.*no kind of alert mood"):
        clinic.terry.sees("?kind=mood")


def test_the_panel_sorts_filters_and_counts(clinic: Clinic) -> None:
    world = clinic.world
    kinds = ("missed_days", "red_flag", "pain_jump", "missed_days")
    with world.context.database.begin(world.tenant_id) as db:
        for number, kind in enumerate(kinds):
            facts = AlertFacts(f"x:{number}", "go_on", (Reason(kind, "x"),))
            raise_alert(db, ada(world), kind, facts, LATER + timedelta(hours=number))
        me = terry_id(world)
        found = read_panel(db, me, PanelFilter(), LATER)
        assert [line.kind.id for line in found.lines] == [
            "red_flag", "pain_jump", "missed_days", "missed_days",
        ]  # fmt: skip
        assert found.counts == {"missed_days": 2, "red_flag": 1, "pain_jump": 1}
        newest = read_panel(db, me, PanelFilter(kind="missed_days", sort="newest"), LATER)
        assert [line.facts.cause for line in newest.lines] == ["x:3", "x:0"]


def test_the_load_of_alerts_counts_for_whose_they_are_now(missed: Clinic) -> None:
    world = missed.world
    with world.context.database.begin(world.tenant_id) as db:
        ((robin, name),) = colleagues(db, terry_id(world))
        for number, hours in enumerate((2, 4)):
            facts = AlertFacts(f"x:{number}", "go_on", (Reason("x", "x"),))
            raise_alert(db, ada(world), "pain_jump", facts, LATER - timedelta(hours=hours))
        raise_alert(db, ada(world), "pain_jump", replace(facts, cause="old"), SIGNED)
        mine = [line.id for line in read_panel(db, terry_id(world), PanelFilter(), LATER).lines]
        moved = read_panel(db, terry_id(world), PanelFilter(kind="missed_days"), LATER).lines[0].id
    for alert_id in mine:
        if alert_id == moved:
            hand_on(
                world.context,
                world.tenant_id,
                terry_id(world),
                alert_id,
                to_practitioner_id=robin,
                note=None,
            )
        else:
            acknowledge(
                world.context,
                world.tenant_id,
                ada(world),
                alert_id,
                practitioner_id=terry_id(world),
                note=None,
            )
    with world.context.database.begin(world.tenant_id) as db:
        loads = read_loads(db, LATER, days=3)
    assert [load.row for load in loads] == [
        ("Terry Alvarez", "2", "0", "2", "3.0"),
        (name, "1", "1", "0", ""),
    ]
    assert list(load_lines(loads))[1].split() == ["Terry", "Alvarez", "2", "0", "2", "3.0"]
