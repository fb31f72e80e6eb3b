"""Received HL7 v2 messages: stored before they are answered, then acted on in order."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.hl7.er7 import Message, cut
from app.hl7.inbound import Inbox
from app.hl7.process import erase_due, process_waiting
from app.hl7.server import NotTaken, Peer
from app.store import (
    Hl7InboundRow,
    PatientEventIsFinal,
    PatientEventRow,
    PatientMonthRow,
    PatientRow,
    Tenant,
    VisitRow,
)
from app.visits import visits_between
from tests.app.hl7_clinic import NOW, PEER, TENANT, Clinic
from tests.app.hl7_messages import SETTINGS, ZPI, adt, merge, msh, pid, siu


def code(answer: Message) -> str:
    msa = answer.first("MSA")
    assert msa is not None
    return msa.value(1)


# At the door -------------------------------------------------------------------------------------


def test_a_message_is_stored_byte_for_byte_and_answered(clinic: Clinic) -> None:
    text = adt("A08", "C-1", ZPI)
    answer = clinic.take(text)
    (row,) = clinic.messages()
    assert row.content == text.encode()
    assert (row.message_type, row.control_id, row.sending_application) == ("ADT^A08", "C-1", "EPIC")
    assert (row.peer, row.received_at, row.state, row.answer) == ("10.0.0.7", NOW, "waiting", "AA")
    head, said = answer.segments[:2]
    assert (head.value(3), head.value(5), head.value(6)) == ("HOMESTRETCH", "EPIC", "PRAIRIE")
    assert (head.value(9), head.value(9, 2), head.value(11)) == ("ACK", "A08", "P")
    assert (said.value(1), said.value(2)) == ("AA", "C-1")
    assert clinic.notified == [TENANT]


def test_the_same_message_again_is_answered_and_stored_once(clinic: Clinic) -> None:
    assert [code(clinic.take(adt("A08", "C-1"))) for _ in range(3)] == ["AA"] * 3
    assert len(clinic.messages()) == 1


def test_another_message_under_the_same_control_id_is_another_message(clinic: Clinic) -> None:
    clinic.take(adt("A08", "C-1"))
    clinic.take(adt("A08", "C-1", ZPI))
    assert len(clinic.messages()) == 2


def test_the_same_message_on_many_connections_at_once_is_stored_once(clinic: Clinic) -> None:
    codes: list[str] = []
    together = threading.Barrier(6)

    def send() -> None:
        together.wait()
        codes.append(code(clinic.take(adt("A08", "C-1"))))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["AA"] * 6
    assert len(clinic.messages()) == 1


def test_what_the_database_does_not_take_is_not_acknowledged(clinic: Clinic) -> None:
    clinic.take(adt("A08", "C-1"))
    Hl7InboundRow.__table__.drop(clinic.context.database.engine)  # type: ignore[attr-defined]
    with pytest.raises(NotTaken, match="database"):
        clinic.inbox.take(adt("A08", "C-2").encode(), PEER)


@pytest.mark.parametrize(
    ("message", "answer", "error", "place", "why"),
    [
        (adt("A08", "C-1", charset="UTF-7"), "AR", "103", "MSH^1^18", "MSH-18"),
        (adt("A08", "C-1", charset="UNICODE UTF-16"), "AR", "103", "MSH^1^18", "MSH-18"),
        (adt("A08", "C-1", charset="ASCII").replace("Ada", "Ñ"), "AE", "102", "", "not ASCII"),
        (adt("A08", "C-1").encode()[:-1] + b"\xff\r", "AE", "102", "", "not UNICODE UTF-8"),
        (adt("A08", ""), "AE", "101", "MSH^1^10", "MSH-10"),
        (adt("A08", "C" * 200), "AE", "102", "MSH^1^10", "MSH-10"),
        (adt("A08", "C-1").replace("ADT^A08^ADT_A01", ""), "AE", "101", "MSH^1^9", "MSH-9"),
        (adt("A08", "C-1", version="3.0"), "AR", "203", "MSH^1^12", "MSH-12"),
        (adt("A08", "C-1", processing_id="T"), "AR", "202", "MSH^1^11", "MSH-11 must be P"),
        (msh("ORM^O01^ORM_O01", "C-1") + "\r", "AR", "200", "MSH^1^9", "only ADT and SIU"),
        (adt("A08", "C-1", "nonsense"), "AE", "102", "", "line 5 is no segment"),
        (adt("A08", "C-1", "NTE|1||\x00"), "AE", "102", "", "control characters"),
    ],
)
def test_what_can_not_be_acted_on_is_refused_with_a_place_and_kept(
    clinic: Clinic, message: str | bytes, answer: str, error: str, place: str, why: str
) -> None:
    said = clinic.take(message)
    assert code(said) == answer
    err = said.first("ERR")
    assert err is not None
    assert (err.field(2), err.value(3), err.value(3, 3), err.value(4)) == (
        place,
        error,
        "HL70357",
        "E",
    )
    assert why in err.value(8)
    assert why[:20] in said.segments[1].value(3)
    (row,) = clinic.messages()
    assert (row.state, row.answer) == ("refused", answer)
    assert row.content == (message.encode() if isinstance(message, str) else message)
    assert clinic.notified == []


def test_bytes_beyond_ascii_without_msh_18_are_read_as_the_settings_say(clinic: Clinic) -> None:
    raw = adt("A08", "C-1", pid_=pid(name="Ñandú^Ada"), charset="").encode("iso-8859-1")
    assert code(clinic.take(raw)) == "AE"
    clinic.set_hl7(undeclared_charset="8859/1")
    assert code(clinic.take(raw)) == "AA"
    assert [row.state for row in clinic.process()] == ["applied"]
    assert clinic.patient().name == "Ada Ñandú"


def test_what_was_refused_is_taken_once_the_settings_allow_it(clinic: Clinic) -> None:
    text = adt("A08", "C-1", processing_id="D")
    assert code(clinic.take(text)) == "AR"
    clinic.set_hl7(processing_id="D")
    assert code(clinic.take(text)) == "AA"
    assert [row.state for row in clinic.messages()] == ["waiting"]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "begin with MSH"),
        (b"hello", "begin with MSH"),
        (b"MSH||||", "delimiters"),
        (adt("A08", "C-1", facility="ELSEWHERE").encode(), "no health system known"),
    ],
)
def test_what_belongs_to_no_health_system_is_refused_and_kept_apart(
    clinic: Clinic, message: bytes, why: str
) -> None:
    for _ in range(2):
        assert code(clinic.take(message)) == "AR"
    (stray,) = clinic.strays()
    assert (stray.content, stray.peer) == (message, "10.0.0.7")
    assert why in stray.reason
    assert clinic.messages() == []


def test_the_port_or_the_facilities_tell_the_health_system(clinic: Clinic) -> None:
    clinic.add_tenant("lake", {"inbound": {"ports": [2576], "mrn_authority": ["LAKE"]}})
    by_port = Inbox(clinic.context, 2576, clinic.notified.append)
    by_port.take(adt("A08", "C-1", facility="ANY").encode(), PEER)
    assert (len(clinic.messages("lake")), len(clinic.messages())) == (1, 0)
    clinic.take(adt("A08", "C-2"))
    assert (len(clinic.messages("lake")), len(clinic.messages())) == (1, 1)
    clinic.set_hl7(receiving_facilities=["OTHER"])
    assert code(clinic.take(adt("A08", "C-3"))) == "AR"


def test_two_health_systems_that_claim_one_sender_get_nothing(clinic: Clinic) -> None:
    clinic.add_tenant("copy", SETTINGS)
    assert code(clinic.take(adt("A08", "C-1"))) == "AR"
    assert (clinic.messages(), clinic.messages("copy")) == ([], [])


def test_a_certificate_can_be_required_of_the_sender(clinic: Clinic) -> None:
    clinic.set_hl7(certified_names=["engine.prairie.example"])
    assert code(clinic.take(adt("A08", "C-1"))) == "AR"
    engine = Peer("10.0.0.7", frozenset({"engine.prairie.example"}))
    assert code(clinic.take(adt("A08", "C-1"), engine)) == "AA"


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        ("", "", "AA", "AR"),
        ("AL", "NE", "CA", "CR"),
        ("AL", "AL", "CA", "CR"),
        ("ER", "NE", None, "CR"),
        ("SU", "NE", "CA", None),
        ("NE", "NE", None, None),
        ("NE", "", None, None),
        ("NE", "AL", "AA", "AR"),
        ("", "ER", None, "AR"),
    ],
)
def test_acknowledgments_come_as_msh_15_and_16_ask(
    clinic: Clinic, accept: str, application: str, good: str | None, bad: str | None
) -> None:
    for version, wanted in (("2.5.1", good), ("3.0", bad)):
        text = adt("A08", f"C-{version}", accept=accept, application=application, version=version)
        answer = clinic.inbox.take(text.encode(), PEER)
        assert (None if answer is None else code(cut(answer.decode()))) == wanted
    assert [row.answer for row in clinic.messages()] == [good, bad]


def test_an_acknowledgment_is_never_acknowledged(clinic: Clinic) -> None:
    text = msh("ACK^A08^ACK", "C-1") + "\rMSA|AA|X\r"
    assert clinic.inbox.take(text.encode(), PEER) is None
    assert [row.state for row in clinic.messages()] == ["ignored"]


def test_an_answer_can_not_be_broken_by_what_the_sender_calls_itself(clinic: Clinic) -> None:
    text = adt("A08", r"C\F\1\T\2").replace("EPIC", r"E\F\PIC")
    answer = clinic.take(text)
    assert [segment.name for segment in answer.segments] == ["MSH", "MSA"]
    assert answer.segments[1].value(2) == "C|1&2"
    assert answer.segments[0].value(5) == "E|PIC"


# Meaning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["A01", "A04", "A08", "A28", "A31"])
def test_demographics_of_a_known_patient_are_brought_up_to_date(clinic: Clinic, event: str) -> None:
    moved = pid(name="Okafor-Reyes^Ada^B^^^^L", sex="F")
    (row,) = clinic.process(adt(event, "C-1", ZPI, pid_=moved))
    assert (row.state, row.reason) == ("applied", None)
    patient = clinic.patient()
    assert patient.name == "Ada B Okafor-Reyes"
    assert patient.demographics == {
        "family": "Okafor-Reyes",
        "given": "Ada B",
        "birth_date": "1958-02-14",
        "gender": "female",
        "phone": "(217)555-0142",
        "language": "en",
        "mrn": "SYN-0001",
        "address_line": "7 Oak Street, Apt 2",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62704",
    }
    told = [event.kind for event in clinic.events()]
    assert told == (["admission", "demographics"] if event == "A01" else ["demographics"])
    assert ZPI.encode() in (row.content or b"")


def test_an_empty_field_says_nothing_and_a_null_deletes(clinic: Clinic) -> None:
    clinic.process(adt("A08", "C-1", pid_='PID|1||SYN-0001^^^PRAIRIE^MR||||||||||""'))
    facts = clinic.patient().demographics
    assert (facts["phone"], facts["family"], facts["birth_date"]) == (None, "Okafor", "1958-02-14")


def test_a_change_makes_the_worklist_count_anew(clinic: Clinic) -> None:
    with clinic.context.database.begin(TENANT) as db:
        month = {name: 0 for name in ("state_rank", "total_cents", "projected_cents")}
        db.add(
            PatientMonthRow(
                patient_id=clinic.patient_id,
                month="2026-04",
                name="Ada Okafor",
                state="ok",
                charge_count=0,
                unpriced_count=0,
                needs_live_contact=False,
                monitored_days=0,
                minutes=0,
                document={},
                as_of=NOW.date(),
                computed_at=NOW,
                stale=False,
                **month,
            )
        )
    clinic.process(adt("A08", "C-1"))
    with clinic.context.database.begin(TENANT) as db:
        assert db.scalars(select(PatientMonthRow.stale)).one() is True


@pytest.mark.parametrize(
    "stranger",
    [
        pid("SYN-9999"),
        "PID|1||SYN-0001^^^ELSEWHERE^MR||Okafor^Ada",
        "PID|1||SYN-0001||Okafor^Ada",
        "PID|1||SYN-0001^^^PRAIRIE^PI||Okafor^Ada",
    ],
    ids=["another number", "another authority", "no authority", "no record number"],
)
def test_who_is_no_patient_of_ours_is_not_taken_in(clinic: Clinic, stranger: str) -> None:
    (row,) = clinic.process(adt("A04", "C-1", pid_=stranger))
    assert row.state == "not_ours"
    with clinic.context.database.begin(TENANT) as db:
        assert len(db.scalars(select(PatientRow)).all()) == 1
    assert clinic.events() == []


@pytest.mark.parametrize(
    "message",
    [
        adt("A08", "C-1", pid_=pid("SYN-9999", born="1958", sex="X", name="^")),
        siu("S12", "C-1", mrn="SYN-9999", start="tomorrow"),
        merge("C-1", "SYN-8", "SYN-9", sex="X"),
        merge("C-1", "SYN-8", "SYN-9").replace("MRG|SYN-9^^^PRAIRIE&2.", "MRG|SYN-9^^^OTHER&3."),
    ],
)
def test_what_is_odd_about_others_troubles_nobody(clinic: Clinic, message: str) -> None:
    (row,) = clinic.process(message)
    assert (row.state, row.reason) == ("not_ours", None)


def test_a_patient_with_a_former_number_beside_the_present_one_is_found(clinic: Clinic) -> None:
    both = "PID|1||SYN-0000^^^PRAIRIE^MR~SYN-0001^^^PRAIRIE^MR||Okafor^Adaeze"
    (row,) = clinic.process(adt("A08", "C-1", pid_=both))
    assert row.state == "applied"
    assert clinic.patient().name == "Adaeze Okafor"
    assert clinic.patient().mrn == "SYN-0001"


def test_two_patients_of_ours_in_one_message_wait_for_a_person(clinic: Clinic) -> None:
    clinic.add_patient("SYN-0002")
    both = "PID|1||SYN-0001^^^PRAIRIE^MR~SYN-0002^^^PRAIRIE^MR||Okafor^Ada"
    (row,) = clinic.process(adt("A08", "C-1", pid_=both))
    assert row.state == "set_aside"
    assert "share the record numbers" in str(row.reason)


def test_the_text_about_others_is_erased_after_some_days_and_that_it_came_is_not(
    clinic: Clinic,
) -> None:
    clinic.process(adt("A04", "C-1", pid_=pid("SYN-9999")), adt("A08", "C-2"))
    clinic.now += timedelta(days=6)
    erase_due(clinic.context)
    assert all(row.content for row in clinic.messages())
    clinic.now += timedelta(days=2)
    erase_due(clinic.context)
    others, ours = clinic.messages()
    assert (others.content, others.control_id, others.state) == (None, "C-1", "not_ours")
    assert ours.content is not None


def test_frames_of_no_sender_known_go_after_a_month(clinic: Clinic) -> None:
    clinic.take(b"hello")
    clinic.now += timedelta(days=29)
    erase_due(clinic.context)
    assert len(clinic.strays()) == 1
    clinic.now += timedelta(days=2)
    erase_due(clinic.context)
    assert clinic.strays() == []


def test_a_discharge_is_recorded_and_changes_no_demographics(clinic: Clinic) -> None:
    (row,) = clinic.process(adt("A03", "C-1", pid_=pid(name="Old^Name")))
    assert row.state == "applied"
    assert clinic.patient().name == "Ada Okafor"
    (event,) = clinic.events()
    assert (event.kind, event.document) == ("discharge", {"visit_number": "V-4711"})
    assert event.occurred_at == datetime(2026, 4, 1, 16, 59, tzinfo=UTC)


def test_what_a_message_said_can_not_be_changed(clinic: Clinic) -> None:
    clinic.process(adt("A03", "C-1"))
    with (
        pytest.raises(PatientEventIsFinal),
        clinic.context.database.begin(TENANT) as db,
    ):
        db.scalars(select(PatientEventRow)).one().kind = "admission"


def test_an_event_that_changes_nothing_here_is_accepted_and_left(clinic: Clinic) -> None:
    assert [row.state for row in clinic.process(adt("A02", "C-1"), adt("A99", "C-2"))] == [
        "ignored",
        "ignored",
    ]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (adt("A08", "P-1", pid_="NTE|1"), "0 PID segments"),
        (adt("A08", "P-1", pid()), "2 PID segments"),
        (adt("A08", "P-1", pid_=pid(born="1958")), "PID-7 is no full date"),
        (adt("A08", "P-1", pid_=pid(sex="X")), "PID-8"),
        (adt("A08", "P-1", pid_=pid(name="^^^^^^L")), "PID-5"),
        (adt("A08", "P-1", pid_=pid(name="Smith^Jo", born="19900101")), "both differ"),
        (merge("P-1", "SYN-0001", "SYN-0001"), "into itself"),
        (
            merge("P-1", "SYN-0001", "SYN-2").replace(
                "MRG|SYN-2^^^PRAIRIE&2.16.840.1.113883.3.9999.1&ISO", "MRG|SYN-2^^^OTHER"
            ),
            "only one number",
        ),
        (siu("S12", "P-1", start="").replace("AIS|", "AIG|"), "no start"),
        (siu("S12", "P-1", start="tomorrow"), "no timestamp"),
        (siu("S12", "P-1", end="202604100900-0500"), "ends before"),
    ],
)
def test_a_message_that_can_not_be_acted_on_is_set_aside_and_holds_up_nobody(
    clinic: Clinic, message: str, why: str
) -> None:
    rows = clinic.process(message, adt("A08", "C-2", pid_=pid(phone="555-0199^^PH")))
    assert [row.state for row in rows] == ["set_aside", "applied"]
    assert why in str(rows[0].reason)
    assert "Okafor" not in str(rows[0].reason)
    assert clinic.patient().demographics["phone"] == "555-0199"
    assert clinic.patient().name == "Ada B Okafor"


def test_an_error_of_ours_sets_the_message_aside_too(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("Ada Okafor")

    monkeypatch.setattr("app.hl7.process.read_siu", break_down)
    rows = clinic.process(siu("S12", "C-1"), adt("A08", "C-2"))
    assert [row.state for row in rows] == ["set_aside", "applied"]
    assert rows[0].reason is not None
    assert rows[0].reason.startswith("our error: RuntimeError at break_down:")


def test_damaged_settings_set_nothing_aside(clinic: Clinic) -> None:
    clinic.take(adt("A08", "C-1"))
    with clinic.context.database.begin(None) as db:
        db.get_one(Tenant, TENANT).hl7 = {"inbound": {"mrn_authority": []}}
    assert [row.state for row in clinic.process()] == ["waiting"]


# Order -------------------------------------------------------------------------------------------


def test_messages_are_acted_on_in_the_order_of_their_arrival(clinic: Clinic) -> None:
    phones = [f"555-01{number:02}" for number in range(20)]
    rows = clinic.process(
        *(
            adt("A08", f"C-{number}", pid_=pid(phone=f"{phone}^^PH"))
            for number, phone in enumerate(phones)
        )
    )
    assert {row.state for row in rows} == {"applied"}
    assert clinic.patient().demographics["phone"] == phones[-1]
    assert [event.document["changes"]["phone"] for event in clinic.events()] == phones


def test_several_workers_act_on_each_message_once(clinic: Clinic) -> None:
    for number in range(20):
        clinic.take(adt("A03", f"C-{number}"))
    counts: list[int] = []
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        counts.append(process_waiting(clinic.context, TENANT))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20
    assert [event.message_id for event in clinic.events()] == [row.id for row in clinic.messages()]


def test_what_the_chart_said_later_is_not_undone(clinic: Clinic) -> None:
    clinic.take(adt("A08", "C-1"))
    clinic.now += timedelta(minutes=5)
    with clinic.context.database.begin(TENANT) as db:
        db.get_one(PatientRow, clinic.patient_id).seen_at = clinic.now
    assert [row.state for row in clinic.process()] == ["superseded"]
    assert clinic.patient().demographics["phone"] == "555-0100"


# Merges ------------------------------------------------------------------------------------------


def test_the_given_up_number_of_our_patient_becomes_the_surviving_one(clinic: Clinic) -> None:
    (row,) = clinic.process(merge("C-1", "SYN-0777", "SYN-0001"))
    assert (row.state, row.reason) == ("applied", None)
    patient = clinic.patient()
    assert (patient.mrn, patient.demographics["mrn"]) == ("SYN-0777", "SYN-0777")
    assert clinic.events()[0].document == {
        "surviving_mrn": "SYN-0777",
        "given_up_mrn": "SYN-0001",
    }
    clinic.process(adt("A08", "C-2", pid_=pid("SYN-0777", phone="555-0123^^PH")))
    assert clinic.patient().demographics["phone"] == "555-0123"
    assert clinic.process(adt("A08", "C-3"))[-1].state == "not_ours"


def test_a_merge_into_our_patient_is_recorded(clinic: Clinic) -> None:
    (row,) = clinic.process(merge("C-1", "SYN-0001", "SYN-0666"))
    assert row.state == "applied"
    assert [event.kind for event in clinic.events()] == ["merge", "demographics"]
    assert clinic.patient().mrn == "SYN-0001"


def test_a_merge_of_others_is_not_ours(clinic: Clinic) -> None:
    assert clinic.process(merge("C-1", "SYN-5", "SYN-6"))[0].state == "not_ours"


def test_a_merge_of_two_patients_of_ours_waits_for_a_person_and_changes_nothing(
    clinic: Clinic,
) -> None:
    other = clinic.add_patient("SYN-0002")
    rows = clinic.process(
        merge("C-1", "SYN-0002", "SYN-0001"),
        adt("A08", "C-2", pid_=pid(phone="555-0123^^PH")),
    )
    assert [row.state for row in rows] == ["set_aside", "applied"]
    assert rows[0].reason == (
        "both patients of the merge are in care here; nothing was changed: "
        f"decide on patients {clinic.patient_id} (given up) and {other} (surviving), with "
        f"`homestretch patient merge {clinic.patient_id} --into {other}` and "
        f"`homestretch hl7 replay in-{rows[0].id}`, or `hl7 settle`"
    )
    assert (clinic.patient().mrn, clinic.patient(other).mrn) == ("SYN-0001", "SYN-0002")
    assert {event.patient_id for event in clinic.events()} == {clinic.patient_id}


def test_a_merge_that_names_another_person_changes_no_number(clinic: Clinic) -> None:
    (row,) = clinic.process(merge("C-1", "SYN-0777", "SYN-0001", name="Smith^Jo", born="19900101"))
    assert row.state == "set_aside"
    assert clinic.patient().mrn == "SYN-0001"
    assert clinic.events() == []


def test_two_rows_with_one_number_wait_for_a_person(clinic: Clinic) -> None:
    with clinic.context.database.begin(TENANT) as db:
        twin = db.get_one(PatientRow, clinic.add_patient("SYN-0002"))
        twin.demographics = {**twin.demographics, "mrn": "SYN-0001"}
    (row,) = clinic.process(adt("A08", "C-1"))
    assert row.state == "set_aside"
    assert "share the record numbers of one person" in str(row.reason)


def test_another_health_systems_patient_with_the_same_number_is_untouched(clinic: Clinic) -> None:
    clinic.add_tenant("lake", {"inbound": {"ports": [2576], "mrn_authority": ["PRAIRIE"]}})
    theirs = clinic.add_patient("SYN-0002", tenant_id="lake")
    assert clinic.process(adt("A08", "C-1", pid_=pid("SYN-0002")))[0].state == "not_ours"
    with clinic.context.database.begin("lake") as db:
        assert db.get_one(PatientRow, theirs).demographics["phone"] == "555-0100"


# Visits ------------------------------------------------------------------------------------------


def visits(clinic: Clinic) -> list[VisitRow]:
    with clinic.context.database.begin(TENANT) as db:
        start = datetime(2026, 4, 10, tzinfo=UTC)
        return visits_between(db, clinic.patient_id, start, start + timedelta(days=30))


def test_a_visit_is_booked_moved_and_cancelled(clinic: Clinic) -> None:
    clinic.process(siu("S12", "C-1"))
    (visit,) = visits(clinic)
    assert (visit.appointment_id, visit.status) == ("APT-1", "booked")
    assert visit.starts_at == datetime(2026, 4, 10, 15, 0, tzinfo=UTC)
    assert visit.ends_at == datetime(2026, 4, 10, 15, 45, tzinfo=UTC)
    clinic.process(siu("S13", "C-2", start="202604111000-0500", end="202604111030-0500"))
    (visit,) = visits(clinic)
    assert (visit.status, visit.starts_at.day) == ("booked", 11)
    clinic.process(siu("S15", "C-3", start="202604111000-0500", end=""))
    assert [visit.status for visit in visits(clinic)] == ["cancelled"]
    assert [event.kind for event in clinic.events()] == ["visit"] * 3


def test_a_missed_visit_is_known_and_its_end_comes_from_the_duration(clinic: Clinic) -> None:
    clinic.process(siu("S26", "C-1", end=""))
    (visit,) = visits(clinic)
    assert visit.status == "noshow"
    assert visit.ends_at == datetime(2026, 4, 10, 15, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "ends_minute"),
    [
        ("AIS|1|A|PT30|202604101000-0500|||1|h", 60),
        ("TQ1|1||||||202604101000-0500|202604101020-0500", 20),
        ("AIS|1|A|PT30|202604101000-0500|||3|fortnights", None),
    ],
)
def test_the_times_of_a_visit_stand_in_one_of_several_segments(
    clinic: Clinic, times: str, ends_minute: int | None
) -> None:
    head, sch, person, *_ = siu("S12", "C-1", start="", end="").split("\r")
    clinic.process("\r".join([head, sch, person, times]))
    (visit,) = visits(clinic)
    assert visit.starts_at == datetime(2026, 4, 10, 15, 0, tzinfo=UTC)
    wanted = None if ends_minute is None else visit.starts_at + timedelta(minutes=ends_minute)
    assert visit.ends_at == wanted


def test_visits_outside_the_span_and_of_others_are_not_given(clinic: Clinic) -> None:
    rows = clinic.process(
        siu("S12", "C-1", start="202604091000-0500", end="202604091100-0500"),
        siu("S12", "C-2", mrn="SYN-9999"),
    )
    assert [row.state for row in rows] == ["applied", "not_ours"]
    assert visits(clinic) == []
