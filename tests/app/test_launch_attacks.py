"""Attacks on launches and sign-ins, through the running service; each must fail."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.demo.walk import Places
from app.person_token import open_token
from app.store import ALL_TENANTS, LaunchRow, SessionRow, SignInRow
from tests.app.launching import (
    FRAME,
    callback_of,
    changed,
    form_token,
    opened,
    other_tenant,
    sign_in_row,
)
from tests.app.test_service import PATIENT, count, result_of, series_file, sign_program, upload
from tests.conftest import World, free_port
from tests.packaging.processes import ROOT


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def refused(answer: requests.Response, words: str) -> None:
    assert answer.status_code == 403
    assert words in answer.text


@pytest.mark.parametrize(
    "iss",
    ["", "https://evil.example/fhir", "http://169.254.169.254/latest", "file:///etc/passwd"],
)
def test_an_unknown_iss_is_refused_and_nothing_is_fetched(quiet: World, iss: str) -> None:
    answer = requests.get(
        f"{quiet.places.app}/launch",
        params={"iss": iss, "launch": "x"},
        allow_redirects=False,
        timeout=10,
    )
    refused(answer, "not registered")
    with quiet.context.database.begin(None) as db:
        assert db.scalars(select(LaunchRow)).all() == []


def test_the_answer_of_one_ehr_is_worth_nothing_at_anothers_callback(quiet: World) -> None:
    with quiet.context.database.begin(None) as db:
        db.add(other_tenant())
    browser = requests.Session()
    carried = callback_of(quiet, browser).replace("callback/prairie", "callback/other")
    refused(browser.get(carried, timeout=10), "belongs to another launch")
    assert count(quiet, SignInRow) == 0


@pytest.mark.parametrize(
    ("iss", "words"),
    [("https://evil.example", "another EHR"), (None, "does not say which EHR")],
    ids=["another's", "left out"],
)
def test_an_answer_that_names_another_ehr_or_none_is_refused(
    quiet: World, iss: str | None, words: str
) -> None:
    browser = requests.Session()
    refused(browser.get(changed(callback_of(quiet, browser), iss=iss), timeout=10), words)
    assert count(quiet, SignInRow) == 0


def test_a_state_is_good_once_even_of_two_at_once(quiet: World) -> None:
    browser = requests.Session()
    callback = callback_of(quiet, browser)
    cookies = browser.cookies.get_dict()
    start, codes = threading.Barrier(4), []

    def come_back() -> None:
        start.wait()
        answer = requests.get(callback, cookies=cookies, allow_redirects=False, timeout=30)
        codes.append(answer.status_code)

    threads = [threading.Thread(target=come_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 403, 403, 403]
    assert count(quiet, SignInRow) == 1


def test_a_launch_that_another_browser_began_signs_nobody_in(quiet: World) -> None:
    """Launch CSRF: the attacker's answer, opened by the victim, who has a session of their own."""
    callback = callback_of(quiet, requests.Session())
    victim = requests.Session()
    victim.get(f"{quiet.places.app}/portal", timeout=10)
    callback_of(quiet, victim, "ada-okafor")
    refused(victim.get(callback, timeout=10), "another browser")
    assert count(quiet, SignInRow) == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"next": "https://evil.example/"},
        {"redirect_uri": "https://evil.example/"},
        {"return_to": "//evil.example"},
        {"_external": "1", "_scheme": "javascript"},
        {"_anchor": "https://evil.example"},
        {"aud": "https://evil.example"},
    ],
    ids=str,
)
def test_no_parameter_leads_a_browser_elsewhere(
    quiet: World, parameters: Mapping[str, str]
) -> None:
    own = (quiet.places.app, quiet.places.ehr)
    for headers in ({}, FRAME):
        browser = requests.Session()
        url = changed(opened(quiet, browser), **parameters)
        for _ in range(5):
            answer = browser.get(url, headers=headers, allow_redirects=False, timeout=10)
            if answer.status_code != 302:
                break
            url = changed(urljoin(url, answer.headers["Location"]), **parameters)
            assert "://".join(urlsplit(url)[:2]) in own
            asked = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
            assert "evil" not in asked.get("redirect_uri", "")
            assert "evil" not in asked.get("aud", "")


def test_a_cookie_from_before_the_sign_in_is_worth_nothing_after_it(quiet: World) -> None:
    """Session fixation: neither a planted sign-in nor a planted form token is taken over."""
    browser = requests.Session()
    browser.cookies.set("hs_clinician", "planted-by-the-attacker", domain="127.0.0.1")
    browser.get(f"{quiet.places.app}/portal", timeout=10)
    before = browser.get(f"{quiet.places.app}/portal", timeout=10).text
    browser.get(callback_of(quiet, browser), timeout=10)
    assert browser.cookies["hs_clinician"] != "planted-by-the-attacker"
    planted = requests.get(
        f"{quiet.places.app}/chart",
        cookies={"hs_clinician": "planted-by-the-attacker"},
        timeout=10,
    )
    assert planted.status_code == 401
    form = {"csrf_token": form_token(before), "minutes": "5"}
    answer = browser.post(f"{quiet.places.app}/chart/time", data=form, timeout=10)
    assert answer.status_code == 400


def test_a_page_of_the_patient_before_writes_nothing_to_the_next(quiet: World) -> None:
    """Two charts in two tabs share one cookie; the older tab's forms must not reach the newer."""
    browser = Browser()
    pages = []
    for patient in (PATIENT, "ada-okafor"):
        form = {"patient": patient, "practitioner": walk.THERAPIST}
        browser.post(f"{quiet.places.ehr}/launch", form)
        pages.append(
            browser.get(f"{quiet.places.app}/chart/prescribe/shoulder_pain/motion_strength")
        )
    with pytest.raises(DemoFailed, match=r"409.*Another patient"):
        browser.submit(pages[0], {})


def test_a_page_of_another_clinician_writes_nothing(quiet: World) -> None:
    """The next person at the same computer takes over no form of the one before."""
    browser = Browser()
    form = {"patient": PATIENT, "practitioner": walk.THERAPIST}
    browser.post(f"{quiet.places.ehr}/launch", form)
    before = browser.get(f"{quiet.places.app}/chart/prescribe/shoulder_pain/motion_strength")
    browser.post(f"{quiet.places.ehr}/launch", {**form, "practitioner": "robin-chen"})
    with pytest.raises(DemoFailed, match="open too long"):
        browser.submit(before, {})


def test_a_new_sign_in_ends_the_one_before(quiet: World) -> None:
    browser = requests.Session()
    browser.get(callback_of(quiet, browser), timeout=10)
    old = browser.cookies["hs_clinician"]
    browser.get(callback_of(quiet, browser, "ada-okafor"), timeout=10)
    stale = requests.get(f"{quiet.places.app}/chart", cookies={"hs_clinician": old}, timeout=10)
    assert stale.status_code == 401


def test_a_session_of_another_health_system_is_out_of_reach(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, series_file(tmp_path))
    result_of(patient, page)
    assert patient.get(page.url).status_code == 200
    with world.context.database.begin(None) as db:
        db.add(other_tenant())
    with world.context.database.begin(None) as db:
        row = db.scalars(select(SessionRow), execution_options={ALL_TENANTS: True}).one()
        row.tenant_id = "other"  # the same patient's number, in another health system
    with pytest.raises(DemoFailed, match="404"):
        patient.get(page.url)


def test_no_token_code_or_state_reaches_the_log_or_a_referrer(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """The real server process, through a launch, a failed one, and a sign-out."""
    port = free_port()
    app = f"http://127.0.0.1:{port}"
    world = make_world(worker=False, ehr=lambda places: {"app_url": app})
    world.places = Places(app, world.places.ehr)
    with _served(world, port, tmp_path / "log"):
        browser = requests.Session()
        callback = callback_of(world, browser)
        answer = browser.get(callback, timeout=30)
        assert answer.url == f"{app}/chart"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        token = open_token(world.context, sign_in_row(world))
        again = browser.get(callback, timeout=30)
        assert again.headers["Referrer-Policy"] == "no-referrer"
        failing = callback_of(world, browser)
        world.fail_ehr(500, 3)
        assert browser.get(failing, timeout=60).status_code == 502
        form = {"csrf_token": form_token(answer.text)}
        browser.post(f"{app}/sign-out/clinician", data=form, timeout=30)
    shown = (tmp_path / "log").read_text() + answer.text + again.text
    secrets = {
        token.access_token,
        str(token.refresh_token),
        browser.cookies.get("hs_clinician", ""),
        *(value for url in (callback, failing) for _, value in parse_qsl(urlsplit(url).query)),
    } - {"", world.sandbox.issuer}
    assert len(secrets) >= 6
    for secret in secrets:
        assert secret not in shown


@contextmanager
def _served(world: World, port: int, log: Path) -> Iterator[None]:
    settings = world.context.settings
    environment = {
        **os.environ,
        "HOMESTRETCH_DATA_DIR": str(settings.data_dir),
        "HOMESTRETCH_PUBLIC_URL": world.places.app,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            wait_for("the server", lambda: _answers(f"{world.places.app}/ready"), 60)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False
