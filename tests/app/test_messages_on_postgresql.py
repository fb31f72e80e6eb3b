"""Messages and reminders on PostgreSQL, with several workers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select

from app.demo import walk
from app.jobs.remind import remind_tenant
from app.messages import Person, open_thread, read_threads, send_message, unread_count
from app.store import MessageRow, PractitionerRow
from tests.app.mail_server import receiving
from tests.app.test_messages import first_patient
from tests.app.test_reminders import at, contact, mail_of, message_to_patient, rows, today
from tests.app.test_service import PATIENT, sign_program
from tests.conftest import World


def test_messages_are_sent_once_and_read_once(
    make_world: Callable[..., World], postgresql: str
) -> None:
    world = make_world(worker=False, database_url=postgresql)
    walk.launch_chart(world.places, PATIENT)
    patient, message_id = Person(first_patient(world)), str(uuid4())
    with world.context.database.begin(world.tenant_id) as db:
        therapist = Person(patient.patient_id, db.scalars(select(PractitionerRow.id)).one())

    def click() -> None:
        send_message(
            world.context,
            world.tenant_id,
            patient,
            message_id=message_id,
            subject="Knee",
            text="¿Duele? 😀",
        )

    def look() -> None:
        open_thread(world.context, world.tenant_id, therapist, message_id)

    for act in (click, look):
        together = [threading.Thread(target=act) for _ in range(4)]
        for one in together:
            one.start()
        for one in together:
            one.join()
    with world.context.database.begin(world.tenant_id) as db:
        assert len(db.scalars(select(MessageRow)).all()) == 1
        [thread] = read_threads(db, patient.patient_id)
        assert unread_count(db, patient.patient_id, "care_team") == 0
    assert thread.messages[0].text == "¿Duele? 😀"
    assert thread.messages[0].read_at is not None


def test_reminders_are_sent_once(make_world: Callable[..., World], postgresql: str) -> None:
    with receiving() as mail:
        world = make_world(worker=False, database_url=postgresql, **mail_of(mail))
        sign_program(world)
        for number in range(3):
            contact(world, address=f"samuel{number}@example.org")
        day = today(world) + timedelta(days=1)
        message_to_patient(at(world, "16:59", day), world)
        context = at(world, "17:00", day)
        workers = [
            threading.Thread(target=remind_tenant, args=(context, world.tenant_id))
            for _ in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        remind_tenant(context, world.tenant_id)
    assert sorted(mail.recipients) == sorted(
        f"samuel{number}@example.org" for number in range(3) for _ in ("exercises", "message")
    )
    assert {row.status for row in rows(world)} == {"sent"}
