"""Reminders from the patient's choice to the address, over HTTP and on real gateways' sockets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import requests
from sqlalchemy import select

from app.context import Context
from app.demo import walk
from app.demo.browser import Browser, wait_for
from app.jobs import remind
from app.jobs.remind import remind_tenant
from app.messages import Person, send_message
from app.reminders_command import reminder_lines
from app.reminding.contacts import ContactRefused, checked_address
from app.reminding.sms import signature
from app.reminding.wishes import set_wishes
from app.sessions import SessionReport, accept_manual_log
from app.store import ContactRow, PatientRow, PractitionerRow, ReminderRow
from rtm.reminders import Wishes
from rtm.session import Pain
from tests.app.api.hooks import Hook, listening
from tests.app.launching import form_token
from tests.app.mail_server import MailServer, receiving
from tests.app.test_messages import first_patient
from tests.app.test_reminder_gateways import BrowserKeys
from tests.app.test_service import PATIENT, sign_program
from tests.conftest import World

EMAIL, PHONE = "samuel@example.org", "+16085550134"
SMS = {"sms_user": "AC1", "sms_password": "token", "sms_from": "+16085550100"}
ZONE = ZoneInfo("America/Chicago")


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with receiving() as server:
        yield server


@pytest.fixture
def world(make_world: Callable[..., World], mail: MailServer) -> World:
    """Where e-mail is set up and jobs run when a test says so."""
    return make_world(worker=False, **mail_of(mail))


def mail_of(mail: MailServer) -> dict[str, Any]:
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail.port,
        "smtp_security": "none",
        "mail_from": "rtm@example.org",
    }


def page_url(world: World) -> str:
    return f"{world.places.app}/portal/reminders"


def patient_of(world: World) -> Browser:
    return walk.sign_in_patient(world.places, world.tenant_id, PATIENT)


def post(browser: Browser, world: World, rest: str, **fields: str) -> requests.Response:
    page = browser.get(page_url(world))
    data = {"csrf_token": form_token(page.text), **fields}
    return browser._http.post(f"{page_url(world)}{rest}", data=data, timeout=10)


def turn_on_email(browser: Browser, world: World, mail: MailServer) -> None:
    assert post(browser, world, "/address", channel="email", address=EMAIL).status_code == 200
    found = re.search(r"\b\d{6}\b", mail.messages[-1].get_content())
    assert found is not None
    assert "Reminders are on." in post(browser, world, "/code", channel="email", code=found[0]).text


def contact(world: World, channel: str = "email", address: str = EMAIL, **values: Any) -> int:
    """An address that was proved already; the id of its row."""
    now = world.context.now()
    with world.context.database.begin(world.tenant_id) as db:
        row = ContactRow(
            patient_id=first_patient(world),
            channel=channel,
            address=address,
            created_at=now,
            verified_at=now,
            next_look_at=now - timedelta(days=900),
            **values,
        )
        db.add(row)
    return row.id


def rows(world: World) -> list[ReminderRow]:
    with world.context.database.begin(world.tenant_id) as db:
        return list(db.scalars(select(ReminderRow).order_by(ReminderRow.id)))


def at(world: World, clock: str, day: date) -> Context:
    """The job's context at a time of the patient's day."""
    moment = datetime.combine(day, time.fromisoformat(clock), ZONE)
    return replace(world.context, now=lambda: moment)


def today(world: World) -> date:
    return world.context.now().astimezone(ZONE).date()


def run(world: World, clock: str, day: date) -> None:
    remind_tenant(at(world, clock, day), world.tenant_id)


def message_to_patient(context: Context, world: World) -> None:
    with context.database.begin(world.tenant_id) as db:
        practitioner = db.scalars(select(PractitionerRow.id)).first()
    assert practitioner is not None
    send_message(
        context,
        world.tenant_id,
        Person(first_patient(world), practitioner),
        message_id=str(uuid4()),
        subject="Zebrafish",
        text="Quokka",
    )


# From the choice to the address -------------------------------------------------------------------


def test_a_patient_turns_email_on_hears_of_a_message_and_stops_it_from_the_email(
    make_world: Callable[..., World], mail: MailServer
) -> None:
    world = make_world(**mail_of(mail))
    sign_program(world)
    patient = patient_of(world)
    turn_on_email(patient, world, mail)
    set_wishes(
        world.context,
        world.tenant_id,
        first_patient(world),
        Wishes(frozenset({"message"}), quiet_from=time(0), quiet_until=time(0)),
    )
    message_to_patient(world.context, world)
    wait_for("the e-mail", lambda: len(mail.messages) == 2, 20)
    text = mail.messages[1].get_content()
    assert text.startswith("You have a new message.")
    assert f"{world.places.app}/portal/messages" in text
    whole = mail.messages[1].as_string()
    for secret in ("Zebrafish", "Quokka", "Samuel", "Prairie", "Terry", "houlder"):
        assert secret not in whole, secret
    stop = mail.messages[1]["List-Unsubscribe"].strip("<>")
    assert stop in text
    stranger = requests.Session()
    assert "Samuel" not in stranger.get(stop, timeout=10).text
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(ContactRow.ended_at)).all() == [None]
    answer = stranger.post(stop, data={"List-Unsubscribe": "One-Click"}, timeout=10)
    assert answer.status_code == 200
    assert "We send no more reminders" in answer.text
    assert "On: " not in patient.get(page_url(world)).text
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(ContactRow.ended_why)).all() == ["unsubscribed"]


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: "x", lambda t: f"{t}x"])
def test_a_stop_link_that_is_not_ours_stops_nothing(
    world: World, change: Callable[[str], str]
) -> None:
    from app.reminding.wording import stop_link

    patient_of(world)
    id_ = contact(world)
    with world.context.database.begin(world.tenant_id) as db:
        link = stop_link(world.context, db.get_one(ContactRow, id_))
    head, _, token = link.rpartition("/")
    assert requests.post(f"{head}/{change(token)}", timeout=10).status_code == 404
    assert requests.get(link, timeout=10).status_code == 200


def test_nothing_is_sent_to_an_address_that_was_not_proved(world: World, mail: MailServer) -> None:
    sign_program(world)
    patient = patient_of(world)
    post(patient, world, "/address", channel="email", address=EMAIL)
    for clock in ("12:00", "17:00", "20:00"):
        run(world, clock, today(world) + timedelta(days=1))
    assert len(mail.messages) == 1  # the code
    assert rows(world) == []


# What is sent when --------------------------------------------------------------------------------


def test_exercises_are_reminded_of_once_a_day_until_they_are_done(
    world: World, mail: MailServer
) -> None:
    sign_program(world)
    patient_of(world)
    contact(world)
    first = today(world) + timedelta(days=1)
    run(world, "15:00", first)
    assert mail.messages == []
    for clock in ("16:10", "16:20", "19:00", "23:00"):
        run(world, clock, first)
    assert len(mail.messages) == 1
    assert "Your exercises for today are waiting for you." in mail.messages[0].get_content()
    second = first + timedelta(days=1)
    do_all_exercises(at(world, "10:00", second), world)
    run(world, "17:00", second)
    assert len(mail.messages) == 1
    run(world, "17:00", second + timedelta(days=1))
    assert len(mail.messages) == 2
    assert [row.status for row in rows(world)] == ["sent", "sent"]


def do_all_exercises(context: Context, world: World) -> None:
    from app.prescribing import current_program

    patient_id = first_patient(world)
    with context.database.begin(world.tenant_id) as db:
        current = current_program(db, patient_id)
    assert current is not None
    for line in current[1].exercises:
        report = SessionReport(
            session_id=str(uuid4()),
            line=line.exercise_id,
            started_at=context.now(),
            pain=Pain(3, 3),
            repetitions_reported=10,
            duration_reported_s=60.0,
        )
        accept_manual_log(context, world.tenant_id, patient_id, report)


def test_in_spanish_where_the_record_says_so(world: World, mail: MailServer) -> None:
    sign_program(world)
    patient_of(world)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(PatientRow, first_patient(world))
        row.demographics = {**row.demographics, "language": "es"}
    contact(world)
    run(world, "17:00", today(world) + timedelta(days=1))
    assert "Sus ejercicios de hoy lo están esperando." in mail.messages[0].get_content()


def test_what_fails_is_tried_again_later_and_dropped_when_it_is_no_longer_due(
    world: World, mail: MailServer
) -> None:
    sign_program(world)
    patient_of(world)
    contact(world)
    first = today(world) + timedelta(days=1)
    mail.answers = ["450 later", "450 later"]
    run(world, "16:30", first)
    [row] = rows(world)
    assert (row.status, row.attempts) == ("pending", 1)
    assert row.last_error == "the mail server refused the address (450)"
    run(world, "16:30:10", first)
    assert rows(world)[0].attempts == 1
    run(world, "16:35", first)
    assert rows(world)[0].attempts == 2
    run(world, "16:45", first)
    assert (rows(world)[0].status, len(mail.messages)) == ("sent", 1)
    second = first + timedelta(days=1)
    mail.answers = ["450 later"]
    run(world, "17:00", second)
    do_all_exercises(at(world, "17:30", second), world)
    run(world, "18:00", second)
    assert [one.status for one in rows(world)] == ["sent", "dropped"]
    assert len(mail.messages) == 1


def test_a_retry_waits_for_the_end_of_the_quiet_hours(world: World, mail: MailServer) -> None:
    patient_of(world)
    sign_program(world)
    contact(world)
    set_wishes(
        world.context,
        world.tenant_id,
        first_patient(world),
        Wishes(exercises_at=time(11), quiet_from=time(12), quiet_until=time(14)),
    )
    mail.answers = ["450 later"]
    day = today(world) + timedelta(days=1)
    run(world, "11:59", day)
    run(world, "13:00", day)
    [row] = rows(world)
    assert (row.status, row.attempts, mail.messages) == ("pending", 1, [])
    run(world, "14:01", day)
    assert (rows(world)[0].status, len(mail.messages)) == ("sent", 1)


def test_an_address_that_does_not_exist_is_not_tried_again(world: World, mail: MailServer) -> None:
    sign_program(world)
    patient_of(world)
    contact(world)
    mail.answers = ["550 no such user"]
    day = today(world) + timedelta(days=1)
    for clock in ("16:30", "17:30", "18:30"):
        run(world, clock, day)
    assert [(row.status, row.attempts) for row in rows(world)] == [("failed", 1)]


def test_workers_at_once_send_one(world: World, mail: MailServer) -> None:
    sign_program(world)
    patient_of(world)
    for number in range(3):
        contact(world, address=f"samuel{number}@example.org")
    context = at(world, "17:00", today(world) + timedelta(days=1))
    workers = [
        threading.Thread(target=remind_tenant, args=(context, world.tenant_id)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(mail.recipients) == [f"samuel{number}@example.org" for number in range(3)]


def test_after_a_worker_died_an_email_is_sent_again_under_its_own_id_and_a_text_is_not(
    make_world: Callable[..., World], mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as api:
        world = make_world(worker=False, **mail_of(mail), sms_url=api.url, **SMS)
        sign_program(world)
        patient_of(world)
        contact(world)
        contact(world, "sms", PHONE)
        day = today(world) + timedelta(days=1)
        with monkeypatch.context() as dying:
            dying.setattr(remind, "_conclude", _die)
            for _ in range(2):
                with pytest.raises(SystemExit):
                    run(world, "17:00", day)
        assert (len(mail.messages), len(api.calls)) == (1, 1)
        run(world, "17:01", day)
        assert (len(mail.messages), len(api.calls)) == (1, 1)
        run(world, "17:10", day)
        assert (len(mail.messages), len(api.calls)) == (2, 1)
    assert mail.messages[0]["Message-ID"] == mail.messages[1]["Message-ID"]
    assert {row.status for row in rows(world)} == {"sent", "failed"}


def _die(*_: Any, **__: Any) -> None:
    raise SystemExit


def test_a_channel_that_is_no_longer_set_up_is_a_failure_that_says_so(world: World) -> None:
    sign_program(world)
    patient_of(world)
    contact(world, "sms", PHONE)
    run(world, "17:00", today(world) + timedelta(days=1))
    [row] = rows(world)
    assert row.status == "failed"
    assert row.last_error is not None
    assert "HOMESTRETCH_SMS_URL" in row.last_error
    lines = "\n".join(reminder_lines(world.context, world.tenant_id))
    assert "email       0 addresses, set up" in lines
    assert "sms         1 addresses, not set up: HOMESTRETCH_SMS_URL" in lines
    assert "sms         1 not sent: not set up" in lines


def test_no_address_is_in_the_logs(
    world: World, mail: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    sign_program(world)
    patient = patient_of(world)
    turn_on_email(patient, world, mail)
    with world.context.database.begin(world.tenant_id) as db:
        for row in db.scalars(select(ContactRow)):
            row.next_look_at -= timedelta(days=1)
    mail.answers = ["550 no samuel@example.org"]
    run(world, "17:00", today(world) + timedelta(days=1))
    said = "".join(capfd.readouterr())
    assert "reminder" in said
    assert "samuel@" not in said


# The page -----------------------------------------------------------------------------------------


def test_the_page_says_which_channels_the_clinic_has(world: World) -> None:
    patient = patient_of(world)
    page = patient.get(page_url(world)).text
    assert page.count("Your clinic has not set this up.") == 2
    answer = post(patient, world, "/address", channel="sms", address=PHONE)
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("channel", "given", "kept"),
    [
        ("email", " Samuel@Example.ORG ", "Samuel@example.org"),
        ("sms", "(608) 555-0134", PHONE),
        ("sms", "1 608 555 0134", PHONE),
        ("sms", "+52 55 1234 5678", "+525512345678"),
    ],
)
def test_addresses_are_kept_in_one_form(channel: Any, given: str, kept: str) -> None:
    assert checked_address(channel, given) == kept


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        ("email", "samuel"),
        ("email", "a@b.example\nBcc: c@d.example"),
        ("sms", "911"),
        ("sms", "1-900"),
        ("sms", "+1 108 555 0134"),
        ("sms", "samuel@example.org"),
    ],
)
def test_what_is_no_address_is_refused_in_plain_words(
    world: World, mail: MailServer, channel: Any, given: str
) -> None:
    with pytest.raises(ContactRefused):
        checked_address(channel, given)
    if channel == "email":
        answer = post(patient_of(world), world, "/address", channel=channel, address=given)
        assert answer.status_code == 422
        assert "This is not an e-mail address." in answer.text
        assert mail.messages == []


def test_a_code_is_good_for_few_tries(world: World, mail: MailServer) -> None:
    patient = patient_of(world)
    post(patient, world, "/address", channel="email", address=EMAIL)
    code = re.search(r"\b\d{6}\b", mail.messages[-1].get_content())
    assert code is not None
    wrong = "000000" if code[0] != "000000" else "000001"
    for _ in range(5):
        answer = post(patient, world, "/code", channel="email", code=wrong)
        assert "These are not the numbers that we sent." in answer.text
    answer = post(patient, world, "/code", channel="email", code=code[0])
    assert answer.status_code == 422
    assert "too old" in answer.text


def test_codes_are_sent_a_few_times_a_day(world: World, mail: MailServer) -> None:
    patient = patient_of(world)
    for number in range(7):
        answer = post(patient, world, "/address", channel="email", address=f"a{number}@b.example")
    assert len(mail.messages) == 5
    assert "Please try again tomorrow." in answer.text


def test_a_code_that_could_not_be_sent_is_said_so(world: World, mail: MailServer) -> None:
    mail.answers = ["450 later"]
    answer = post(patient_of(world), world, "/address", channel="email", address=EMAIL)
    assert answer.status_code == 422
    assert "We could not send the numbers." in answer.text


def test_a_new_address_takes_the_place_of_the_old_one(world: World, mail: MailServer) -> None:
    patient = patient_of(world)
    turn_on_email(patient, world, mail)
    turn_on_email(patient, world, mail)
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(ContactRow.ended_why)).all() == ["replaced", None]


def test_a_patient_turns_off_only_what_is_theirs(world: World, mail: MailServer) -> None:
    patient = patient_of(world)
    turn_on_email(patient, world, mail)
    with world.context.database.begin(world.tenant_id) as db:
        id_ = db.scalars(select(ContactRow.id)).one()
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    assert post(other, world, f"/off/{id_}").status_code == 404
    assert "Reminders are off." in post(patient, world, f"/off/{id_}").text


def test_wishes_are_kept_and_a_time_in_the_quiet_hours_is_refused(world: World) -> None:
    patient = patient_of(world)
    sound = {"message": "y", "exercises_at": "9", "quiet_from": "22", "quiet_until": "7"}
    assert "Saved." in post(patient, world, "", **sound).text
    page = patient.get(page_url(world)).text
    assert re.search(r'name="message"[^>]* checked|checked[^>]*name="message"', page)
    assert not re.search(r'name="exercises"[^>]* checked|checked[^>]*name="exercises"', page)
    answer = post(patient, world, "", **{**sound, "exercises": "y", "exercises_at": "23"})
    assert answer.status_code == 422
    assert "At this time we send nothing." in answer.text


# Text messages ------------------------------------------------------------------------------------


@pytest.fixture
def api() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


def test_a_phone_is_proved_reminded_and_stopped_by_its_answer(
    make_world: Callable[..., World], api: Hook
) -> None:
    world = make_world(worker=False, sms_url=api.url, **SMS)
    sign_program(world)
    patient = patient_of(world)
    post(patient, world, "/address", channel="sms", address="608 555 0134")
    [text] = parse_qs(api.calls[0][2].decode())["Body"]
    code = re.search(r"\d{6}", text)
    assert code is not None
    assert "On: +16085550134" in post(patient, world, "/code", channel="sms", code=code[0]).text
    with world.context.database.begin(world.tenant_id) as db:
        db.scalars(select(ContactRow)).one().next_look_at -= timedelta(days=1)
    run(world, "17:00", today(world) + timedelta(days=1))
    [text] = parse_qs(api.calls[1][2].decode())["Body"]
    assert text == (
        "Your exercises for today are waiting for you. "
        f"{world.places.app}/portal/today Reply STOP to end."
    )
    url = f"{world.places.app}/reminders/sms"
    form = {"From": PHONE, "To": SMS["sms_from"], "Body": "stop"}
    unsigned = requests.post(url, data=form, timeout=10)
    forged = requests.post(
        url, data=form, headers={"X-Twilio-Signature": signature(url, form, "x")}, timeout=10
    )
    assert (unsigned.status_code, forged.status_code) == (403, 403)
    for body, ended in (("Thanks", None), ("Stop.", "stop")):
        said = {**form, "Body": body}
        signed = {"X-Twilio-Signature": signature(url, said, "token")}
        answer = requests.post(url, data=said, headers=signed, timeout=10)
        assert (answer.status_code, answer.text) == (200, "<Response/>")
        with world.context.database.begin(world.tenant_id) as db:
            assert db.scalars(select(ContactRow.ended_why)).one() == ended


def test_the_number_of_the_record_is_offered(make_world: Callable[..., World], api: Hook) -> None:
    world = make_world(worker=False, sms_url=api.url, **SMS)
    patient = patient_of(world)
    with world.context.database.begin(world.tenant_id) as db:
        known = db.get_one(PatientRow, first_patient(world)).demographics["phone"]
    assert f'value="{known}"' in patient.get(page_url(world)).text


# Push ---------------------------------------------------------------------------------------------


def subscribe(browser: Browser, world: World, document: Any) -> requests.Response:
    token = form_token(browser.get(page_url(world)).text)
    return browser._http.post(
        f"{page_url(world)}/push", json=document, headers={"X-CSRFToken": token}, timeout=10
    )


def test_a_browser_is_reminded_until_its_subscription_is_gone(
    make_world: Callable[..., World], api: Hook
) -> None:
    world = make_world(worker=False, push_contact="it@example.org")
    sign_program(world)
    patient, keys = patient_of(world), BrowserKeys()
    document = {"endpoint": api.url, "expirationTime": None, "keys": keys.public}
    for _ in range(2):
        assert subscribe(patient, world, document).status_code == 201
    with world.context.database.begin(world.tenant_id) as db:
        db.scalars(select(ContactRow)).one().next_look_at -= timedelta(days=1)
    day = today(world) + timedelta(days=1)
    run(world, "17:00", day)
    [(_, _, body)] = api.calls
    assert keys.read(body) == {
        "body": "Your exercises for today are waiting for you.",
        "url": "/portal/today",
        "tag": "exercises",
    }
    api.statuses = [410]
    run(world, "17:00", day + timedelta(days=1))
    run(world, "17:00", day + timedelta(days=2))
    assert len(api.calls) == 2
    assert [row.status for row in rows(world)] == ["sent", "failed"]
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(ContactRow.ended_why)).one() == "gone"


def test_a_browser_that_another_patient_signs_in_at_is_theirs(
    make_world: Callable[..., World], api: Hook
) -> None:
    world = make_world(worker=False, push_contact="it@example.org")
    document = {"endpoint": api.url, "keys": BrowserKeys().public}
    assert subscribe(patient_of(world), world, document).status_code == 201
    other = walk.sign_in_patient(world.places, world.tenant_id, "rosa-delgado")
    assert subscribe(other, world, document).status_code == 201
    with world.context.database.begin(world.tenant_id) as db:
        found = db.scalars(select(ContactRow).order_by(ContactRow.id)).all()
    assert [row.ended_why for row in found] == ["replaced", None]
    assert found[0].patient_id != found[1].patient_id


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "no push subscription"),
        ({"endpoint": "https://push.example/x"}, "no push subscription"),
        ({"endpoint": 7, "keys": BrowserKeys().public}, "no push subscription"),
        ({"endpoint": "http://push.example/x", "keys": BrowserKeys().public}, "https"),
        ({"endpoint": "https://10.0.0.1/x", "keys": BrowserKeys().public}, "network"),
    ],
)
def test_what_is_no_subscription_is_refused(
    make_world: Callable[..., World], document: Any, words: str
) -> None:
    world = make_world(worker=False, push_contact="it@example.org")
    answer = subscribe(patient_of(world), world, document)
    assert answer.status_code == 422
    assert words in answer.json()["error"]


def test_push_that_is_not_set_up_is_not_turned_on(world: World) -> None:
    answer = subscribe(
        patient_of(world), world, {"endpoint": "https://p.example/x", "keys": BrowserKeys().public}
    )
    assert answer.status_code == 409
