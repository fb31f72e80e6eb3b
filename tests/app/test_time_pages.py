"""Signing and correcting time over HTTP, with what the ledger then holds and the tally counts."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from app.accounts import read_account
from app.billing_office.export import export_month
from app.clinician.forms import ACTIVITIES, activity_text
from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.rtm_book import (
    Interval,
    read_ledgers,
    record_manual_time,
    record_timer_interval,
    start_episode,
)
from app.store import ClaimLineRow, EpisodeRow, LedgerFactRow, PatientRow, PractitionerRow
from app.time_book import (
    STATEMENT,
    ChangeRefused,
    StretchChoice,
    TimeChange,
    confirm_time,
    correct_time,
    read_time_book,
)
from billing.attribution import attribute, excluded_activity
from billing.rules import load_rules
from billing.tally import tally
from rtm.ledger import Ledger, countable, seconds_of, without_overlap
from tests.app.launching import form_token
from tests.conftest import World

SAMUEL, ADA = "samuel-brandt", "ada-okafor"
# A Tuesday of a month whose rules are loaded, in the practice's afternoon.
NINE = datetime(2026, 10, 13, 14, tzinfo=UTC)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def monitored(world: World, *patients: str, browser: Browser | None = None) -> Browser:
    """One browser in which each patient's chart was launched; the last is the open one."""
    browser = browser or Browser()
    for patient in patients:
        browser.post(
            f"{world.places.ehr}/launch", {"patient": patient, "practitioner": walk.THERAPIST}
        )
        with world.context.database.begin(world.tenant_id) as db:
            row = _patient(db, patient)
            if db.scalar(select(EpisodeRow.id).where(EpisodeRow.patient_id == row.id)) is None:
                start_episode(
                    db,
                    row,
                    _me(db),
                    start=date(2026, 10, 1),
                    set_up=True,
                    therapy_plan="GP",
                    now=datetime(2026, 10, 1, 15, tzinfo=UTC),
                )
    return browser


def _patient(db: object, fhir_id: str = SAMUEL) -> PatientRow:
    return db.scalars(select(PatientRow).where(PatientRow.fhir_id == fhir_id)).one()  # type: ignore[attr-defined,no-any-return]


def _me(db: object, name: str = walk.THERAPIST) -> PractitionerRow:
    user = f"Practitioner/{name}"
    return db.scalars(select(PractitionerRow).where(PractitionerRow.fhir_user == user)).one()  # type: ignore[attr-defined,no-any-return]


def work(
    world: World,
    *spans: tuple[float, float],
    patient: str = SAMUEL,
    by: str = walk.THERAPIST,
    begins: datetime = NINE,
) -> None:
    """The timer's entries of `patient`: from and to in minutes after `begins`."""
    with world.context.database.begin(world.tenant_id) as db:
        for first, last in spans:
            start, end = begins + timedelta(minutes=first), begins + timedelta(minutes=last)
            record_timer_interval(
                db,
                _patient(db, patient).id,
                _me(db, by),
                Interval(str(uuid4()), start, end),
                now=end,
            )


def ledger_of(world: World, patient: str = SAMUEL) -> Ledger:
    with world.context.database.begin(world.tenant_id) as db:
        query = select(EpisodeRow.id).where(EpisodeRow.patient_id == _patient(db, patient).id)
        episode_id = db.scalars(query).one()
        return read_ledgers(db, [episode_id])[episode_id]


def counted_s(world: World, patient: str = SAMUEL) -> int:
    with world.context.database.begin(world.tenant_id) as db:
        account = read_account(db, _patient(db, patient), world.context.now().date())
    assert account is not None
    attributed = attribute(account, load_rules())
    return seconds_of(
        without_overlap(attributed.facts.time, attributed.visits, attributed.taken_from)
    )


def time_page(world: World, browser: Browser) -> requests.Response:
    return browser.get(f"{world.places.app}/chart/time")


def text_of(page: requests.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def correct_page(world: World, browser: Browser) -> requests.Response:
    """The correction of the first line that may be corrected."""
    found = re.search(r'href="(/chart/time/[^"]+/correct)"', time_page(world, browser).text)
    assert found
    return browser.get(f"{world.places.app}{found[1]}")


def heartbeat(
    world: World,
    browser: Browser,
    patient: str,
    start: datetime = NINE,
    length_s: int = 30,
    token: str | None = None,
) -> requests.Response:
    token = token or form_token(browser.get(f"{world.places.app}/chart").text)
    with world.context.database.begin(world.tenant_id) as db:
        patient_id = _patient(db, patient).id
    body = {
        "patient": patient_id,
        "interval_id": str(uuid4()),
        "start": start.isoformat(),
        "end": (start + timedelta(seconds=length_s)).isoformat(),
    }
    return browser._http.post(
        f"{world.places.app}/chart/time/heartbeat",
        json=body,
        headers={"X-CSRFToken": token},
        timeout=10,
    )


# Signing -----------------------------------------------------------------------------------------


def test_the_timers_minutes_count_only_after_their_author_signed_what_was_shown(
    world: World,
) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5), (5, 9), (30, 31.5))
    assert counted_s(world) == 0
    page = time_page(world, browser)
    shown = text_of(page)
    assert "09:00–09:09, 9:00 minutes" in shown
    assert "09:30–09:31, 1:30 minutes" in shown
    assert STATEMENT in shown
    done = browser.submit(page, {"stretches-0-activity": "program"})
    assert "10:30 minutes confirmed and signed." in text_of(done)
    assert counted_s(world) == 630
    facts = ledger_of(world)
    assert {(c.author, c.npi, c.by, c.statement) for c in facts.confirmations} == {
        ("Terry Alvarez", "1999999919", "pt", STATEMENT)
    }
    assert sorted(entry.activity for entry in countable(facts, date(2026, 11, 24)).time) == [
        "program: decided on or changed the program",
        "program: decided on or changed the program",
        "review: reviewed monitoring data",
    ]
    assert "Nothing waits for your signature." in text_of(time_page(world, browser))


def test_what_the_timer_records_while_the_form_is_open_is_kept_and_not_signed(
    world: World,
) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    page = time_page(world, browser)
    assert heartbeat(world, browser, SAMUEL, NINE + timedelta(minutes=5)).json()["logged"]
    after = text_of(browser.submit(page, {}))
    assert counted_s(world) == 300
    assert "09:05–09:05, 0:30 minutes" in after


def test_a_second_tab_signs_nothing_a_second_time(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    first, second = time_page(world, browser), time_page(world, browser)
    browser.submit(first, {})
    again = browser.submit(second, {"stretches-0-leave_out": "y", "stretches-0-reason": "no"})
    assert "had been confirmed or changed already" in text_of(again)
    facts = ledger_of(world)
    assert (len(facts.confirmations), len(facts.corrections)) == (1, 0)
    assert counted_s(world) == 300


def test_two_tabs_that_sign_at_once_leave_one_signature(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5), (20, 22))
    pages = [time_page(world, browser) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda page: browser.submit(page, {}), pages))
    assert len(ledger_of(world).confirmations) == 1
    assert counted_s(world) == 420


def test_a_stretch_is_left_out_or_shortened_by_corrections_with_a_reason(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5), (5, 10), (10, 12.5), (40, 44))
    done = browser.submit(
        time_page(world, browser),
        {
            "stretches-0-shorten_to": "7",
            "stretches-0-reason": "The phone rang.",
            "stretches-1-leave_out": "y",
            "stretches-1-reason": "Looked at the wrong chart.",
        },
    )
    assert "7:00 minutes confirmed" in text_of(done)
    assert counted_s(world) == 420
    facts = ledger_of(world)
    assert len(facts.time) == 4
    assert sorted(c.reason for c in facts.corrections) == [
        "Looked at the wrong chart.",
        "The phone rang.",
        "The phone rang.",
    ]
    assert {c.author for c in facts.corrections} == {"Terry Alvarez"}
    assert "12:30 → 7:00. Why: The phone rang." in text_of(done)
    assert "Taken back: nothing counts. Why: Looked at the wrong chart." in text_of(done)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"stretches-0-leave_out": "y"}, "Say why"),
        ({"stretches-0-shorten_to": "2"}, "Say why"),
        ({"stretches-0-shorten_to": "5", "stretches-0-reason": "why"}, "only be made shorter"),
        ({"stretches-0-shorten_to": "many"}, "Not a valid integer"),
        ({"stretches-0-activity": "administrative"}, "Not a valid choice"),
    ],
)
def test_a_form_that_can_not_be_signed_signs_nothing_and_says_why(
    world: World, fields: dict[str, str], why: str
) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5), (20, 25))
    answer = text_of(browser.submit(time_page(world, browser), fields))
    assert "Nothing was signed." in answer
    assert why in answer
    facts = ledger_of(world)
    assert (facts.confirmations, facts.corrections) == ((), ())


def test_nobody_signs_anothers_time_whatever_the_form_names(world: World) -> None:
    monitored(world, SAMUEL)
    work(world, (0, 5))
    entry = ledger_of(world).time[0].id
    other = Browser()
    other.post(f"{world.places.ehr}/launch", {"patient": SAMUEL, "practitioner": "robin-chen"})
    page = other.get(f"{world.places.app}/chart/time")
    assert "5:00 by Terry Alvarez (NPI 1999999919)" in text_of(page)
    with world.context.database.begin(world.tenant_id) as db:
        forged = [StretchChoice((entry,), "review: reviewed monitoring data")]
        done = confirm_time(db, _patient(db).id, _me(db, "robin-chen"), forged, NINE)
        assert (done.seconds, done.passed_over) == (0, 1)
        with pytest.raises(ChangeRefused, match="Only the person"):
            correct_time(
                db,
                _patient(db).id,
                _me(db, "robin-chen"),
                [entry],
                TimeChange("mine", retract=True),
                NINE,
            )
    facts = ledger_of(world)
    assert (facts.confirmations, facts.corrections) == ((), ())
    with pytest.raises(DemoFailed, match="403"):
        other.get(f"{world.places.app}/chart/time/{entry}/correct")


def test_time_of_before_confirmations_existed_waits_and_can_be_signed_late(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    with world.context.database.begin(world.tenant_id) as db:
        old = db.scalars(select(LedgerFactRow)).one()
        document = {k: v for k, v in old.document.items() if k not in ("author", "signed_at")}
        copy = {
            column.name: getattr(old, column.name) for column in LedgerFactRow.__table__.columns
        }
        db.add(
            LedgerFactRow(
                **{**copy, "id": "timer:old", "document": {**document, "id": "timer:old"}}
            )
        )
    entry = next(e for e in ledger_of(world).time if e.id == "timer:old")
    assert (entry.author, entry.signed_at) == ("Terry Alvarez", None)
    browser.submit(time_page(world, browser), {})
    signed = [h.signature for h in ledger_of(world).histories[0]]
    assert [s.act for s in signed if s] == ["confirmed", "confirmed"]
    assert all(s.at.date() == datetime.now(UTC).date() for s in signed if s and s.at)


def test_logging_by_hand_is_a_signature_with_its_author_and_date(world: World) -> None:
    browser = monitored(world, SAMUEL)
    page = browser.get(f"{world.places.app}/chart")
    browser.submit(page, {"minutes": "12", "reason": "talked at the desk"}, form=1)
    (entry,) = ledger_of(world).time
    assert (entry.author, entry.npi) == ("Terry Alvarez", "1999999919")
    assert entry.signed_at is not None
    assert entry.activity == "review: talked at the desk"
    assert "Signed" in text_of(time_page(world, browser))


def test_manual_time_of_before_signatures_is_signed_by_who_recorded_it(world: World) -> None:
    monitored(world, SAMUEL)
    then = datetime(2026, 10, 5, 15, tzinfo=UTC)
    with world.context.database.begin(world.tenant_id) as db:
        record_manual_time(
            db,
            _patient(db).id,
            _me(db),
            day=date(2026, 10, 5),
            minutes=9,
            activity="review: data",
            now=then,
        )
        row = db.scalars(select(LedgerFactRow)).one()
        copy = {
            column.name: getattr(row, column.name) for column in LedgerFactRow.__table__.columns
        }
        document = {k: v for k, v in row.document.items() if k not in ("author", "signed_at")}
        db.add(LedgerFactRow(**{**copy, "id": "old", "document": {**document, "id": "old"}}))
    entry = next(e for e in ledger_of(world).time if e.id == "old")
    assert (entry.author, entry.signed_at) == ("Terry Alvarez", then)
    assert counted_s(world) == 18 * 60


@pytest.mark.parametrize("key", ACTIVITIES)
def test_each_activity_that_is_offered_counts_by_every_years_rules(key: str) -> None:
    for rule_set in load_rules().sets:
        assert excluded_activity(rule_set, activity_text(key)) is None


def test_less_than_a_second_is_no_time_and_no_fact(world: World) -> None:
    monitored(world, SAMUEL)
    work(world, (0, 0.01), (1, 2))
    assert [entry.seconds for entry in ledger_of(world).time] == [60]


# Two patients ------------------------------------------------------------------------------------


def test_the_timer_of_an_older_tab_tells_its_own_patients_time(world: World) -> None:
    browser = monitored(world, SAMUEL)
    token = form_token(browser.get(f"{world.places.app}/chart").text)
    monitored(world, ADA, browser=browser)
    assert heartbeat(world, browser, SAMUEL, token=token).json() == {"logged": True}
    assert len(ledger_of(world, SAMUEL).time) == 1
    assert ledger_of(world, ADA).time == ()


def test_a_chart_that_was_never_launched_takes_no_time(world: World) -> None:
    """Launched by somebody else only: nobody logs time for a chart of which they have no launch."""
    browser = monitored(world, SAMUEL)
    Browser().post(f"{world.places.ehr}/launch", {"patient": ADA, "practitioner": "robin-chen"})
    assert heartbeat(world, browser, ADA).status_code == 409
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(LedgerFactRow)).all() == []


def test_a_form_of_one_patient_does_not_reach_another(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    signing, chart = time_page(world, browser), browser.get(f"{world.places.app}/chart")
    browser.post(f"{world.places.ehr}/launch", {"patient": ADA, "practitioner": walk.THERAPIST})
    for page, form in ((signing, 0), (chart, 0), (chart, 1), (chart, 2)):
        with pytest.raises(DemoFailed, match=r"409.*Another patient"):
            browser.submit(page, {"minutes": "5", "reason": "x"}, form=form)
    assert ledger_of(world).confirmations == ()


def test_two_browsers_and_two_patients_never_count_one_minute_twice(world: World) -> None:
    monitored(world, SAMUEL, ADA)
    work(world, (0, 5), (10, 15), patient=SAMUEL)
    work(world, (3, 8), (10, 12), (14, 18), patient=ADA)
    for patient in (SAMUEL, ADA):
        _sign_all(world, patient)
    seconds = {patient: counted_s(world, patient) for patient in (SAMUEL, ADA)}
    # 0–8 and 10–18 minutes are sixteen in all; of each overlap the entry begun earlier has it.
    assert sum(seconds.values()) == 16 * 60
    assert seconds[SAMUEL] >= 5 * 60


def test_a_minute_that_was_taken_back_is_free_for_the_other_patient(world: World) -> None:
    browser = monitored(world, ADA, SAMUEL)
    work(world, (0, 5), patient=SAMUEL)
    work(world, (2, 6), patient=ADA)
    _sign_all(world, ADA)
    assert counted_s(world, ADA) == 60  # Samuel's proposal was begun first and holds its minutes
    browser.submit(
        time_page(world, browser), {"stretches-0-leave_out": "y", "stretches-0-reason": "mistake"}
    )
    assert counted_s(world, ADA) == 240


def test_a_shortened_minute_is_free_for_the_other_patient(world: World) -> None:
    browser = monitored(world, ADA, SAMUEL)
    work(world, (0, 5), patient=SAMUEL)
    work(world, (2, 6), patient=ADA)
    _sign_all(world, ADA)
    browser.submit(
        time_page(world, browser), {"stretches-0-shorten_to": "3", "stretches-0-reason": "phone"}
    )
    assert (counted_s(world, SAMUEL), counted_s(world, ADA)) == (180, 180)


def _sign_all(world: World, patient: str) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        row, me = _patient(db, patient), _me(db)
        book = read_time_book(db, row.id)
        assert book is not None
        choices = [StretchChoice(line.entry_ids, "review: data") for line in book.lines]
        confirm_time(db, row.id, me, choices, NINE + timedelta(hours=2))


# Correcting --------------------------------------------------------------------------------------


def test_a_correction_keeps_the_first_record_and_tells_who_when_and_why(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5), (5, 10))
    browser.submit(time_page(world, browser), {})
    page = correct_page(world, browser)
    after = text_of(
        browser.submit(page, {"minutes": "8", "reason": "Two minutes were a phone call."})
    )
    assert "Corrected. The first record and the reason are kept." in after
    assert re.search(r"Recorded: 10:00, Reviewed monitoring data: chart open and in use", after)
    assert re.search(r"Terry Alvarez\. Confirmed: 10:00", after)
    assert "Corrected: 10:00 → 8:00. Why: Two minutes were a phone call." in after
    assert counted_s(world) == 480
    assert len(ledger_of(world).time) == 2


def test_time_by_hand_changes_minutes_activity_and_date_or_is_taken_back(world: World) -> None:
    browser = monitored(world, SAMUEL)
    chart = browser.get(f"{world.places.app}/chart")
    browser.submit(chart, {"date": "2026-10-05", "minutes": "12", "reason": "at the desk"}, form=1)
    page = correct_page(world, browser)
    change = {"minutes": "15", "activity": "call", "date": "2026-10-06", "reason": "wrong day"}
    browser.submit(page, change)
    (entry,) = countable(ledger_of(world), date(2026, 11, 24)).time
    assert (entry.seconds, entry.activity) == (900, "call: at the desk")
    assert entry.local_date == date(2026, 10, 6)
    browser.submit(correct_page(world, browser), {"retract": "y", "reason": "logged twice"})
    assert counted_s(world) == 0
    assert "Taken back" in text_of(time_page(world, browser))
    assert len(ledger_of(world).corrections) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"minutes": "3"}, "Say why."),
        ({"minutes": "3", "reason": "   "}, "Say why"),
        ({"reason": "no change at all"}, "Nothing was changed."),
        ({"minutes": "30", "reason": "longer"}, "only be made shorter"),
        ({"date": "2026-10-01", "reason": "other day"}, "date can.*t be changed"),
        ({"minutes": "0", "reason": "none"}, "between 1 and"),
        ({"date": "2099-01-01", "reason": "later"}, "before it was spent"),
    ],
)
def test_a_correction_that_can_not_be_made_records_nothing_and_says_why(
    world: World, change: dict[str, str], why: str
) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    page = correct_page(world, browser)
    with pytest.raises(DemoFailed, match=f"422.*{why}"):
        browser.submit(page, change)
    assert ledger_of(world).corrections == ()


def test_of_less_than_a_minute_the_activity_can_be_corrected(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 0.5))
    browser.submit(time_page(world, browser), {})
    browser.submit(correct_page(world, browser), {"activity": "documentation", "reason": "typo"})
    (entry,) = countable(ledger_of(world), date(2026, 11, 24)).time
    assert (entry.seconds, entry.activity) == (30, "documentation: documented the decision")


def test_a_correction_of_what_changed_meanwhile_is_refused(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    first, second = correct_page(world, browser), correct_page(world, browser)
    browser.submit(first, {"minutes": "3", "reason": "shorter"})
    with pytest.raises(DemoFailed, match=r"422.*changed meanwhile"):
        browser.submit(second, {"minutes": "4", "reason": "shorter"})
    assert len(ledger_of(world).corrections) == 1


def test_correcting_a_proposal_does_not_sign_it(world: World) -> None:
    browser = monitored(world, SAMUEL)
    work(world, (0, 5))
    browser.submit(correct_page(world, browser), {"minutes": "3", "reason": "shorter"})
    assert counted_s(world) == 0
    browser.submit(time_page(world, browser), {})
    assert counted_s(world) == 180


def test_a_talk_is_corrected_and_taken_back_with_its_history(world: World) -> None:
    browser = monitored(world, SAMUEL)
    chart = browser.get(f"{world.places.app}/chart")
    browser.submit(chart, {"at": "2026-10-12T10:00", "kind": "phone", "minutes": "6"}, form=2)
    change = {"at": "2026-10-13T10:00", "kind": "video", "minutes": "6", "reason": "it was video"}
    after = text_of(browser.submit(correct_page(world, browser), change))
    assert "Recorded: Phone call, 2026-10-12 10:00, 6:00" in after
    assert "Corrected: Video call, 2026-10-13 10:00, 6:00. Why: it was video" in after
    browser.submit(correct_page(world, browser), {"retract": "y", "reason": "nobody answered"})
    assert countable(ledger_of(world), date(2026, 11, 24)).interactions == ()


# After a claim -----------------------------------------------------------------------------------


def test_a_correction_after_the_claim_is_accepted_told_and_shown_to_billing(world: World) -> None:
    browser = monitored(world, SAMUEL)
    with world.context.database.begin(world.tenant_id) as db:
        record_manual_time(
            db,
            _patient(db).id,
            _me(db),
            day=date(2026, 10, 14),
            minutes=24,
            activity="review: data",
            now=NINE,
        )
    chart = browser.get(f"{world.places.app}/chart")
    browser.submit(chart, {"at": "2026-10-12T10:00", "kind": "phone", "minutes": "6"}, form=2)
    export_month(world.context, world.tenant_id, "2026-10", "837p")
    (entry,) = ledger_of(world).time
    page = browser.get(f"{world.places.app}/chart/time/{entry.id}/correct")
    assert "98980 of 2026-10-31 has left on claim" in text_of(page)
    after = text_of(browser.submit(page, {"minutes": "12", "reason": "counted twice"}))
    assert "stays as it was sent" in after
    with world.context.database.begin(world.tenant_id) as db:
        account = read_account(db, _patient(db), date(2026, 11, 24))
        (line,) = db.scalars(select(ClaimLineRow).where(ClaimLineRow.code == "98980")).all()
    assert line.released_at is None
    assert account is not None
    assert [
        "now gives 0 (and 98979)" in b.why
        for b in tally(account).blocked
        if b.rule == "after_claim"
    ] == [True]
    office = Browser()
    office.submit(
        office.get(f"{world.places.app}/office/launch/{world.tenant_id}"),
        {"person": walk.BILLER, "pin": walk.PIN},
    )
    shown = text_of(office.get(f"{world.places.app}/office/month/2026-10"))
    assert "98980 of 2026-10-31 left on a claim, and the ledger now gives 0" in shown
    assert "changed since by Terry Alvarez" in shown


def test_billing_sees_whose_signature_a_month_waits_for(world: World) -> None:
    monitored(world, SAMUEL)
    work(world, (0, 5), (5, 7))
    office = Browser()
    office.submit(
        office.get(f"{world.places.app}/office/launch/{world.tenant_id}"),
        {"person": walk.BILLER, "pin": walk.PIN},
    )
    shown = text_of(office.get(f"{world.places.app}/office/month/2026-10"))
    assert "7 minutes of chart time to be confirmed by Terry Alvarez (NPI 1999999919)" in shown
    assert "also after 2026-10-31" in shown
