"""The running service over HTTP: what a user may do, do twice, or do wrong."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
import requests
from sqlalchemy import func, select

from app.billing_office.export import ExportRefused, export_month
from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.demo.history import STORIES, answer_no, history_month, write_history
from app.ehr import backend_client
from app.jobs.deliver import deliver_due
from app.sessions import stored_session
from app.store import (
    ClaimLineRow,
    LedgerFactRow,
    OutboxRow,
    PatientRow,
    ProgramRow,
    SessionRow,
    Tenant,
)
from rtm.exercises import load_library
from tests.billing.x12_validators import x12_errors
from tests.conftest import World
from tests.fhir.r4 import r4_issues
from tests.vision.figure import cycles, figure
from vision.coach import cues
from vision.series_files import write_npz

PATIENT = "samuel-brandt"
SHOULDER = ("shoulder_pain", "motion_strength")
ELBOW_FLEXION = Path(__file__).parent.parent / "vision/data/elbow_flexion.npz"


def count(world: World, row: type, *where: object) -> int:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalar(select(func.count()).select_from(row).where(*where)) or 0  # type: ignore[arg-type]


def one(world: World, row: type, *where: object) -> object:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(row).where(*where)).one()  # type: ignore[arg-type]


def open_program(world: World) -> tuple[Browser, requests.Response]:
    """The therapist launches the patient's chart and opens the shoulder program to sign."""
    browser = walk.launch_chart(world.places, PATIENT)
    return browser, browser.get(f"{world.places.app}/chart/prescribe/{'/'.join(SHOULDER)}")


def sign_program(world: World, *, screened: bool = True) -> Browser:
    """The therapist signs the shoulder program; the patient's safety answers are all no."""
    browser, page = open_program(world)
    browser.submit(page, {})
    if screened:
        say_safe(world)
    return browser


def say_safe(world: World, patient: str = PATIENT) -> None:
    """The patient answers each safety question of the program with no."""
    row = one(world, PatientRow, PatientRow.fhir_id == patient)
    answer_no(world.context, row.id, screen_id=str(uuid4()))  # type: ignore[attr-defined]


def series_file(folder: Path, repetitions: int = 3) -> Path:
    series = figure({"shoulder_abduction": cycles([140.0] * repetitions, rest=10.0)}, noise_m=0.003)
    path = folder / f"session{repetitions}.npz"
    write_npz(series, path)
    return path


def upload(
    browser: Browser, world: World, path: Path, exercise: str = "shoulder_abduction", **fields: str
) -> requests.Response:
    page = browser.get(f"{world.places.app}/portal/exercises/{exercise}")
    with path.open("rb") as stream:
        return browser.submit(
            page,
            {"pain_before": "4", "pain_after": "3", **fields},
            {"recording": (path.name, stream)},
        )


def result_of(browser: Browser, page: requests.Response) -> dict[str, str]:
    url = f"{page.url}/status.json"
    status: dict[str, str] = wait_for(
        "the result", lambda: (s := browser.get_json(url))["status"] != "received" and s, 60
    )
    return status


# Launching ---------------------------------------------------------------------------------------


def test_a_launch_opens_the_patients_chart(world: World) -> None:
    browser = walk.launch_chart(world.places, PATIENT)
    page = browser.get(f"{world.places.app}/chart")
    assert "Samuel Brandt" in page.text
    assert "1955-05-05" in page.text


def test_an_unknown_iss_is_refused_before_anything_is_fetched(world: World) -> None:
    answer = requests.get(
        f"{world.places.app}/launch",
        params={"iss": "http://169.254.169.254/latest", "launch": "x"},
        timeout=10,
    )
    assert answer.status_code == 403
    assert "not registered" in answer.text


def _answer_of_the_ehr(world: World, browser: requests.Session) -> str:
    """Launches up to the EHR's answer, and returns the callback URL unvisited."""
    url = f"{world.places.ehr}/launch"
    form = {"patient": PATIENT, "practitioner": walk.THERAPIST}
    step = browser.post(url, data=form, allow_redirects=False, timeout=10)
    for _ in range(2):
        step = browser.get(step.headers["Location"], allow_redirects=False, timeout=10)
    callback = step.headers["Location"]
    assert "/launch/callback" in callback
    return callback


def test_a_replayed_state_is_refused(world: World) -> None:
    browser = requests.Session()
    callback = _answer_of_the_ehr(world, browser)
    assert browser.get(callback, timeout=10).status_code == 200
    again = browser.get(callback, timeout=10)
    assert again.status_code == 403
    assert "already used" in again.text


def test_a_launch_begun_in_another_browser_is_refused(world: World) -> None:
    callback = _answer_of_the_ehr(world, requests.Session())
    victim = requests.get(callback, timeout=10)
    assert victim.status_code == 403
    assert "another browser" in victim.text


def test_a_launch_that_took_too_long_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    browser = requests.Session()
    callback = _answer_of_the_ehr(world, browser)
    later = replace(world.context, now=lambda: world.context.now() + timedelta(minutes=11))
    world.app.extensions["homestretch"] = later
    assert browser.get(callback, timeout=10).status_code == 403


def test_pages_without_a_sign_in_say_how_to_get_one(world: World) -> None:
    for path in ("/chart", "/portal/today", "/office/month/2026-10"):
        answer = requests.get(world.places.app + path, timeout=10)
        assert answer.status_code == 401
        assert "not signed in" in answer.text


def test_each_audience_is_kept_to_its_own_pages(world: World) -> None:
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    with pytest.raises(DemoFailed, match="401"):
        patient.get(f"{world.places.app}/chart")


def test_a_practitioner_who_is_not_billing_staff_gets_no_office(world: World) -> None:
    browser = Browser()
    page = browser.get(f"{world.places.app}/office/launch/{world.tenant_id}")
    with pytest.raises(DemoFailed, match="not registered for the billing office"):
        browser.submit(page, {"person": walk.THERAPIST, "pin": walk.PIN})


def test_every_page_carries_its_protections(world: World) -> None:
    headers = requests.get(f"{world.places.app}/portal", timeout=10).headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


# Prescribing -------------------------------------------------------------------------------------


def test_a_signed_program_reaches_the_ehr_and_is_read_back(world: World) -> None:
    browser = sign_program(world)
    url = f"{world.places.app}/chart/program.json"
    status = wait_for("the plan", lambda: (s := browser.get_json(url))["read_back_at"] and s)
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    plan = backend_client(world.context, tenant).read(str(status["careplan"]))
    assert plan["subject"]["reference"] == f"Patient/{PATIENT}"
    assert r4_issues([plan]) == []


def test_a_double_click_on_sign_is_one_program(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    browser, page = open_program(world)
    clicks = [threading.Thread(target=browser.submit, args=(page, {})) for _ in range(4)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert count(world, ProgramRow) == 1
    assert count(world, OutboxRow) == 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lines-0-sets", "99", "between 1 and 10"),
        ("lines-0-repetitions", "many", "Not a valid integer"),
        ("lines-0-exercise_id", "moonwalk", "no exercise called .*moonwalk"),
        ("lines-2-side", "bilateral", "choose left or right"),
        ("lines-0-weekdays", "someday", "Choose the days"),
        ("lines-0-exercise_id", "shoulder_abduction", "In the program twice"),
        ("start", "soon", "Not a valid date"),
    ],
)
def test_a_wrong_dose_is_answered_with_the_field_and_stores_nothing(
    make_world: Callable[..., World], field: str, value: str, message: str
) -> None:
    world = make_world(worker=False)
    browser, page = open_program(world)
    with pytest.raises(DemoFailed, match=message):
        browser.submit(page, {field: value})
    assert count(world, ProgramRow) == 0


def test_a_form_without_its_token_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    browser = walk.launch_chart(world.places, PATIENT)
    with pytest.raises(DemoFailed, match="400"):
        browser.post(f"{world.places.app}/chart/time", {"minutes": "5"})


# Delivery ----------------------------------------------------------------------------------------


def test_an_ehr_that_fails_and_recovers_gets_the_program_once(world: World) -> None:
    browser, page = open_program(world)
    world.fail_ehr(500, 4)
    browser.submit(page, {})
    url = f"{world.places.app}/chart/program.json"
    wait_for("the plan", lambda: browser.get_json(url)["careplan"], 60)
    message = one(world, OutboxRow)
    assert message.status == "delivered"  # type: ignore[attr-defined]
    assert message.attempts > 1  # type: ignore[attr-defined]
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    plans = list(backend_client(world.context, tenant).search("CarePlan", {"patient": PATIENT}))
    assert len(plans) == 1


def test_delivering_again_changes_nothing_at_the_ehr(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    sign_program(world)
    message = one(world, OutboxRow)
    patient_id = message.patient_id  # type: ignore[attr-defined]
    deliver_due(world.context, world.tenant_id, patient_id)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(OutboxRow)).one()
        assert row.status == "delivered"
        row.status = "pending"  # as if the worker had died before noting the answer
    deliver_due(world.context, world.tenant_id, patient_id)
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    client = backend_client(world.context, tenant)
    assert len(list(client.search("CarePlan", {"patient": PATIENT}))) == 1


def test_what_others_wrote_into_the_plan_survives_the_next_version(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    sign_program(world)
    patient_id = one(world, OutboxRow).patient_id  # type: ignore[attr-defined]
    deliver_due(world.context, world.tenant_id, patient_id)
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    client = backend_client(world.context, tenant)
    (plan,) = client.search("CarePlan", {"patient": PATIENT})
    note = {"text": "Discussed with the family."}
    pathway = {"url": "https://ehr.example/pathway", "valueDecimal": 1.5}
    client.change(
        f"CarePlan/{plan['id']}",
        lambda found: {**found, "note": [note], "extension": [*found["extension"], pathway]},
    )
    browser, page = open_program(world)
    browser.submit(page, {"lines-0-sets": "5"})
    deliver_due(world.context, world.tenant_id, patient_id)
    (again,) = client.search("CarePlan", {"patient": PATIENT})
    assert again["id"] == plan["id"]
    assert again["note"] == [note]
    assert pathway in again["extension"]
    assert count(world, ProgramRow, ProgramRow.read_back_at.is_not(None)) == 2
    assert count(world, OutboxRow, OutboxRow.status == "delivered") == 2


def test_a_message_that_the_ehr_rejects_waits_for_a_person(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    sign_program(world)
    world.fail_ehr(422, 1)
    message = one(world, OutboxRow)
    deliver_due(world.context, world.tenant_id, message.patient_id)  # type: ignore[attr-defined]
    stuck = one(world, OutboxRow)
    assert stuck.status == "stuck"  # type: ignore[attr-defined]
    assert "on purpose" in stuck.last_error  # type: ignore[attr-defined]


# Sessions ----------------------------------------------------------------------------------------


def test_a_session_is_scored_sent_to_the_ehr_and_counted(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, series_file(tmp_path))
    assert result_of(patient, page)["status"] == "scored"
    wait_for("the outbox", lambda: count(world, OutboxRow, OutboxRow.status != "delivered") == 0)
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    program = one(world, ProgramRow)
    found = list(
        backend_client(world.context, tenant).search(
            "Observation",
            {"based-on": program.careplan_reference},  # type: ignore[attr-defined]
        )
    )
    assert len(found) == 4
    assert r4_issues(found) == []
    shown = patient.get(page.url).text
    assert "data-angle-plot" in shown
    assert ">3<" in shown.replace("\n", "")


def test_the_patient_is_told_what_to_mind_next_time(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, ELBOW_FLEXION, "elbow_flexion")
    assert result_of(patient, page)["status"] == "scored"
    result = stored_session(one(world, SessionRow)).result  # type: ignore[union-attr,arg-type]
    assert result is not None
    told = cues(result, load_library()["elbow_flexion"], "en")
    shown = patient.get(page.url).text
    assert told
    assert all(f"<li>{cue}</li>" in shown for cue in told)


def test_a_session_sent_twice_is_one_session(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    path = series_file(tmp_path)
    page = patient.get(f"{world.places.app}/portal/exercises/shoulder_abduction")
    fields = {"pain_before": "4", "pain_after": "3"}
    urls = set()
    for _ in range(2):
        with path.open("rb") as stream:
            urls.add(patient.submit(page, fields, {"recording": (path.name, stream)}).url)
    urls.add(upload(patient, world, path).url)  # the same file from a new page
    assert len(urls) == 1
    assert count(world, SessionRow) == 1


def test_one_session_id_cannot_stand_for_two_recordings(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = patient.get(f"{world.places.app}/portal/exercises/shoulder_abduction")
    fields = {"pain_before": "4", "pain_after": "3"}
    with series_file(tmp_path, 3).open("rb") as stream:
        patient.submit(page, fields, {"recording": ("a.npz", stream)})
    with (
        series_file(tmp_path, 2).open("rb") as stream,
        pytest.raises(DemoFailed, match="409"),
    ):
        patient.submit(page, fields, {"recording": ("b.npz", stream)})


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("notes.mp4", b"this is text", "not a video"),
        ("empty.mp4", b"", "empty"),
        ("cut.mp4", walk.CLIP.read_bytes()[:4000], "not a video"),
        ("broken.json", b"{", "not JSON"),
    ],
)
def test_a_bad_recording_is_explained_and_the_upload_kept(
    world: World, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    (tmp_path / name).write_bytes(content)
    page = upload(patient, world, tmp_path / name)
    status = result_of(patient, page)
    assert status["status"] == "refused"
    assert problem in status["problem"]
    row = one(world, SessionRow)
    assert (world.context.settings.recordings_dir / row.recording).exists()  # type: ignore[attr-defined]


def test_a_file_of_another_kind_is_refused_at_once(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    (tmp_path / "virus.exe").write_bytes(b"MZ")
    with pytest.raises(DemoFailed, match=r"\.mp4"):
        upload(patient, world, tmp_path / "virus.exe")


def test_an_exercise_outside_the_program_is_not_accepted(world: World) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    for exercise in ("squat", "moonwalk"):
        with pytest.raises(DemoFailed, match="not in your program"):
            patient.get(f"{world.places.app}/portal/exercises/{exercise}")


def test_two_gigabytes_are_refused_before_they_are_read(world: World) -> None:
    connection = http.client.HTTPConnection(urlsplit(world.places.app).netloc, timeout=20)
    connection.putrequest("POST", "/portal/exercises/shoulder_abduction/sessions")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(2 * 1024**3))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"too large" in answer.read()


def test_pain_is_asked_and_must_lie_on_the_scale(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    with pytest.raises(DemoFailed, match="422"):
        upload(patient, world, series_file(tmp_path), pain_before="11")


def test_a_patient_never_sees_anothers_session(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, series_file(tmp_path))
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    with pytest.raises(DemoFailed, match="404"):
        other.get(page.url)
    with pytest.raises(DemoFailed, match="404"):
        other.get(f"{page.url}/status.json")


# Time and money ----------------------------------------------------------------------------------


def start_monitoring(world: World) -> Browser:
    browser = sign_program(world)
    page = browser.get(f"{world.places.app}/chart")
    browser.submit(page, {"consent": "y", "setup_completed": "y", "other_monitoring": "y"})
    return browser


def test_monitoring_needs_consent(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    browser = sign_program(world)
    page = browser.get(f"{world.places.app}/chart")
    browser.submit(page, {"setup_completed": "y", "other_monitoring": "y"})
    assert "consent" in browser.get(f"{world.places.app}/chart").text.lower()
    assert count(world, LedgerFactRow) == 0


def test_two_sessions_on_one_day_are_two_facts_and_one_monitored_day(
    world: World, tmp_path: Path
) -> None:
    clinician = start_monitoring(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    for repetitions in (2, 3):
        result_of(patient, upload(patient, world, series_file(tmp_path, repetitions)))
    assert count(world, LedgerFactRow, LedgerFactRow.kind == "monitored_day") == 2
    page = clinician.get(f"{world.places.app}/chart").text
    assert '<span class="muted">Monitored days</span><span class="stat__value">1</span>' in page


def _csrf(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def test_the_timers_interval_counts_once_however_often_it_is_sent(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = start_monitoring(world)
    token = _csrf(browser.get(f"{world.places.app}/chart").text)
    end = world.context.now()
    patient = one(world, PatientRow)
    body = {
        "patient": patient.id,  # type: ignore[attr-defined]
        "interval_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "start": (end - timedelta(seconds=60)).isoformat(),
        "end": end.isoformat(),
    }
    url = f"{world.places.app}/chart/time/heartbeat"
    for _ in range(3):
        answer = browser._http.post(url, json=body, headers={"X-CSRFToken": token}, timeout=10)
        assert answer.status_code == 200
    assert count(world, LedgerFactRow, LedgerFactRow.kind == "time_entry") == 1
    for broken in (
        {},
        {**body, "start": body["end"]},
        {**body, "end": "later"},
        {**body, "patient": None},
    ):
        answer = browser._http.post(url, json=broken, headers={"X-CSRFToken": token}, timeout=10)
        assert answer.status_code == 422


def test_a_months_claims_leave_once_and_are_accepted(world: World, tmp_path: Path) -> None:
    walk.launch_chart(world.places, PATIENT)
    write_history(world.context, [story for story in STORIES if story.patient == PATIENT])
    month = f"{history_month(world.context.now().date())[0]:%Y-%m}"
    content = walk.export_claims(world.places, world.tenant_id, month)
    path = tmp_path / "claims.837"
    path.write_bytes(content)
    assert x12_errors(path) == []
    assert count(world, ClaimLineRow) == 3
    again = export_month(world.context, world.tenant_id, month, "837p")
    assert again.again
    assert again.content.encode() == content
    with pytest.raises(ExportRefused, match="nothing new"):
        export_month(world.context, world.tenant_id, month, "dft")


def test_a_claim_without_the_devices_basis_is_held(world: World) -> None:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        tenant.practice = {**tenant.practice, "device_regulatory_basis": None}
    walk.launch_chart(world.places, PATIENT)
    write_history(world.context, [story for story in STORIES if story.patient == PATIENT])
    month = f"{history_month(world.context.now().date())[0]:%Y-%m}"
    with pytest.raises(ExportRefused, match="regulatory basis"):
        export_month(world.context, world.tenant_id, month, "837p")
    assert count(world, ClaimLineRow) == 0


@pytest.mark.parametrize("month", ["2026-13", "october"])
def test_a_month_that_is_none_is_refused(make_world: Callable[..., World], month: str) -> None:
    world = make_world(worker=False)
    with pytest.raises(ExportRefused, match="YYYY-MM"):
        export_month(world.context, world.tenant_id, month, "837p")


# Logs --------------------------------------------------------------------------------------------


def test_no_patient_data_reach_the_log(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    result_of(patient, upload(patient, world, series_file(tmp_path)))
    with world.context.database.begin(world.tenant_id) as db:
        facts = json.dumps(db.scalars(select(PatientRow)).first().demographics)  # type: ignore[union-attr]
    assert "SYN-0006" in facts
    ours = [line for line in "".join(capfd.readouterr()).splitlines() if "HTTP/1.1" not in line]
    text = "\n".join(ours)
    for secret in ("Brandt", "Samuel", "SYN-0006", "1955-05-05", "9ZZ5"):
        assert secret not in text


def test_callback_urls_hold_no_patient_data(world: World) -> None:
    callback = _answer_of_the_ehr(world, requests.Session())
    assert set(dict(parse_qsl(urlsplit(callback).query))) <= {"code", "state", "iss"}
