"""The billing office's pages of claims: lists, history, actions, and the plan of care."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import requests
from sqlalchemy import select

from app.billing_office.acknowledgements import import_answers
from app.billing_office.claim_book import read_claim
from app.billing_office.export import export_month
from app.billing_office.history import PAGE_SIZE
from app.chart_intake import coverage_to_bill
from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.demo.tenant import TENANT_ID
from app.plan_of_care import CertificationRefused, record_certification
from app.store import ClaimLineRow, ClaimRow, LedgerFactRow, PatientRow
from billing.claim_model import Claim
from fhir.patient import CoverageSummary
from tests.app.answers import claim_answer, remittance
from tests.app.synthetic_practice import change_coverage, write_practice, write_therapist
from tests.app.test_exports import MONTH, NOW, person
from tests.app.test_worklist_pages import biller
from tests.conftest import World

SOON, LATER = date(2026, 11, 6), date(2026, 11, 20)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A practice on 5 November 2026 with two billable patients, not yet exported."""
    made = make_world(worker=False)
    context = replace(made.context, now=lambda: NOW)
    made.app.extensions["homestretch"] = context
    with context.database.begin(TENANT_ID) as db:
        write_therapist(db)
        write_practice(db, TENANT_ID, [person("Abel"), person("Baker")])
    return replace(made, context=context)


def exported(world: World) -> list[str]:
    """The two claims, by name of the patient."""
    export_month(world.context, TENANT_ID, MONTH, "837")
    with world.context.database.begin(TENANT_ID) as db:
        return list(db.scalars(select(ClaimRow.claim_id).order_by(ClaimRow.id)))


def answer(world: World, content: bytes) -> None:
    import_answers(world.context, TENANT_ID, "answer.edi", content, "a test")


def page(world: World, browser: Browser, path: str) -> requests.Response:
    return browser.get(f"{world.places.app}/office{path}")


def names(html: str) -> list[str]:
    return re.findall(r"<td>Synthetic (\w+)</td>", html)


# Lists --------------------------------------------------------------------------------------------


def test_the_months_claims_are_listed_with_their_states_and_filtered(world: World) -> None:
    first, second = exported(world)
    answer(world, claim_answer(first, SOON, number="ICN-1"))
    answer(world, claim_answer(second, SOON, number=None, accepted=False))
    browser = biller(world)
    html = page(world, browser, f"/month/{MONTH}/claims").text
    assert names(html) == ["Baker", "Abel"]
    assert "With the payer (1)" in html
    assert "Rejected (1)" in html
    assert names(page(world, browser, f"/month/{MONTH}/claims?state=rejected").text) == ["Baker"]
    assert names(page(world, browser, f"/month/{MONTH}/claims?name=abe").text) == ["Abel"]
    assert names(page(world, browser, "/month/2026-09/claims").text) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/month/{MONTH}/claims?state=happy", 400),
        (f"/month/{MONTH}/claims?page=0", 400),
        ("/month/October/claims", 404),
        ("/claim/HS-9", 404),
        ("/patient/999999", 404),
        ("/file/999999", 404),
        (f"/file/{2**70}", 404),  # no column holds it
        (f"/patient/{2**70}", 404),
    ],
)
def test_what_is_not_there_is_told(world: World, path: str, status: int) -> None:
    with pytest.raises(DemoFailed, match=f"answered {status}"):
        page(world, biller(world), path)


def test_many_claims_come_in_pages(world: World) -> None:
    with world.context.database.begin(TENANT_ID) as db:
        people = [person(f"P{n}") for n in range(PAGE_SIZE)]
        write_practice(db, TENANT_ID, people, first_id=2000)
    export_month(world.context, TENANT_ID, MONTH, "837")
    browser = biller(world)
    first = page(world, browser, f"/month/{MONTH}/claims").text
    assert len(names(first)) == PAGE_SIZE
    assert "page=2" in first
    assert len(names(page(world, browser, f"/month/{MONTH}/claims?page=2").text)) == 2


def test_nobody_else_sees_a_claim(world: World) -> None:
    (claim_id, _) = exported(world)
    with pytest.raises(DemoFailed, match="answered 401"):
        page(world, Browser(), f"/claim/{claim_id}")
    world.app.extensions["homestretch"] = replace(world.context, now=lambda: datetime.now(UTC))
    clinician = walk.launch_chart(world.places, "ada-okafor")
    with pytest.raises(DemoFailed, match="answered 401"):
        page(world, clinician, f"/claim/{claim_id}")


# History ------------------------------------------------------------------------------------------


def test_a_claims_page_says_where_it_stands_why_and_what_happened(world: World) -> None:
    claim_id, _ = exported(world)
    answer(world, claim_answer(claim_id, SOON, number="ICN-1"))
    denial = remittance(
        claim_id,
        LATER,
        number="ICN-1",
        charge="115.9",
        paid="0",
        status="4",
        adjustments="CAS*CO*50*115.9",
        remarks="MOA***N115",
    )
    answer(world, denial)
    html = page(world, biller(world), f"/claim/{claim_id}").text
    assert "! Denied" in html
    assert "CO" in html
    assert re.search(r"CARC 50|50 \(|medical necessity|medically necess", html)
    assert "N115" in html
    for happened in ("Built and scrubbed", "Left", "Accepted by the payer", "Decided by the payer"):
        assert happened in html
    assert "Came back: answer.edi" in html
    assert "the dates of the patient&#39;s coverage are not given" in html
    assert "rtm-2026" in html


def test_a_claim_is_voided_from_its_page_and_the_void_leads_back(world: World) -> None:
    claim_id, _ = exported(world)
    browser = biller(world)
    shown = page(world, browser, f"/claim/{claim_id}")
    assert "a claim that is exported can&#39;t be corrected" in shown.text
    answer(world, claim_answer(claim_id, SOON, number="ICN-1"))
    shown = page(world, browser, f"/claim/{claim_id}")
    main = shown.text.partition("<main")[2].partition("</main>")[0]
    assert re.findall(r"<button[^>]*>([^<]+)</button>", main) == ["Correct (7)", "Void (8)"]
    done = browser.submit(shown, {"reason": "the wrong patient"}, form=1)
    assert "The void" in done.text
    assert f'In place of claim <a href="/office/claim/{claim_id}">' in done.text
    link = re.search(r'href="(/office/file/\d+)"', done.text)
    assert link is not None
    sent = browser.get(world.places.app + link[1]).text
    assert "REF*F8*ICN-1~" in sent
    back = page(world, browser, f"/claim/{claim_id}").text
    assert "the wrong patient" in back
    assert "recorded by Jordan Ellis" in back
    assert "was sent already" in back


def test_a_claim_is_corrected_reopened_and_unbilled_from_its_page(world: World) -> None:
    first, second = exported(world)
    browser = biller(world)
    shown = page(world, browser, f"/claim/{second}")
    done = browser.submit(shown, {"reason": "never uploaded"})
    assert "Un-billed; 3 charges may leave again" in done.text
    payment = remittance(first, SOON, number="ICN-1", charge="115.9", paid="92.73")
    answer(world, payment)
    shown = page(world, browser, f"/claim/{first}")
    assert "asked to look again" in browser.submit(shown, {"reason": "underpaid"}, form=2).text
    shown = page(world, browser, f"/claim/{first}")
    assert "The corrected claim" in browser.submit(shown, {"reason": "units"}).text


def test_an_action_without_a_reason_does_nothing(world: World) -> None:
    claim_id, _ = exported(world)
    browser = biller(world)
    shown = page(world, browser, f"/claim/{claim_id}")
    assert "needs a reason" in browser.submit(shown, {"reason": " "}).text


def test_a_claim_that_left_before_claims_were_kept_has_its_lines_and_no_more(
    world: World,
) -> None:
    exported(world)
    with world.context.database.begin(TENANT_ID) as db:
        for line in db.scalars(select(ClaimLineRow).where(ClaimLineRow.patient_id == 1000)):
            line.claim_id = "0000000007"
    browser = biller(world)
    html = page(world, browser, "/claim/0000000007").text
    assert "left before claims were kept whole" in html
    assert "98977" in html
    assert "0000000007" in page(world, browser, f"/month/{MONTH}/claims").text


# Plan of care and coverage ------------------------------------------------------------------------


def _claim(world: World, name: str = "Abel") -> Claim:
    with world.context.database.begin(TENANT_ID) as db:
        patient = db.scalars(select(PatientRow).where(PatientRow.name.endswith(name))).one()
        rows = db.scalars(
            select(ClaimRow.claim_id)
            .where(ClaimRow.patient_id == patient.id)
            .order_by(ClaimRow.id.desc())
        )
        return read_claim(db, next(iter(rows)))


CERTIFIED = {
    "certified_on": "2026-10-20",
    "plan_started_on": "2026-09-28",
    "family": "Osei",
    "given": "Dana",
    "npi": "1999999935",
}


def test_the_biller_records_who_certified_the_plan_and_the_claim_names_them(world: World) -> None:
    browser = biller(world)
    worklist = browser.get(f"{world.places.app}/office/month/{MONTH}").text
    assert 'href="/office/patient/1000"' in worklist
    shown = page(world, browser, "/patient/1000")
    assert "Nobody has recorded who certified it" in shown.text
    done = browser.submit(shown, CERTIFIED)
    assert "Certified 2026-10-20 by Dana Osei" in done.text
    assert "recorded by Jordan Ellis" in done.text
    export = export_month(world.context, TENANT_ID, MONTH, "837")
    assert "NM1*DN*1*OSEI*DANA****XX*1999999935~" in export.content
    claim = _claim(world)
    assert (claim.plan_certified_on, claim.plan_started_on) == (
        date(2026, 10, 20),
        date(2026, 9, 28),
    )
    assert not any("certification is not given" in line for line in export.warned if "1000" in line)
    other = _claim(world, "Baker")
    assert (other.plan_certified_on, other.plan_started_on) == (None, date(2026, 10, 2))
    assert other.referring is not None
    assert other.referring.family == "Chen", "whom the practice names for all its plans"


def test_a_wrong_record_is_corrected_by_a_further_one_and_both_are_kept(world: World) -> None:
    browser = biller(world)
    shown = browser.submit(page(world, browser, "/patient/1000"), CERTIFIED)
    with world.context.database.begin(TENANT_ID) as db:
        first = db.scalars(select(LedgerFactRow).where(LedgerFactRow.kind == "certification")).one()
    again = {**CERTIFIED, "certified_on": "2026-10-05", "corrects": first.id}
    refused = browser.submit(shown, {**again, "reason": ""})
    assert "Say why the earlier record was wrong" in refused.text
    done = browser.submit(shown, {**again, "reason": "a typing error"})
    assert "<s>Certified 2026-10-20</s> (corrected)" in done.text
    assert "a typing error" in done.text
    export_month(world.context, TENANT_ID, MONTH, "837")
    assert _claim(world).plan_certified_on == date(2026, 10, 5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"certified_on": "2026-12-01"}, "dated in the future"),
        ({"certified_on": "soon"}, "must be a date"),
        ({"plan_started_on": "2027-01-01"}, "be in the future"),
        ({"family": " "}, "Name the practitioner"),
        ({"npi": "1999999936"}, "not a valid NPI"),
        ({"corrects": "certification:0"}, "not one of this plan"),
    ],
)
def test_what_is_no_certification_is_refused_in_words(
    world: World, change: dict[str, str], says: str
) -> None:
    browser = biller(world)
    shown = browser.submit(page(world, browser, "/patient/1000"), {**CERTIFIED, **change})
    assert "Nothing was recorded" in shown.text
    assert says in shown.text


def test_a_patient_who_is_not_monitored_has_no_plan_to_certify(world: World) -> None:
    with world.context.database.begin(TENANT_ID) as db:
        patient = PatientRow(
            fhir_id="p", name="Nobody", birth_date=date(1950, 1, 1), time_zone="UTC", seen_at=NOW
        )
        db.add(patient)
        db.flush()
        with pytest.raises(CertificationRefused, match="not monitored under a therapy plan"):
            record_certification(
                db,
                patient,
                certified_on=SOON,
                plan_started_on=SOON,
                family="Osei",
                given="Dana",
                npi="1999999935",
                corrects=None,
                reason="",
                today=SOON,
                by="a test",
                now=NOW,
            )


def test_the_dates_of_the_coverage_hold_a_service_outside_them(world: World) -> None:
    for patient_id, end in ((1000, "2026-12-31"), (1001, "2026-10-15")):
        change_coverage(world.context, TENANT_ID, patient_id, start="2026-01-01", end=end)
    done = export_month(world.context, TENANT_ID, MONTH, "837")
    assert done.claim_count == 1
    assert all("is outside 2026-01-01 to 2026-10-15" in line for line in done.held[:1])
    claim = _claim(world)
    assert (claim.coverage_start, claim.coverage_end) == (date(2026, 1, 1), date(2026, 12, 31))
    assert not any(line.endswith("check eligibility with the payer") for line in done.warned)


def test_the_ehr_gives_the_dates_of_the_coverage_at_the_launch(
    make_world: Callable[..., World],
) -> None:
    launched = make_world(worker=False)
    walk.launch_chart(launched.places, "ada-okafor")
    with launched.context.database.begin(TENANT_ID) as db:
        coverage = db.scalars(select(PatientRow)).one().billing["coverage"]
    assert (coverage["start"], coverage["end"]) == ("2022-01-01", None)
    assert coverage["id"] == "ada-okafor-coverage"


def test_of_several_coverages_the_one_in_force_is_billed() -> None:
    ended = CoverageSummary("1", "Old", "1", None, "old", date(2020, 1, 1), date(2025, 12, 31))
    current = CoverageSummary("2", "New", "2", None, "new", date(2026, 1, 1))
    assert coverage_to_bill([ended, current], date(2026, 11, 5)) == current
    assert coverage_to_bill([ended], date(2026, 11, 5)) == ended
