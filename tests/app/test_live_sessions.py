"""A session measured on the device: its pieces, kept once, put together only when whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.live_sessions import MOST_PIECE_BYTES
from app.sessions import stored_session
from app.store import SessionRow
from tests.app.test_service import PATIENT, count, one, result_of, sign_program
from tests.conftest import World
from tests.vision.figure import cycles, figure
from vision.landmarks import LandmarkSeries
from vision.series_files import write_json

SERIES = figure({"shoulder_abduction": cycles([140.0] * 4, rest=10.0)}, noise_m=0.003)


def pieces_of(series: LandmarkSeries, folder: Path, frames: int = 90) -> list[bytes]:
    pieces = []
    for first in range(0, series.frame_count, frames):
        span = slice(first, first + frames)
        path = folder / "piece.json"
        part = LandmarkSeries(
            series.t_s[span],
            series.image[span],
            series.world[span],
            series.visibility[span],
            series.width,
            series.height,
        )
        write_json(part, path)
        pieces.append(gzip.compress(path.read_bytes()))
    return pieces


@pytest.fixture
def patient(world: World) -> Browser:
    sign_program(world)
    return walk.sign_in_patient(world.places, world.tenant_id, PATIENT)


class Device:
    """The patient's browser with the page of a session."""

    def __init__(self, world: World, browser: Browser) -> None:
        self.base, self.browser = f"{world.places.app}/portal", browser
        page = browser.get(f"{self.base}/exercises/shoulder_abduction/live")
        self.token = page.text.split('name="csrf-token" content="')[1].split('"')[0]
        self.page = page
        self.session_id = str(uuid4())

    def put(self, number: int, content: bytes, session_id: str = "") -> requests.Response:
        url = f"{self.base}/live/{session_id or self.session_id}/pieces/{number}"
        return self.browser.send("PUT", url, content, self.token)

    def finish(self, pieces: int, **changes: object) -> requests.Response:
        report = {
            "exercise_id": "shoulder_abduction",
            "started_at": "2026-01-05T10:00:00Z",
            "pain_before": 4,
            "pain_after": 2,
            "counted": 4,
            "pieces": pieces,
            **changes,
        }
        url = f"{self.base}/live/{self.session_id}/finish"
        return self.browser.send("POST", url, json.dumps(report).encode(), self.token)


@pytest.fixture
def device(world: World, patient: Browser) -> Device:
    return Device(world, patient)


def test_pieces_in_any_order_and_twice_are_one_scored_session(
    world: World, patient: Browser, device: Device, tmp_path: Path
) -> None:
    pieces = pieces_of(SERIES, tmp_path)
    assert len(pieces) > 2
    for number in (*reversed(range(len(pieces))), 0, 1):
        assert device.put(number, pieces[number]).status_code == 200
    for _ in range(2):
        answer = device.finish(len(pieces))
        assert answer.status_code == 202
    page = patient.get(f"{world.places.app}{answer.json()['result']}")
    assert result_of(patient, page)["status"] == "scored"
    assert count(world, SessionRow) == 1
    row = one(world, SessionRow)
    session = stored_session(row)  # type: ignore[arg-type]
    assert session is not None
    assert session.repetition_count == 4
    assert session.duration_s == pytest.approx(SERIES.duration_s, abs=0.01)
    assert list((world.context.settings.recordings_dir / "live").iterdir()) == []
    assert "Your device counted" not in patient.get(page.url).text


def test_finishing_parses_no_piece_a_second_time(
    world: World, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At two hours of pieces that alone took longer than a browser waits for an answer."""
    pieces = pieces_of(SERIES, tmp_path)
    for number, piece in enumerate(pieces):
        assert device.put(number, piece).status_code == 200
    monkeypatch.setattr("app.live_sessions._series", None)
    assert device.finish(len(pieces)).status_code == 202


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"PK\x03\x04damaged")]
)
def test_pieces_are_parsed_anew_where_the_parsed_ones_are_lost(
    world: World, device: Device, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """As those that came before an upgrade. The recording is the same to the byte, and so known."""
    pieces = pieces_of(SERIES, tmp_path)
    for spoilt in (False, True):
        device.session_id = str(uuid4())
        for number, piece in enumerate(pieces):
            device.put(number, piece)
        kept = sorted((world.context.settings.recordings_dir / "live").glob("*/*.npz"))
        assert len(kept) == len(pieces)
        for path in kept if spoilt else ():
            spoil(path)
        assert device.finish(len(pieces)).status_code == 202
    assert count(world, SessionRow) == 1


def test_the_servers_count_replaces_the_devices_and_the_page_says_so(
    world: World, patient: Browser, device: Device, tmp_path: Path
) -> None:
    for number, piece in enumerate(pieces_of(SERIES, tmp_path, 1000)):
        device.put(number, piece)
    page = patient.get(f"{world.places.app}{device.finish(1, counted=6).json()['result']}")
    result_of(patient, page)
    text = patient.get(page.url).text
    assert "Your device counted 6 as you went." in text
    assert "counted 4. That is the number we keep." in text


def test_what_has_not_come_is_named_and_nothing_is_lost(device: Device, tmp_path: Path) -> None:
    pieces = pieces_of(SERIES, tmp_path)
    device.put(1, pieces[1])
    answer = device.finish(len(pieces))
    assert answer.status_code == 409
    assert answer.json()["missing"] == [n for n in range(len(pieces)) if n != 1]
    for number in answer.json()["missing"]:
        device.put(number, pieces[number])
    assert device.finish(len(pieces)).status_code == 202


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no gzip", "not compressed by gzip"),
        (gzip.compress(b"{}")[:10] + b"\xff" * 20, "not compressed by gzip"),
        (gzip.compress(b"no json"), "not JSON"),
        (gzip.compress(b"{}"), "lacks"),
        (gzip.compress(b" " * 9_000_000), "too large when unpacked"),
        (b"\x1f\x8b" + b"0" * MOST_PIECE_BYTES, "may have"),
    ],
    ids=["not gzip", "damaged", "not JSON", "not a series", "a bomb", "too large"],
)
def test_what_is_no_piece_is_refused(device: Device, content: bytes, why: str) -> None:
    answer = device.put(0, content)
    assert answer.status_code == 422
    assert why in answer.json()["error"]


def test_another_piece_under_a_number_is_refused(device: Device, tmp_path: Path) -> None:
    first, second = pieces_of(SERIES, tmp_path)[:2]
    assert device.put(0, first).status_code == 200
    assert device.put(0, second).status_code == 409
    assert device.put(5000, first).status_code == 422


@pytest.mark.parametrize("session_id", ["..", "x", "%2e%2e%2fother", "A" * 36])
def test_an_id_that_could_lead_elsewhere_is_refused(
    world: World, device: Device, session_id: str, tmp_path: Path
) -> None:
    answer = device.put(0, pieces_of(SERIES, tmp_path)[0], session_id)
    assert answer.status_code in (404, 405, 422)
    assert not list(world.context.settings.recordings_dir.rglob("*.gz"))


@pytest.mark.parametrize(
    "changes",
    [
        {"pain_before": 11},
        {"pain_after": None},
        {"exercise_id": "no_such"},
        {"started_at": "yesterday"},
        {"pieces": 0},
        {"counted": "many"},
        {"counted": float("inf")},
    ],
)
def test_a_report_that_is_not_whole_is_refused(
    device: Device, tmp_path: Path, changes: dict[str, object]
) -> None:
    device.put(0, pieces_of(SERIES, tmp_path, 1000)[0])
    assert device.finish(**{"pieces": 1, **changes}).status_code == 422  # type: ignore[arg-type]


def test_pieces_of_another_picture_do_not_fit(device: Device, tmp_path: Path) -> None:
    pieces = pieces_of(SERIES, tmp_path)
    document = json.loads(gzip.decompress(pieces[1]))
    device.put(0, pieces[0])
    device.put(1, gzip.compress(json.dumps({**document, "width": 99}).encode()))
    answer = device.finish(2)
    assert answer.status_code == 422
    assert "size of the picture changed" in answer.json()["error"]


def test_one_patients_pieces_are_not_anothers(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world()
    sign_program(world)
    mine = Device(world, walk.sign_in_patient(world.places, world.tenant_id, PATIENT))
    walk.launch_chart(world.places, "rosa-delgado")
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    mine.put(0, pieces_of(SERIES, tmp_path, 1000)[0])
    theirs = Device.__new__(Device)
    theirs.base, theirs.browser, theirs.session_id = mine.base, other, mine.session_id
    page = other.get(f"{mine.base}/today")
    theirs.token = page.text.split('name="csrf-token" content="')[1].split('"')[0]
    assert theirs.finish(1).json() == {"missing": [0]}


def test_only_the_coachs_page_may_compile_and_use_the_camera(
    world: World, patient: Browser, device: Device
) -> None:
    policy = device.page.headers["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert device.page.headers["Permissions-Policy"] == "camera=(self)"
    other = patient.get(f"{world.places.app}/portal/today")
    assert "wasm-unsafe-eval" not in other.headers["Content-Security-Policy"]


def test_an_exercise_that_the_camera_can_not_measure_has_no_coach(
    world: World, patient: Browser
) -> None:
    with pytest.raises(DemoFailed, match="404"):
        patient.get(f"{world.places.app}/portal/exercises/pendulum/live")
