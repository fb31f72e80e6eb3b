"""Inside the EHR's frame: who may show us, and what happens where no cookie is kept."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import requests

from app.demo import walk
from tests.app.launching import (
    FRAME,
    callback_of,
    opened,
    other_tenant,
)
from tests.app.test_service import PATIENT
from tests.conftest import World


def ancestors(answer: requests.Response) -> list[str]:
    policy = answer.headers["Content-Security-Policy"]
    (directive,) = [part for part in policy.split("; ") if part.startswith("frame-ancestors ")]
    return directive.split()[1:]


def test_a_page_may_be_framed_by_the_ehr_of_its_own_health_system_alone(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    with world.context.database.begin(None) as db:
        db.add(other_tenant(frame_ancestors=["https://other.example"]))
    assert ancestors(requests.get(f"{world.places.app}/portal", timeout=10)) == ["'self'"]
    browser = walk.launch_chart(world.places, PATIENT)
    own = ["'self'", world.places.ehr]
    assert ancestors(browser.get(f"{world.places.app}/chart")) == own
    assert ancestors(browser.get(f"{world.places.app}/portal")) == own
    unknown = requests.get(f"{world.places.app}/launch", params={"iss": "x"}, timeout=10)
    assert ancestors(unknown) == ["'self'"]
    theirs = requests.get(
        f"{world.places.app}/launch/callback/other", params={"state": "x"}, timeout=10
    )
    assert ancestors(theirs) == ["'self'", "https://other.example"]


def test_a_frame_that_keeps_no_cookie_offers_a_window_before_the_launch_is_used(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    url = opened(world, requests.Session())
    step = requests.get(url, headers=FRAME, allow_redirects=False, timeout=10)
    assert urlsplit(step.headers["Location"]).path == "/launch/frame"
    page = requests.get(urljoin(url, step.headers["Location"]), headers=FRAME, timeout=10)
    assert page.status_code == 403
    assert 'target="_blank"' in page.text
    assert ancestors(page) == ["'self'", world.places.ehr]
    window = requests.Session()
    assert window.get(url, timeout=10).url == f"{world.places.app}/chart"


def test_a_frame_that_keeps_the_cookie_goes_on_to_the_chart(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = requests.Session()
    browser.headers.update(FRAME)
    assert browser.get(opened(world, browser), timeout=10).url == f"{world.places.app}/chart"


def test_an_answer_in_a_frame_that_lost_its_cookie_offers_a_window_too(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    callback = callback_of(world, requests.Session())
    page = requests.get(callback, headers=FRAME, timeout=10)
    assert page.status_code == 403
    assert f'href="/chart/launch/{world.tenant_id}"' in page.text


def test_with_https_no_other_host_can_plant_our_cookies(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False, public_url="https://app.example")
    url = opened(world, requests.Session()).replace("http://127.0.0.1:9", world.places.app)
    answer = requests.get(
        f"{world.places.app}/launch?{urlsplit(url).query}", allow_redirects=False, timeout=10
    )
    cookie = SimpleCookie(answer.headers["Set-Cookie"].replace("Partitioned", ""))
    assert list(cookie) == ["__Host-hs_browser"]
    said = answer.headers["Set-Cookie"]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"):
        assert part in said
    assert "Domain" not in said
