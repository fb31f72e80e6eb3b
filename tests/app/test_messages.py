"""Messages between patient and care team, over HTTP."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from sqlalchemy import func, select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.demo.history import write_history
from app.messages import MessageConflict, NoSuchThread, Person, send_message
from app.store import (
    EpisodeRow,
    LedgerFactRow,
    MessageIsFinal,
    MessageReadRow,
    MessageRow,
    PatientRow,
)
from tests.app.launching import choose_language, form_token, other_tenant
from tests.app.test_service import PATIENT, count
from tests.conftest import World
from tests.e2e.test_walk import STORY

TEXT = "My knee hurts.\nWhat now? <script>alert(1)</script> http://evil.example"


def both(world: World) -> tuple[Browser, Browser]:
    """The clinician at the chart, and the patient at the portal."""
    clinician = walk.launch_chart(world.places, PATIENT)
    return clinician, walk.sign_in_patient(world.places, world.tenant_id, PATIENT)


def portal(world: World, rest: str = "") -> str:
    return f"{world.places.app}/portal/messages{rest}"


def chart(world: World, rest: str = "") -> str:
    return f"{world.places.app}/chart/messages{rest}"


def write(patient: Browser, world: World, **fields: str) -> requests.Response:
    page = patient.get(portal(world, "/new"))
    return patient.submit(page, {"subject": "My knee", "text": TEXT, **fields})


def test_a_message_goes_there_and_back_and_each_sees_that_it_was_read(world: World) -> None:
    clinician, patient = both(world)
    sent = write(patient, world)
    assert "Your message was sent." in sent.text
    assert "Your care team opened this." not in sent.text
    assert "1 new from the patient" in clinician.get(f"{world.places.app}/chart").text
    inbox = clinician.get(chart(world))
    assert "My knee" in inbox.text
    thread_id = sent.url.rpartition("/")[2]
    thread = clinician.get(chart(world, f"/{thread_id}"))
    assert "My knee hurts.\nWhat now?" in thread.text
    assert "No new message from the patient." in clinician.get(f"{world.places.app}/chart").text
    assert "Your care team opened this." in patient.get(sent.url).text
    # The answer's form stands after none other but the timer's.
    clinician.submit(thread, {"text": "Please rest it for a day."}, form=0)
    assert "(1 new)" in patient.get(f"{world.places.app}/portal/today").text
    assert "Not answered" not in clinician.get(chart(world)).text
    opened = patient.get(sent.url)
    assert "Please rest it for a day." in opened.text
    assert "Terry" in opened.text
    assert "(1 new)" not in patient.get(f"{world.places.app}/portal/today").text
    assert "Read by the patient" in clinician.get(chart(world)).text


def test_what_is_written_is_shown_as_text_and_makes_no_link(world: World) -> None:
    _, patient = both(world)
    page = write(patient, world, subject="<b>knee</b>")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<b>knee" not in page.text
    assert 'href="http://evil' not in page.text


def test_a_message_is_no_interaction_and_its_time_is_chart_time(world: World) -> None:
    clinician, patient = both(world)
    write_history(world.context, [STORY])
    with world.context.database.begin(world.tenant_id) as db:
        kinds = select(LedgerFactRow.kind, func.count()).group_by(LedgerFactRow.kind)
        before = dict(db.execute(kinds).all())
        assert db.scalar(select(func.count()).select_from(EpisodeRow)) == 1
    assert before["interaction"]
    sent = write(patient, world)
    thread = clinician.get(chart(world, f"/{sent.url.rpartition('/')[2]}"))
    assert "data-chart-timer" in thread.text
    clinician.submit(thread, {"text": "Please rest it."})
    with world.context.database.begin(world.tenant_id) as db:
        assert dict(db.execute(kinds).all()) == before


def test_the_same_message_sent_twice_is_one(world: World) -> None:
    _, patient = both(world)
    page = patient.get(portal(world, "/new"))
    first = patient.submit(page, {"subject": "Knee", "text": "Hello"})
    again = patient.submit(page, {"subject": "Knee", "text": "Hello"})
    assert first.url == again.url
    assert count(world, MessageRow) == 1
    with pytest.raises(DemoFailed, match="409"):
        patient.submit(page, {"subject": "Knee", "text": "Something else"})
    assert count(world, MessageRow) == 1


def test_two_clicks_at_once_are_one_message(world: World) -> None:
    both(world)
    patient_id, message_id, rows = first_patient(world), str(uuid4()), []
    start = threading.Barrier(4)

    def click() -> None:
        start.wait()
        rows.append(
            send_message(
                world.context,
                world.tenant_id,
                Person(patient_id),
                message_id=message_id,
                subject="Knee",
                text="Hello",
            )
        )

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert [row.id for row in rows] == [message_id] * 4
    assert count(world, MessageRow) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "  "}, "Please write your message first."),
        ({"text": "x" * 2001}, "Please use at most 2000 letters."),
        ({"subject": ""}, "Please say what it is about."),
        ({"subject": "x" * 81}, "Please use at most 80 letters."),
        ({"text": "a\x00b"}, "There is a sign in it that we cannot show."),
        ({"message_id": "1"}, "The message has no id."),
    ],
)
def test_what_can_not_be_sent_stays_on_the_page_with_the_reason(
    world: World, fields: dict[str, str], words: str
) -> None:
    _, patient = both(world)
    page = patient.get(portal(world, "/new"))
    sound = {"message_id": str(uuid4()), "subject": "Knee", "text": "Keep these words"}
    answer = patient._http.post(
        page.url, data={"csrf_token": form_token(page.text), **sound, **fields}, timeout=10
    )
    assert answer.status_code == 422
    assert words in answer.text
    assert fields.get("text", "Keep these words").replace("\x00", "") in answer.text.replace(
        "\x00", ""
    )
    assert count(world, MessageRow) == 0


def test_a_patient_reaches_no_other_patients_thread(world: World) -> None:
    _, patient = both(world)
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    sent = write(patient, world)
    with pytest.raises(DemoFailed, match="404"):
        other.get(sent.url)
    page = other.get(portal(world, "/new"))
    with world.context.database.begin(world.tenant_id) as db:
        stranger = db.scalars(select(PatientRow.id).where(PatientRow.fhir_id != PATIENT)).first()
    assert stranger is not None
    thread_id = sent.url.rpartition("/")[2]
    with pytest.raises(NoSuchThread):
        send_message(
            world.context,
            world.tenant_id,
            Person(stranger),
            message_id=str(uuid4()),
            thread_id=thread_id,
            text="Hello",
        )
    with pytest.raises(DemoFailed, match="409"):
        other.submit(page, {"message_id": thread_id, "subject": "My knee", "text": TEXT})


def test_an_id_of_another_health_system_is_refused_without_telling(world: World) -> None:
    both(world)
    with world.context.database.begin(None) as db:
        db.add(other_tenant())
    with world.context.database.begin("other") as db:
        db.add(
            PatientRow(
                id=900,
                fhir_id="x",
                name="X",
                birth_date=world.context.now().date(),
                time_zone="UTC",
                seen_at=world.context.now(),
            )
        )
    theirs = send_message(
        world.context, "other", Person(900), message_id=str(uuid4()), subject="s", text="t"
    )
    with pytest.raises(MessageConflict):
        send_message(
            world.context,
            world.tenant_id,
            Person(first_patient(world)),
            message_id=theirs.id,
            subject="s",
            text="t",
        )


def test_a_template_is_inserted_after_what_was_written_in_the_patients_language(
    world: World,
) -> None:
    clinician, _ = both(world)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(PatientRow, first_patient(world))
        row.demographics = {**row.demographics, "language": "es"}
    page = clinician.get(chart(world, "/new"))
    page = clinician.submit(page, {"text": "Hola Samuel", "template": "please_call", "insert": "1"})
    assert count(world, MessageRow) == 0
    assert "Hola Samuel\n\nHola:\nMe gustaría hablar" in page.text.replace("\r", "")
    assert 'value="Por favor, llámenos"' in page.text
    text = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", page.text, re.DOTALL)
    assert text is not None
    clinician.submit(page, {"text": text[1]})
    assert count(world, MessageRow) == 1


def test_a_form_of_another_patients_chart_sends_nothing(world: World) -> None:
    clinician, _ = both(world)
    page = clinician.get(chart(world, "/new"))
    with pytest.raises(DemoFailed, match="409"):
        clinician.submit(page, {"patient": "99", "subject": "s", "text": "t"})
    assert count(world, MessageRow) == 0


def test_messages_are_final(world: World) -> None:
    _, patient = both(world)
    sent = write(patient, world)
    thread_id = sent.url.rpartition("/")[2]
    for change in ("text", "subject"):
        with (
            pytest.raises(MessageIsFinal),
            world.context.database.begin(world.tenant_id) as db,
        ):
            setattr(db.get_one(MessageRow, thread_id), change, "other")
    with pytest.raises(MessageIsFinal), world.context.database.begin(world.tenant_id) as db:
        db.delete(db.get_one(MessageRow, thread_id))


def test_opening_a_thread_again_keeps_when_it_was_first_read(world: World) -> None:
    clinician, patient = both(world)
    sent = write(patient, world)
    url = chart(world, f"/{sent.url.rpartition('/')[2]}")
    clinician.get(url)
    world.context = replace(world.context, now=lambda: first + timedelta(days=1))
    with world.context.database.begin(world.tenant_id) as db:
        [first] = db.scalars(select(MessageReadRow.read_at)).all()
    clinician.get(url)
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(MessageReadRow.read_at)).all() == [first]


def test_no_message_is_in_the_logs(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _, patient = both(world)
    write(patient, world, text="Zebrafish", subject="Quokka")
    with pytest.raises(DemoFailed):
        write(patient, world, text="Zebrafish" + "x" * 3000, subject="Quokka")
    out = "".join(capfd.readouterr()) + caplog.text
    assert out, "the service logs at least its requests"
    assert "Zebrafish" not in out
    assert "Quokka" not in out


def test_the_page_says_not_for_emergencies_in_both_languages(world: World) -> None:
    _, patient = both(world)
    assert "Not for emergencies." in patient.get(portal(world)).text
    choose_language(world, patient, "es")
    assert "No es para emergencias." in patient.get(portal(world)).text


def first_patient(world: World) -> int:
    with world.context.database.begin(world.tenant_id) as db:
        found = db.scalar(select(PatientRow.id).where(PatientRow.fhir_id == PATIENT))
    assert found is not None
    return found
