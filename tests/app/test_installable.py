"""The portal as an app on the device: manifest, icons, service worker, and the offline page."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from app.app_icons import UnknownShape, draw_icon
from app.demo import walk
from tests.app.test_service import PATIENT
from tests.conftest import World

SVG = Path(__file__).parents[2] / "app/web/icons/icon.svg"
GROUND_BGR = (0x7A, 0x5C, 0x0B)


def get(world: World, path: str, **options: object) -> requests.Response:
    return requests.get(world.places.app + path, timeout=10, **options)  # type: ignore[arg-type]


def test_the_manifest_has_what_browsers_ask_for_and_its_icons_are_there(world: World) -> None:
    answer = get(world, "/portal/manifest.webmanifest")
    manifest = answer.json()
    assert answer.headers["Content-Type"] == "application/manifest+json"
    assert (manifest["display"], manifest["scope"]) == ("standalone", "/portal")
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
    for icon in manifest["icons"]:
        picture = get(world, icon["src"])
        assert picture.headers["Content-Type"].split(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            decoded = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            assert f"{decoded.shape[1]}x{decoded.shape[0]}" == icon["sizes"]
    assert get(world, "/portal/icons/nothing.png").status_code == 404
    assert get(world, "/portal/icons/../index.html").status_code == 404
    page = get(world, "/portal").text
    assert '<link rel="manifest" href="/portal/manifest.webmanifest">' in page


def test_the_manifest_speaks_the_patients_language(world: World) -> None:
    manifest = get(world, "/portal/manifest.webmanifest", headers={"Accept-Language": "es"}).json()
    assert (manifest["lang"], manifest["description"]) == ("es", "Sus ejercicios en casa")


def test_the_app_opens_todays_exercises_or_where_one_signs_in(world: World) -> None:
    answer = get(world, "/portal/open", allow_redirects=False)
    assert answer.headers["Location"] == "/portal"
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    assert patient.get(f"{world.places.app}/portal/open").url.endswith("/portal/today")


def test_the_worker_is_for_all_of_the_portal_and_asked_for_anew_each_time(world: World) -> None:
    answer = get(world, "/portal/service-worker.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Service-Worker-Allowed"] == "/portal"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"^\s*(import|export)\b", answer.text, re.MULTILINE)


def test_the_worker_changes_when_the_offline_page_does_and_not_by_itself(world: World) -> None:
    first = get(world, "/portal/service-worker.js").text
    assert get(world, "/portal/service-worker.js").text == first
    loader = world.app.jinja_env.loader
    assert loader is not None
    words = loader.get_source(world.app.jinja_env, "portal/offline_words.html")[0]
    world.app.jinja_env.cache = None
    world.app.jinja_env.loader = _Changed(loader, words)
    assert get(world, "/portal/service-worker.js").text != first


class _Changed:
    """The templates, with other words on the offline page."""

    def __init__(self, loader: object, words: str) -> None:
        self._loader, self._words = loader, words

    def load(self, environment: object, name: str, globals_: object = None) -> object:
        if name == "portal/offline_words.html":
            return environment.from_string(self._words + "more")  # type: ignore[attr-defined]
        return self._loader.load(environment, name, globals_)  # type: ignore[attr-defined]


def test_the_offline_page_is_of_nobody_and_in_every_language(world: World) -> None:
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = patient.get(f"{world.places.app}/portal/offline").text
    assert "You are not online" in page
    assert "No tiene conexión" in page
    assert "Samuel" not in page
    assert "<script" not in page
    assert "Sign out" not in page
    assert "Your pages" not in page


def test_icons_are_drawn_as_the_svg_says(tmp_path: Path) -> None:
    draw_icon(SVG, tmp_path / "any.png", 192)
    draw_icon(SVG, tmp_path / "mask.png", 192, maskable=True)
    rounded = cv2.imread(str(tmp_path / "any.png"), cv2.IMREAD_UNCHANGED)
    full = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED)
    assert rounded is not None
    assert full is not None
    assert rounded.shape == full.shape == (192, 192, 4)
    assert rounded[0, 0, 3] == 0, "the corner is cut off"
    assert tuple(full[0, 0]) == (*GROUND_BGR, 255), "a mask may cut any corner: none is empty"
    head = rounded[round(236 / 512 * 192), 96]
    assert tuple(head[:3]) == (255, 255, 255)
    white = np.argwhere(full[:, :, :3].min(axis=2) > 200) - 95.5
    assert np.hypot(*white.T).max() <= 0.4 * 192, "all of it is in the safe circle"


def test_a_shape_that_it_does_not_know_is_not_left_out(tmp_path: Path) -> None:
    svg = tmp_path / "icon.svg"
    svg.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0"/></svg>'
    )
    with pytest.raises(UnknownShape, match="path"):
        draw_icon(svg, tmp_path / "x.png", 9)
