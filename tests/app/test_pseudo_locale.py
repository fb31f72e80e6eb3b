"""Every page of the portal, rendered by the running service in a made-up language.

In it each translated text stands between ⟦ and ⟧. What a page shows outside of them was not
marked for translation, wherever it comes from: template, Python, data or database. This sees what
the sources alone do not tell; `test_catalogue` reads the branches that no page here takes. Data
with texts of their own (exercises, joints, the camera check) are asked for in Spanish, so that
their English is found as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import flask_babel
import pytest
import requests
import yaml
from babel import Locale
from babel.support import NullTranslations

from app.demo import walk
from app.demo.browser import Browser, wait_for
from rtm import range_of_motion
from tests.app.portal_texts import BRAND, TextReader
from tests.app.test_range_tests import arm_raises, measured, page_of, send
from tests.app.test_service import SHOULDER, say_safe, series_file, upload
from tests.conftest import World

ROOT = Path(__file__).parent.parent.parent
# Her record at the sandbox EHR says Spanish.
PATIENT = "rosa-delgado"
MOST_PAGES = 150


class Pseudo(NullTranslations):
    """Marks what goes through gettext."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, singular: str, plural: str, num: int) -> str:
        return f"⟦{singular if num == 1 else plural}⟧"

    ugettext, ungettext = gettext, ngettext


@pytest.fixture
def pseudo_world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(flask_babel.Domain, "get_translations", lambda domain: Pseudo())
    return world


def data_texts() -> list[str]:
    """What the data say in Spanish, and how Babel writes days and months; longest first."""
    texts: set[str] = set()
    for folder in ("rtm", "vision"):
        for file in (ROOT / folder).rglob("*.yaml"):
            texts.update(in_spanish(yaml.safe_load(file.read_text("utf-8"))))
    for words in range_of_motion._WORDS["es"].values():
        texts |= {part.strip() for part in re.split(r"\{\w+\}", words) if part.strip()}
    spanish = Locale("es", "US")
    for names in (spanish.months["format"], spanish.days["format"]):
        texts |= {*names["wide"].values(), *names["abbreviated"].values(), "de"}
    texts |= {
        *spanish.months["stand-alone"]["wide"].values(),
        *spanish.day_periods["format"]["abbreviated"].values(),
    }
    return sorted({*texts, *map(str.capitalize, texts)}, key=len, reverse=True)


def in_spanish(value: Any) -> Iterator[str]:
    """Every text under a key `es`, however deep."""
    if isinstance(value, list):
        for each in value:
            yield from in_spanish(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "es":
                yield from [each] if isinstance(each, str) else each
            else:
                yield from in_spanish(each)


def unmarked(text: str, allowed: re.Pattern[str]) -> str | None:
    """What of `text` stands outside of ⟦ and ⟧ and comes from no data; None if nothing."""
    outside, depth = [], 0
    for letter in text:
        depth += letter == "⟦"
        outside.append(" " if depth else letter)
        depth -= letter == "⟧"
    left = allowed.sub(" ", "".join(outside)).replace(BRAND, " ")
    return text if re.search(r"[^\W\d_]{2,}", left) else None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)


def crawled(browser: Browser, world: World) -> Iterator[requests.Response]:
    """Every page that a signed-in patient reaches by links."""
    waiting, seen = [f"{world.places.app}/portal", f"{world.places.app}/portal/today"], set[str]()
    while waiting and len(seen) < MOST_PAGES:
        url = waiting.pop(0)
        path = urlsplit(url).path
        if url in seen or not path.startswith("/portal") or path.startswith("/portal/launch"):
            continue
        seen.add(url)
        page = browser.get(url)
        if page.headers["Content-Type"].startswith("text/html"):
            yield page
            links = _Links()
            links.feed(page.text)
            waiting += [urljoin(url, href).split("#")[0] for href in links.found]


def findings(page: requests.Response, allowed: re.Pattern[str]) -> list[str]:
    reader = TextReader()
    reader.feed(page.text)
    where = urlsplit(page.url).path
    return [f"{where}: {text}" for text in reader.texts if unmarked(text, allowed)]


@pytest.fixture
def patient(pseudo_world: World, tmp_path: Path) -> Browser:
    """Rosa with a program, sessions of each outcome and tests of each outcome."""
    world = pseudo_world
    chart = walk.launch_chart(world.places, PATIENT)
    chart.submit(chart.get(f"{world.places.app}/chart/prescribe/{'/'.join(SHOULDER)}"), {})
    say_safe(world, PATIENT)
    browser = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    for recording in (series_file(tmp_path), broken(tmp_path)):
        page = upload(browser, world, recording)
        wait_for("the result", lambda page=page: _concluded(browser, page), 60)  # type: ignore[misc]
    exercise = browser.get(f"{world.places.app}/portal/exercises/shoulder_abduction")
    told = {"pain_before": "4", "pain_after": "3", "repetitions": "8", "minutes": "5"}
    browser.submit(exercise, told)
    earlier = {"started_at": "2020-05-03T18:00:00+00:00"}
    for recording, fields in (
        (arm_raises(tmp_path, 90.0, 100.0), earlier),
        (arm_raises(tmp_path, 120.0, 130.0), {}),
        (broken(tmp_path), {}),
    ):
        measured(browser, send(browser, page_of(browser, world), [recording], **fields))
    return browser


def _concluded(browser: Browser, page: requests.Response) -> bool:
    return bool(browser.get_json(f"{page.url}/status.json")["status"] != "received")


def broken(folder: Path) -> Path:
    path = folder / "broken.mp4"
    path.write_bytes(b"not a video")
    return path


def test_no_page_of_the_portal_shows_an_unmarked_text(
    pseudo_world: World, patient: Browser
) -> None:
    letter = r"[^\W\d_]"
    allowed = re.compile(
        "|".join(rf"(?<!{letter}){re.escape(t)}(?!{letter})" for t in data_texts()), re.I
    )
    pages = list(crawled(patient, pseudo_world))
    kinds = {re.sub(r"[0-9a-f-]{36}", "ID", urlsplit(page.url).path) for page in pages}
    assert kinds >= {
        "/portal",
        "/portal/today",
        "/portal/exercises/shoulder_abduction",
        "/portal/exercises/shoulder_abduction/live",
        "/portal/sessions/ID",
        "/portal/range",
        "/portal/range/shoulder_abduction",
        "/portal/range/tests/ID",
    }
    found = [text for page in pages for text in findings(page, allowed)]
    assert not found, "not marked for translation:\n" + "\n".join(sorted(set(found)))


@pytest.mark.parametrize(
    ("pain", "file"), [({}, None), ({"pain_before": "1", "pain_after": "1"}, "notes.txt")]
)
def test_what_a_form_refuses_is_marked_too(
    pseudo_world: World, patient: Browser, pain: dict[str, str], file: str | None
) -> None:
    page = patient.get(f"{pseudo_world.places.app}/portal/exercises/shoulder_abduction")
    hidden = re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', page.text)
    answer = patient._http.post(
        f"{page.url}/sessions",
        data={**dict(hidden), **pain},
        files={"recording": (file, b"x")} if file else None,
        headers={"Accept": "text/html"},
        timeout=10,
    )
    assert answer.status_code == 422
    endings = re.compile(r"\.(csv|json|mov|mp4|npz|webm|m4v|avi|mkv)")
    assert findings(answer, endings) == []


@pytest.mark.parametrize("path", ["nowhere", "exercises/squat", "sessions/none", "range/toe"])
def test_what_is_not_there_is_marked_too(pseudo_world: World, path: str) -> None:
    world = pseudo_world
    walk.launch_chart(world.places, PATIENT)
    browser = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    url = f"{world.places.app}/portal/{path}"
    answer = browser._http.get(url, headers={"Accept": "text/html"}, timeout=10)
    assert answer.status_code == 404
    assert findings(answer, re.compile(r"$^")) == []


def test_unmarked_text_is_seen() -> None:
    allowed = re.compile("Sentadilla")
    assert unmarked("⟦Hello, Rosa⟧ ⟦You need: ⟦a chair⟧.⟧ 3 × 10° Sentadilla", allowed) is None
    assert unmarked("⟦Hello⟧ there", allowed) == "⟦Hello⟧ there"
