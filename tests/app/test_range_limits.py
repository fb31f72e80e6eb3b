"""A limit in the signed program: what the coach asks for, what is read, how it is scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from app.demo import walk
from app.jobs.score import score_session
from app.sessions import stored_session
from app.store import SessionRow
from tests.app.test_service import PATIENT, one, open_program, say_safe, upload
from tests.conftest import World
from tests.vision.figure import cycles, figure
from vision.series_files import write_npz

LIMIT_DEG = 90


def test_whoever_keeps_to_the_limit_has_done_all_that_was_asked(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(worker=False)
    clinician, page = open_program(world)
    assert 'name="lines-1-exercise_id" type="hidden" value="shoulder_abduction"' in page.text
    clinician.submit(page, {"lines-1-limit_deg": str(LIMIT_DEG)})
    say_safe(world)

    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    assert "no further than 90°" in patient.get(f"{world.places.app}/portal/today").text
    live = patient.get(f"{world.places.app}/portal/exercises/shoulder_abduction/live").text
    coach = json.loads(live.split("data-live>")[1].split(">", 1)[1].split("</script>")[0])
    assert coach["exercise"]["angle"]["targetDeg"] == LIMIT_DEG

    path = tmp_path / "session.npz"
    movement = {"shoulder_abduction": cycles([float(LIMIT_DEG)] * 3, rest=10.0)}
    write_npz(figure(movement, noise_m=0.003), path)
    upload(patient, world, path)
    row = one(world, SessionRow)
    assert isinstance(row, SessionRow)
    score_session(world.context, world.tenant_id, row.id)
    row = one(world, SessionRow)
    assert isinstance(row, SessionRow)
    session = stored_session(row)
    assert session is not None
    assert session.result is not None
    assert session.repetition_count == 3
    assert session.result.score.range is not None
    assert session.result.score.range >= 95
