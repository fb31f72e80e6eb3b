"""The language of the portal: whose word counts, and the switch on every page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urljoin

import pytest
import requests

from app.demo import walk
from app.store import PatientRow
from rtm.exercises import load_library
from smart_launch.sandbox.pages import PIN
from tests.app.test_service import SHOULDER, say_safe
from tests.conftest import World
from vision.camera_check import messages

# As the sandbox EHR has them in `Patient.communication`.
SPEAKS_ENGLISH, SPEAKS_SPANISH = "samuel-brandt", "rosa-delgado"


def visitor(**headers: str) -> requests.Session:
    browser = requests.Session()
    browser.headers.update(headers)
    return browser


def spanish_browser() -> requests.Session:
    return visitor(**{"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"})


def form_of(page: requests.Response, action: str) -> dict[str, str]:
    """The hidden fields of the page's form that goes to `action`."""
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', page.text, re.S)
    assert form, f"{page.url} has no form to {action}"
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))


def choose(
    browser: requests.Session, page: requests.Response, language: str, **fields: str
) -> requests.Response:
    """Presses the switch of `page`, with `fields` forged."""
    data = {**form_of(page, "/portal/language"), "language": language, **fields}
    return browser.post(urljoin(page.url, "/portal/language"), data=data, timeout=10)


def sign_in(world: World, browser: requests.Session, person: str) -> requests.Response:
    page = browser.get(f"{world.places.app}/portal/launch/{world.tenant_id}", timeout=10)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return browser.post(page.url, data={**hidden, "person": person, "pin": PIN}, timeout=20)


def language_of(page: requests.Response) -> str:
    found = re.search(r'<html lang="(\w+)">', page.text)
    assert found
    return found[1]


def stored_language(world: World, fhir_id: str) -> str | None:
    with world.context.database.begin(world.tenant_id) as db:
        return db.query(PatientRow).filter_by(fhir_id=fhir_id).one().language


@pytest.mark.parametrize(
    ("headers", "language", "heading"),
    [
        ({}, "en", "Your exercises at home"),
        ({"Accept-Language": "es-MX,es;q=0.9"}, "es", "Sus ejercicios en casa"),
        ({"Accept-Language": "fr,es;q=0.5,en;q=0.4"}, "es", "Sus ejercicios en casa"),
        ({"Accept-Language": "fr"}, "en", "Your exercises at home"),
    ],
)
def test_before_the_sign_in_the_browser_says_the_language(
    world: World, headers: Mapping[str, str], language: str, heading: str
) -> None:
    page = visitor(**headers).get(f"{world.places.app}/portal", timeout=10)
    assert language_of(page) == language
    assert heading in page.text


def test_a_patient_who_never_chose_reads_the_language_that_the_ehr_knows(world: World) -> None:
    assert language_of(sign_in(world, visitor(), SPEAKS_SPANISH)) == "es"
    assert language_of(sign_in(world, spanish_browser(), SPEAKS_ENGLISH)) == "en"


def test_a_patient_of_an_unknown_language_reads_that_of_the_browser(world: World) -> None:
    browser = visitor()
    page = sign_in(world, browser, SPEAKS_SPANISH)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.query(PatientRow).filter_by(fhir_id=SPEAKS_SPANISH).one()
        row.demographics = {**row.demographics, "language": "vi"}
    assert language_of(browser.get(page.url, timeout=10)) == "en"
    spanish = browser.get(page.url, headers={"Accept-Language": "es"}, timeout=10)
    assert language_of(spanish) == "es"


def test_a_choice_is_kept_for_the_patient_in_every_browser(world: World) -> None:
    browser = spanish_browser()
    page = sign_in(world, browser, SPEAKS_SPANISH)
    assert "Ejercicios de hoy" in page.text
    page = choose(browser, page, "en")
    assert page.url.endswith("/portal/today")
    assert "Today's exercises" in page.text
    assert stored_language(world, SPEAKS_SPANISH) == "en"
    elsewhere = spanish_browser()
    welcome = elsewhere.get(f"{world.places.app}/portal", timeout=10)
    assert language_of(choose(elsewhere, welcome, "es")) == "es"
    assert language_of(sign_in(world, elsewhere, SPEAKS_SPANISH)) == "en"


def test_a_choice_before_the_sign_in_holds_after_it(world: World) -> None:
    browser = visitor()
    page = browser.get(f"{world.places.app}/portal", timeout=10)
    page = choose(browser, page, "es")
    assert page.url == f"{world.places.app}/portal"
    assert language_of(page) == "es"
    assert language_of(sign_in(world, browser, SPEAKS_ENGLISH)) == "es"
    assert stored_language(world, SPEAKS_ENGLISH) is None


def test_the_switch_leads_back_to_the_same_page(world: World) -> None:
    browser = visitor()
    sign_in(world, browser, SPEAKS_ENGLISH)
    url = f"{world.places.app}/portal/range/shoulder_flexion?from=today"
    page = choose(browser, browser.get(url, timeout=10), "es")
    assert page.url == url
    assert "Levantar el brazo al frente" in page.text


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/portal",
        "//evil.example/portal",
        "/\\evil.example",
        "/portal\\@evil.example",
        "/portalevil",
        "/chart",
        "javascript:alert(1)",
        "",
    ],
)
def test_the_switch_leads_nowhere_else(world: World, back: str) -> None:
    browser = visitor()
    page = browser.get(f"{world.places.app}/portal", timeout=10)
    answer = choose(browser, page, "es", back=back)
    assert answer.status_code == 422
    assert answer.url == f"{world.places.app}/portal/language"


def test_the_switch_refuses_other_languages_and_forged_requests(world: World) -> None:
    browser = visitor()
    page = browser.get(f"{world.places.app}/portal", timeout=10)
    assert choose(browser, page, "fr").status_code == 422
    assert choose(browser, page, "es", csrf_token="forged").status_code == 400
    assert language_of(browser.get(page.url, timeout=10)) == "en"


def test_an_error_is_in_the_patients_language_and_leads_on(world: World) -> None:
    browser = spanish_browser()
    away = browser.get(f"{world.places.app}/portal/today", headers={"Accept": "text/html"})
    assert away.status_code == 401
    assert "Abra el portal otra vez." in away.text
    assert 'href="/portal"' in away.text
    lost = browser.get(f"{world.places.app}/portal/nowhere", headers={"Accept": "text/html"})
    assert "Esta página no existe" in lost.text
    assert "Not Found" not in lost.text


def test_a_sign_in_that_fails_is_told_in_plain_words_with_the_reason_aside(world: World) -> None:
    url = f"{world.places.app}/portal/callback/{world.tenant_id}?state=unknown&code=x"
    page = spanish_browser().get(url, headers={"Accept": "text/html"}, timeout=10)
    assert page.status_code == 403
    assert "No pudimos iniciar su sesión" in page.text
    assert '<p lang="en" translate="no">This launch was already used' in page.text
    assert "unknown" not in page.text


def test_signing_out_is_told_in_the_patients_language(world: World) -> None:
    browser = visitor()
    page = sign_in(world, browser, SPEAKS_SPANISH)
    token = form_of(page, "/sign-out/patient")
    told = browser.post(f"{world.places.app}/sign-out/patient", data=token, timeout=20)
    assert "Usted cerró la sesión" in told.text
    assert language_of(told) == "es"


def test_the_clinicians_pages_stay_english(world: World) -> None:
    browser = walk.launch_chart(world.places, SPEAKS_SPANISH)
    browser._http.headers["Accept-Language"] = "es"
    page = browser.get(f"{world.places.app}/chart")
    assert language_of(page) == "en"
    assert "Sign out" in page.text


def test_the_coach_says_what_it_sees_in_the_language_of_the_page(world: World) -> None:
    chart = walk.launch_chart(world.places, SPEAKS_SPANISH)
    chart.submit(chart.get(f"{world.places.app}/chart/prescribe/{'/'.join(SHOULDER)}"), {})
    say_safe(world, SPEAKS_SPANISH)
    browser = visitor()
    sign_in(world, browser, SPEAKS_SPANISH)
    url = f"{world.places.app}/portal/exercises/shoulder_abduction/live"
    told = re.findall(
        r'<script type="application/json">(.*?)</script>', browser.get(url, timeout=10).text, re.S
    )
    coach = next(document for each in told if "messages" in (document := json.loads(each)))
    assert coach["messages"]["nobody"] == messages()["nobody"]["es"]
    cues = {fault.cue["es"] for fault in load_library()["shoulder_abduction"].faults}
    said = {fault["cue"] for fault in coach["exercise"]["faults"]}
    assert said
    assert said <= cues
