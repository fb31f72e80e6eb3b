"""A patient's range-of-motion test over HTTP: sent, measured, told, delivered; twice is once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, inspect, select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.ehr import backend_client
from app.jobs.queue import sweep
from app.store import OutboxRow, RangeTestRow, Tenant
from tests.conftest import World
from tests.fhir.r4 import r4_issues
from tests.vision.figure import figure
from tests.vision.test_range_test import holds
from vision.series_files import write_npz

PATIENT = "samuel-brandt"
JOINT = "shoulder_abduction"


def arm_raises(folder: Path, *peaks: float) -> Path:
    path = folder / f"arms-{'-'.join(f'{peak:.0f}' for peak in peaks)}.npz"
    write_npz(figure({JOINT: holds(peaks, rest=10.0)}), path)
    return path


def sign_in(world: World) -> Browser:
    """The portal's patient, whom a clinician's launch has made known."""
    walk.launch_chart(world.places, PATIENT)
    return walk.sign_in_patient(world.places, world.tenant_id, PATIENT)


def page_of(browser: Browser, world: World, joint: str = JOINT) -> requests.Response:
    return browser.get(f"{world.places.app}/portal/range/{joint}")


def send(
    browser: Browser, page: requests.Response, paths: Sequence[Path], **fields: str
) -> requests.Response:
    """The page's form with `paths` in its file fields, as a browser without JavaScript sends it."""
    values = {"side": "left", **fields}
    files: Any = [("recording", (path.name, path.read_bytes())) for path in paths]
    return browser.submit(page, values, files)


def measured(browser: Browser, page: requests.Response) -> dict[str, Any]:
    url = f"{page.url}/status.json"
    status: dict[str, Any] = wait_for(
        "the result", lambda: (s := browser.get_json(url))["status"] != "received" and s, 60
    )
    return status


def rows(world: World) -> list[RangeTestRow]:
    with world.context.database.begin(world.tenant_id) as db:
        return list(db.scalars(select(RangeTestRow).order_by(RangeTestRow.measured_at)))


def observations(world: World) -> list[dict[str, Any]]:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    found = backend_client(world.context, tenant).search("Observation", {"patient": PATIENT})
    return [each for each in found if "Range of motion" in each["code"]["text"]]


def delivered(world: World) -> None:
    def waiting() -> int:
        with world.context.database.begin(world.tenant_id) as db:
            undelivered = OutboxRow.status != "delivered"
            return db.scalar(select(func.count()).select_from(OutboxRow).where(undelivered)) or 0

    wait_for("the outbox", lambda: waiting() == 0)


def test_the_joints_to_choose_are_those_a_camera_measures(world: World) -> None:
    patient = sign_in(world)
    today = patient.get(f"{world.places.app}/portal/today").text
    assert "/portal/range" in today
    text = patient.get(f"{world.places.app}/portal/range").text
    assert "/portal/range/knee_flexion" in text
    page = page_of(patient, world).text
    assert "Hold it there for 2 seconds." in page
    assert page.count('type="file"') == 3
    assert "Which side" in page
    assert "Which side" not in page_of(patient, world, "trunk_flexion").text


def test_an_unknown_joint_is_not_found(world: World) -> None:
    with pytest.raises(DemoFailed, match="404"):
        page_of(sign_in(world), world, "toe_flexion")


def test_a_test_is_measured_told_in_words_and_delivered(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    earlier = {"started_at": "2020-05-03T18:00:00+00:00"}
    first = send(patient, page_of(patient, world), [arm_raises(tmp_path, 90.0, 100.0)], **earlier)
    assert measured(patient, first)["status"] == "measured"
    assert "your first test" in patient.get(first.url).text
    second = send(patient, page_of(patient, world), [arm_raises(tmp_path, 120.0, 130.0, 125.0)])
    assert measured(patient, second)["status"] == "measured"
    text = patient.get(second.url).text
    assert "Your arm lifts to the side 30° more than on 3 May 2020" in text
    assert "more than measuring alone can explain" in text
    assert "of 3 tries" in text
    assert "Your tests so far" in text

    delivered(world)
    found = observations(world)
    assert len(found) == 2
    assert r4_issues(found) == []

    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    table = chart.split('id="range-title"')[1].split("</section>")[0]
    assert table.count("<tr>") == 2, "the heading and the newest test of the one joint"
    for shown in ("Shoulder abduction", "left", "+30° (certain)", "7.9°", "180°"):
        assert shown in table


def test_three_recordings_are_one_test_of_three_attempts(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    paths = [arm_raises(tmp_path, peak) for peak in (100.0, 110.0, 105.0)]
    page = send(patient, page_of(patient, world), paths)
    measured(patient, page)
    (row,) = rows(world)
    assert row.document is not None
    attempts = row.document["attempts_deg"]
    assert len(attempts) == 3
    assert row.document["best_deg"] == max(attempts) == attempts[1]


def test_a_test_sent_twice_is_one_test(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    path = arm_raises(tmp_path, 100.0)
    page = page_of(patient, world)
    urls = {send(patient, page, [path]).url for _ in range(2)}
    urls.add(send(patient, page_of(patient, world), [path]).url)  # the same file from a new page
    assert len(urls) == 1
    assert len(rows(world)) == 1
    measured(patient, send(patient, page, [path]))
    delivered(world)
    assert len(observations(world)) == 1


def test_one_test_id_cannot_stand_for_other_recordings_or_another_side(
    world: World, tmp_path: Path
) -> None:
    patient = sign_in(world)
    page = page_of(patient, world)
    send(patient, page, [arm_raises(tmp_path, 100.0)])
    with pytest.raises(DemoFailed, match="409"):
        send(patient, page, [arm_raises(tmp_path, 110.0)])
    with pytest.raises(DemoFailed, match="409"):
        send(patient, page, [arm_raises(tmp_path, 100.0)], side="right")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("notes.mp4", b"this is text", "not a video"),
        ("empty.mp4", b"", "empty"),
        ("broken.json", b"{", "not JSON"),
    ],
)
def test_a_bad_recording_is_explained_and_the_upload_kept(
    world: World, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    patient = sign_in(world)
    (tmp_path / name).write_bytes(content)
    page = send(patient, page_of(patient, world), [tmp_path / name])
    status = measured(patient, page)
    assert status["status"] == "refused"
    assert problem in status["problem"]
    assert "Try again" in patient.get(page.url).text
    (row,) = rows(world)
    assert (world.context.settings.recordings_dir / row.recordings[0]).read_bytes() == content
    assert observations(world) == []


def test_the_bad_one_of_three_is_named(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    (tmp_path / "notes.mp4").write_text("this is text")
    page = send(
        patient, page_of(patient, world), [arm_raises(tmp_path, 100.0), tmp_path / "notes.mp4"]
    )
    assert measured(patient, page)["problem"].startswith("Recording 2: ")


def test_a_view_from_the_wrong_side_is_refused_in_plain_words(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    page = send(patient, page_of(patient, world, "knee_flexion"), [arm_raises(tmp_path, 100.0)])
    assert "turn your side to the camera" in measured(patient, page)["problem"]


@pytest.mark.parametrize(
    ("files", "fields", "message"),
    [
        ([], {}, "choose a video"),
        (["a.exe"], {}, r"\.mp4"),
        (["a.npz"] * 4, {}, "3 videos at most"),
        (["a.npz"], {"side": ""}, "choose the side"),
        (["a.npz"], {"side": "up"}, "422"),
        (["a.npz"], {"test_id": "1"}, "UUID"),
        (["a.npz"], {"started_at": "2999-01-01T00:00:00Z"}, "future"),
        (["a.npz"], {"started_at": "soon"}, "ISO 8601"),
    ],
)
def test_what_cannot_be_a_test_is_refused_and_stores_nothing(
    make_world: Callable[..., World],
    tmp_path: Path,
    files: list[str],
    fields: dict[str, str],
    message: str,
) -> None:
    world = make_world(worker=False)
    patient = sign_in(world)
    for name in files:
        (tmp_path / name).write_bytes(b"MZ")
    page = page_of(patient, world)
    with pytest.raises(DemoFailed, match=message):
        send(patient, page, [tmp_path / name for name in files], **fields)
    assert rows(world) == []
    assert list(world.context.settings.recordings_dir.iterdir()) == []


def test_a_patient_never_sees_anothers_test(world: World, tmp_path: Path) -> None:
    patient = sign_in(world)
    page = send(patient, page_of(patient, world), [arm_raises(tmp_path, 100.0)])
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    for url in (page.url, f"{page.url}/status.json"):
        with pytest.raises(DemoFailed, match="404"):
            other.get(url)


def test_a_test_whose_task_was_lost_is_measured_by_the_sweep(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(worker=False)
    patient = sign_in(world)
    send(patient, page_of(patient, world), [arm_raises(tmp_path, 100.0)])
    sent: list[tuple[str, str]] = []

    class Noted:
        def deliver(self, tenant_id: str, patient_id: int) -> None: ...
        def score(self, tenant_id: str, session_id: str) -> None: ...
        def measure_range(self, tenant_id: str, test_id: str) -> None:
            sent.append((tenant_id, test_id))

    sweep(world.context, Noted())  # type: ignore[arg-type]
    assert sent == [], "its own task may still come"
    with world.context.database.begin(world.tenant_id) as db:
        db.scalars(select(RangeTestRow)).one().received_at -= timedelta(minutes=11)
    sweep(world.context, Noted())  # type: ignore[arg-type]
    assert sent == [(world.tenant_id, rows(world)[0].id)]


def test_a_migrated_database_has_the_tables_of_the_models(world: World) -> None:
    columns = inspect(world.context.database.engine).get_columns("range_test")
    assert {column["name"] for column in columns} == set(RangeTestRow.__table__.columns.keys())
