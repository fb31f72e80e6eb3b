"""A session to look at again: the landmarks that were kept, for that patient's clinician alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.clinician.replay import frames_document
from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.jobs.score import score_session
from app.store import SessionRow
from tests.app.test_service import PATIENT, one, series_file, sign_program, upload
from tests.conftest import World
from vision.series_files import read_series


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    world = make_world(worker=False)
    sign_program(world)
    return world


def session_of(world: World) -> SessionRow:
    row = one(world, SessionRow)
    assert isinstance(row, SessionRow)
    return row


def measured(world: World, folder: Path) -> str:
    """The id of a session of three repetitions."""
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    upload(patient, world, series_file(folder))
    session_id = session_of(world).id
    score_session(world.context, world.tenant_id, session_id)
    return session_id


def page_url(world: World, session_id: str) -> str:
    return f"{world.places.app}/chart/sessions/{session_id}"


def test_the_chart_leads_to_each_session_and_its_landmarks(quiet: World, tmp_path: Path) -> None:
    session_id = measured(quiet, tmp_path)
    clinician = walk.launch_chart(quiet.places, PATIENT)
    assert f"/chart/sessions/{session_id}" in clinician.get(f"{quiet.places.app}/chart").text
    page = clinician.get(page_url(quiet, session_id)).text
    assert page.count("data-replay-to=") == 3
    found = clinician.get_json(f"{page_url(quiet, session_id)}/frames.json")
    assert len(found["tS"]) == len(found["points"])
    assert {len(frame) for frame in found["points"]} == {2 * len(found["landmarks"])}


def test_another_patients_chart_does_not_show_it(quiet: World, tmp_path: Path) -> None:
    session_id = measured(quiet, tmp_path)
    elsewhere = walk.launch_chart(quiet.places, "ada-okafor")
    for address in (page_url(quiet, session_id), f"{page_url(quiet, session_id)}/frames.json"):
        with pytest.raises(DemoFailed, match="404"):
            elsewhere.get(address)
    with pytest.raises(DemoFailed, match="401"):
        Browser().get(page_url(quiet, session_id))


def test_a_session_whose_landmarks_are_gone_says_so(quiet: World, tmp_path: Path) -> None:
    session_id = measured(quiet, tmp_path)
    recording = session_of(quiet).recording
    assert recording is not None
    (quiet.context.settings.recordings_dir / recording).unlink()
    clinician = walk.launch_chart(quiet.places, PATIENT)
    with pytest.raises(DemoFailed, match=r"404.*can't be read"):
        clinician.get(f"{page_url(quiet, session_id)}/frames.json")


def test_frames_are_thinned_and_what_was_not_seen_is_left_out(tmp_path: Path) -> None:
    series = read_series(series_file(tmp_path))
    series.visibility[0, 11] = 0.0
    found = frames_document(series)
    assert found["points"][0][:2] == [None, None]
    assert found["points"][1][0] is not None
    steps = np.diff(found["tS"])
    assert steps.min() > 0.06
    assert found["tS"][-1] >= series.t_s[-1] - 0.07
