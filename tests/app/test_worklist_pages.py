"""The billing office's worklist over HTTP: filters, pages, sums, review, and staying up to date."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from app.accounts import read_accounts
from app.billing_office.export import ExportRefused, export_month
from app.billing_office.month import out_of_date_count, refresh
from app.billing_office.worklist import PAGE_SIZE, Filter, listing, summary
from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.jobs.tally import needs_tally, tally_tenant
from app.rtm_book import Interval, record_timer_interval
from app.store import PatientMonthRow, PatientRow, PractitionerRow, Tenant, mark_stale
from app.time_book import StretchChoice, confirm_time, read_time_book
from billing.account import Account
from billing.attribution import attribute
from billing.rules import load_rules
from rtm.ledger import Stretch, without_overlap
from tests.app.synthetic_practice import Monitored, write_practice
from tests.conftest import World

NOW = datetime(2026, 11, 5, 15, tzinfo=UTC)
MONTH, START = "2026-10", date(2026, 10, 2)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A practice on 5 November 2026, without a worker."""
    made = make_world(worker=False)
    context = replace(made.context, now=lambda: NOW)
    made.app.extensions["homestretch"] = context
    return replace(made, context=context)


def people(world: World, *monitored: Monitored) -> list[int]:
    with world.context.database.begin(world.tenant_id) as db:
        return write_practice(db, world.tenant_id, monitored)


def biller(world: World) -> Browser:
    """Signed in by the real clock, which is the EHR's; then it is the world's day again."""
    then = world.app.extensions["homestretch"]
    world.app.extensions["homestretch"] = replace(then, now=lambda: datetime.now(UTC))
    browser = Browser()
    page = browser.get(f"{world.places.app}/office/launch/{world.tenant_id}")
    browser.submit(page, {"person": walk.BILLER, "pin": walk.PIN})
    world.app.extensions["homestretch"] = then
    return browser


def page(world: World, browser: Browser, query: str = "") -> str:
    return browser.get(f"{world.places.app}/office/month/{MONTH}{query}").text


def names(html: str) -> list[str]:
    return re.findall(r'<h2 id="pt-\d+">Synthetic (\w+)</h2>', html)


BILLABLE = Monitored("Billable", START, days=18, minutes=24, talk=True)
SHORT = Monitored("Short", date(2026, 11, 1), days=1)
TALKLESS = Monitored("Talkless", START, days=20, minutes=25)
REVIEW = Monitored("Review", START, days=8, ended=date(2026, 10, 20))


def test_those_who_need_somebody_come_first_and_each_row_says_why(world: World) -> None:
    people(world, BILLABLE, TALKLESS, REVIEW)
    html = page(world, biller(world))
    assert names(html) == ["Review", "Billable", "Talkless"]
    assert "an interaction would have been needed by 2026-10-31" in html


def test_filters_narrow_and_sums_stay_those_of_the_month(world: World) -> None:
    people(world, BILLABLE, TALKLESS, REVIEW)
    browser = biller(world)
    assert names(page(world, browser, "?state=review")) == ["Review"]
    assert names(page(world, browser, "?name=less")) == ["Talkless"]
    assert names(page(world, browser, "?name=%25")) == []
    assert names(page(world, browser, "?sort=total"))[0] == "Billable"
    whole = re.search(r"\$([\d.,]+)</span><span class=\"muted\">7 charges", page(world, browser))
    assert whole is not None
    assert whole[1] in page(world, browser, "?state=review")


def test_a_patient_who_only_lacks_a_talk_can_be_asked_for(world: World) -> None:
    world.app.extensions["homestretch"] = replace(
        world.context, now=lambda: datetime(2026, 10, 20, 15, tzinfo=UTC)
    )
    people(world, BILLABLE, TALKLESS)
    assert names(page(world, biller(world), "?talk=on")) == ["Talkless"]


@pytest.mark.parametrize("query", ["?state=happy", "?sort=colour", "?page=0", "?page=x"])
def test_a_filter_that_is_not_offered_is_refused(world: World, query: str) -> None:
    with pytest.raises(DemoFailed, match="400"):
        page(world, biller(world), query)


def test_many_patients_come_in_pages_and_none_is_lost(world: World) -> None:
    people(world, *(replace(BILLABLE, name=f"P{n:03d}") for n in range(PAGE_SIZE + 7)))
    browser = biller(world)
    first, second = (names(page(world, browser, f"?page={n}")) for n in (1, 2))
    assert (len(first), len(second)) == (PAGE_SIZE, 7)
    assert sorted(first + second) == [f"P{n:03d}" for n in range(PAGE_SIZE + 7)]


def test_the_sum_of_the_rows_is_the_sum_of_the_page(world: World) -> None:
    people(world, BILLABLE, TALKLESS, REVIEW)
    with world.context.database.begin(world.tenant_id) as db:
        refresh(db, MONTH, NOW.date(), NOW, 100)
        rows = listing(db, Filter(MONTH)).items
        total = summary(db, MONTH).total
    assert total == sum((item.row.total for item in rows), Decimal(0)) > 0


# Review ------------------------------------------------------------------------------------------


def test_a_charge_under_review_stays_back_until_somebody_approves_it(world: World) -> None:
    people(world, BILLABLE, REVIEW)
    with world.context.database.begin(world.tenant_id) as db:
        db.add(_therapist(world))
    done = export_month(world.context, world.tenant_id, MONTH, "837p")
    assert done.claim_count == 2
    assert done.held == ("98985 of 2026-10-20 waits for review",)
    browser = biller(world)
    form = browser.get(f"{world.places.app}/office/month/{MONTH}?state=review")
    ticked = re.search(r'name="patient" value="(\d+)"', form.text)
    assert ticked is not None
    answer = browser.submit(form, {"patient": ticked[1]}, form=2)
    assert "1 charges approved" in answer.text
    second = export_month(world.context, world.tenant_id, MONTH, "837p")
    assert (second.claim_count, second.line_count, second.held) == (1, 1, ())
    with pytest.raises(ExportRefused, match="nothing new"):
        export_month(world.context, world.tenant_id, MONTH, "dft")


def _therapist(world: World) -> PractitionerRow:
    return PractitionerRow(
        fhir_user="Practitioner/terry-alvarez",
        name="Terry Alvarez",
        family="Alvarez",
        given="Terry",
        npi="1999999919",
        taxonomy="225100000X",
        provider_kind="pt",
    )


def test_approving_nobody_says_so(world: World) -> None:
    people(world, REVIEW)
    browser = biller(world)
    form = browser.get(f"{world.places.app}/office/month/{MONTH}")
    assert "Tick at least one" in browser.submit(form, {}, form=2).text


# Staying up to date ------------------------------------------------------------------------------


def test_the_workers_tally_what_is_out_of_date_and_then_nothing(world: World) -> None:
    people(world, BILLABLE, SHORT)
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    assert needs_tally(world.context, tenant)
    assert tally_tenant(world.context, world.tenant_id) == 4  # two patients, two months
    assert not needs_tally(world.context, tenant)
    assert tally_tenant(world.context, world.tenant_id) == 0


def test_a_new_fact_makes_its_patients_months_stale_and_no_others(world: World) -> None:
    ids = people(world, BILLABLE, TALKLESS)
    tally_tenant(world.context, world.tenant_id)
    with world.context.database.begin(world.tenant_id) as db:
        mark_stale(db, ids[0])
    with world.context.database.begin(world.tenant_id) as db:
        stale = db.scalars(select(PatientMonthRow.patient_id).where(PatientMonthRow.stale)).all()
    assert set(stale) == {ids[0]}


def test_tomorrow_the_open_month_is_tallied_again_and_the_closed_one_is_not(world: World) -> None:
    people(world, BILLABLE)
    tally_tenant(world.context, world.tenant_id)
    tomorrow = date(2026, 11, 6)
    with world.context.database.begin(world.tenant_id) as db:
        assert out_of_date_count(db, "2026-11", tomorrow) == 1
        assert out_of_date_count(db, MONTH, tomorrow) == 0


def test_a_row_made_while_the_month_was_open_is_made_again_after_it(world: World) -> None:
    people(world, BILLABLE)
    with world.context.database.begin(world.tenant_id) as db:
        refresh(db, MONTH, date(2026, 10, 20), NOW, 10)
        db.execute(update(PatientMonthRow).values(as_of=date(2026, 10, 20)))
        assert out_of_date_count(db, MONTH, NOW.date()) == 1


def test_tallying_again_keeps_one_row_a_patient_and_month(world: World) -> None:
    (only,) = people(world, BILLABLE)
    for _ in range(3):
        with world.context.database.begin(world.tenant_id) as db:
            mark_stale(db, only)
            refresh(db, MONTH, NOW.date(), NOW, 10)
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalar(select(func.count(PatientMonthRow.id))) == 1


# Minutes -----------------------------------------------------------------------------------------


def test_a_minute_logged_for_two_patients_counts_for_the_one_opened_first(world: World) -> None:
    first, second = people(world, replace(BILLABLE, minutes=0), replace(TALKLESS, minutes=0))
    nine = datetime(2026, 10, 14, 14, tzinfo=UTC)
    with world.context.database.begin(world.tenant_id) as db:
        therapist = _therapist(world)
        db.add(therapist)
        db.flush()
        for patient, begins in ((first, nine), (second, nine + timedelta(minutes=2))):
            interval = Interval(str(uuid4()), begins, begins + timedelta(minutes=5))
            assert record_timer_interval(db, patient, therapist, interval, now=NOW)
            book = read_time_book(db, patient)
            assert book is not None
            shown = [StretchChoice(line.entry_ids, "review: data") for line in book.lines]
            confirm_time(db, patient, therapist, shown, NOW)
        patients = [db.get_one(PatientRow, id_) for id_ in (first, second)]
        accounts = read_accounts(db, patients, NOW.date())
    counted = {
        id_: [stretch.seconds for stretch in _work(accounts[id_])] for id_ in (first, second)
    }
    assert counted == {first: [300.0], second: [120.0]}


def _work(account: Account) -> tuple[Stretch, ...]:
    attributed = attribute(account, load_rules())
    return without_overlap(attributed.facts.time, attributed.visits, attributed.taken_from)
