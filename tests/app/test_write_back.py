"""What goes to which kind of EHR in which form, and that nothing goes twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import wait_for
from app.ehr import backend_client
from app.jobs.deliver import deliver_due
from app.outbox import MessageKind, set_aside, try_again
from app.outbox_command import outbox_lines
from app.range_tests import conclude_range_test
from app.store import Hl7OutboundRow, OutboxRow, PatientRow, RangeTestRow, Tenant
from app.write_back import WAYS, choose, hl7_type
from fhir.capability import Capabilities
from fhir.document_reference import read_structured_summary
from rtm.range_of_motion import RangeResult
from tests.app.test_hl7_outbound import Engine, destination, running
from tests.app.test_service import (
    PATIENT,
    count,
    open_program,
    result_of,
    series_file,
    sign_program,
    start_monitoring,
    upload,
)
from tests.conftest import World
from tests.fhir.r4 import r4_issues

TYPES = (
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "DocumentReference",
    "Device",
    "Communication",
    "Consent",
)
PAPER = "DocumentReference"
KINDS: tuple[MessageKind, ...] = ("prescription", "session", "range_test", "consent", "message")


def server(*creates: str, transaction: bool = False) -> Capabilities:
    return Capabilities(transaction, frozenset(creates), frozenset(), frozenset())


# Choosing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "capabilities", "way"),
    [
        ("prescription", server(*TYPES, transaction=True), "transaction"),
        ("prescription", server(*TYPES), "document"),
        ("prescription", server("Observation", "DocumentReference"), "document"),
        ("session", server("Observation", transaction=True), "transaction"),
        ("session", server("Observation"), "resources"),
        ("session", server("DocumentReference", transaction=True), "document"),
        ("range_test", server("Observation", "DocumentReference"), "resources"),
        ("range_test", server(), "hl7"),
        ("session", server(), "hl7"),
        ("message", server("Communication", transaction=True), "transaction"),
        ("message", server("Communication"), "resources"),
        ("consent", server("Consent", transaction=True), "transaction"),
        ("consent", server("Consent"), "resources"),
        ("consent", server("Observation", "DocumentReference", transaction=True), "document"),
        ("consent", server(), "hl7"),
    ],
)
def test_the_first_way_that_the_ehr_takes(
    kind: MessageKind, capabilities: Capabilities, way: str
) -> None:
    assert choose(kind, capabilities, hl7=["ORU^R01", "MDM^T02"]).way == way


def test_an_ehr_that_takes_nothing_is_told_of_with_every_reason() -> None:
    choice = choose("session", server())
    assert choice.way is None
    assert choice.why == (
        "transaction: the EHR takes no Observation; resources: the EHR takes no Observation; "
        "document: the EHR takes no DocumentReference; hl7: no HL7 v2 destination takes ORU^R01"
    )


@given(
    kind=st.sampled_from(KINDS),
    creates=st.sets(st.sampled_from(TYPES)),
    hl7=st.sets(st.sampled_from(["ORU^R01", "MDM^T02"])),
    transaction=st.booleans(),
    allowed=st.sets(st.sampled_from(WAYS)),
    refused=st.sets(st.sampled_from(WAYS)),
)
def test_no_way_is_chosen_against_the_settings_or_a_refusal(
    kind: MessageKind,
    creates: set[str],
    hl7: set[str],
    transaction: bool,
    allowed: set[str],
    refused: set[str],
) -> None:
    choice = choose(
        kind, server(*creates, transaction=transaction), hl7=hl7, allowed=allowed, refused=refused
    )
    assert choice.why
    if choice.way is not None:
        assert choice.way in allowed - refused
        needed = {"Observation", "CarePlan", PAPER, "Consent"}
        needed = {"Communication"} if kind == "message" else needed
        assert hl7 if choice.way == "hl7" else creates & needed
        assert kind != "message" or choice.way in ("transaction", "resources")


def test_a_range_test_goes_as_results_where_they_are_taken_else_as_a_page() -> None:
    assert hl7_type("range_test", ["MDM^T02", "ORU^R01"]) == "ORU^R01"
    assert hl7_type("range_test", ["MDM^T02"]) == "MDM^T02"
    assert hl7_type("range_test", []) is None
    assert choose("range_test", server(), hl7=["MDM^T02"]).way == "hl7"


# Every kind of EHR -------------------------------------------------------------------------------


def held(world: World, resource_type: str, **criteria: str) -> list[dict[str, Any]]:
    """What the EHR holds of the patient."""
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
    client = backend_client(world.context, tenant)
    return list(
        client.search(resource_type, {"patient": f"Patient/{PATIENT}", **criteria})
        if resource_type != "Observation"
        else client.search(
            resource_type,
            {"patient": f"Patient/{PATIENT}", "category": "activity,survey", **criteria},
        )
    )


def messages(world: World) -> dict[str, OutboxRow]:
    with world.context.database.begin(world.tenant_id) as db:
        return {row.kind: row for row in db.scalars(select(OutboxRow))}


def all_settled(world: World) -> bool:
    return count(world, OutboxRow, OutboxRow.status == "pending") == 0


def do_the_main_job(world: World, folder: Path) -> None:
    """Launch, program, session: and every message has found its way or been set aside."""
    sign_program(world)
    wait_for("the program", lambda: all_settled(world))
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, series_file(folder))
    assert result_of(patient, page)["status"] == "scored"
    wait_for("the session", lambda: len(messages(world)) == 2 and all_settled(world))


@pytest.mark.parametrize(
    ("profile", "ways", "plans", "observations", "documents"),
    [
        ("open", {"prescription": "transaction", "session": "transaction"}, 1, 4, 0),
        ("epic-like", {"prescription": "document", "session": "document"}, 0, 0, 2),
        ("cerner-like", {"prescription": "document", "session": "resources"}, 0, 4, 1),
    ],
)
def test_the_main_job_reaches_every_kind_of_ehr(
    make_world: Callable[..., World],
    tmp_path: Path,
    profile: str,
    ways: dict[str, str],
    plans: int,
    observations: int,
    documents: int,
) -> None:
    world = make_world(profile=profile)
    do_the_main_job(world, tmp_path)
    sent = messages(world)
    assert {kind: row.way for kind, row in sent.items()} == ways
    assert {row.status for row in sent.values()} == {"delivered"}
    assert len(held(world, "CarePlan", status="active")) == plans
    found = held(world, "Observation")
    assert len(found) == observations
    papers = held(world, "DocumentReference")
    assert len(papers) == documents
    assert r4_issues([*found, *papers]) == []
    for paper in papers:
        inside = read_structured_summary(paper)
        assert inside["resourceType"] == "Bundle"
        assert inside["entry"][0]["resource"]["resourceType"] in ("CarePlan", "Observation")
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    assert ("In the chart as a document: DocumentReference/" in chart) == (plans == 0)


@pytest.mark.parametrize("profile", ["open", "epic-like"])
def test_messages_reach_the_ehr_that_wants_them_once_and_no_other(
    make_world: Callable[..., World], profile: str
) -> None:
    world = make_world(profile=profile)
    walk.launch_chart(world.places, PATIENT)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    url = f"{world.places.app}/portal/messages/new"
    patient.submit(patient.get(url), {"subject": "Knee", "text": "Not for the EHR"})
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        ways = {"message": ["transaction", "resources"]}
        tenant.practice = {**tenant.practice, "write_back": ways}
    page = patient.get(url)
    for _ in range(2):
        patient.submit(page, {"subject": "Knee", "text": "It hurts."})
    wait_for("the message", lambda: messages(world) and all_settled(world))
    assert messages(world)["message"].status == "delivered"
    [found] = held(world, "Communication")
    assert found["payload"] == [{"contentString": "It hurts."}]
    assert found["sender"] == {"reference": f"Patient/{PATIENT}"}
    assert r4_issues([found]) == []


def test_an_ehr_that_takes_nothing_leaves_messages_for_a_person_and_can_be_tried_again(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(profile="read-only")
    do_the_main_job(world, tmp_path)
    assert {row.status for row in messages(world).values()} == {"stuck"}
    lines = list(outbox_lines(world.context, world.tenant_id))
    assert sum("takes no DocumentReference" in line for line in lines) == 2
    browser = walk.launch_chart(world.places, PATIENT)
    assert "Not in the chart" in browser.get(f"{world.places.app}/chart").text
    with world.context.database.begin(world.tenant_id) as db:
        ids = [row.id for row in set_aside(db)]
        assert try_again(db, ids, world.context.now()) == 2


def test_an_interface_engine_takes_what_the_ehrs_api_does_not(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(profile="read-only")
    engine = Engine()
    with running(engine) as port:
        with world.context.database.begin(None) as db:
            db.get_one(Tenant, world.tenant_id).hl7 = {"destinations": [destination(port)]}
        do_the_main_job(world, tmp_path)
        wait_for("both messages", lambda: len(engine.received) == 2, 30)
    sent = messages(world)
    assert {row.way for row in sent.values()} == {"hl7"}
    assert {row.status for row in sent.values()} == {"delivered"}
    kinds = {content.decode().split("|")[8] for content in engine.received}
    assert kinds == {"MDM^T02^MDM_T02", "ORU^R01^ORU_R01"}
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    assert "In the chart as a document: MDM^T02" in chart


def test_a_range_test_is_told_as_results_and_other_settings_tell_it_no_second_time(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False, profile="read-only")
    sign_program(world)
    with world.context.database.begin(world.tenant_id) as db:
        patient_id = db.scalars(select(PatientRow.id)).one()
        row = RangeTestRow(
            id="7a1d3f60-0000-4000-8000-000000000009",
            patient_id=patient_id,
            movement_id="knee_flexion",
            side="left",
            measured_at=world.context.now(),
            received_at=world.context.now(),
            recordings=["one.npz"],
            recordings_sha256="0",
            status="received",
        )
        db.add(row)
        db.flush()
        result = RangeResult("knee_flexion", "left", (112.4,), 112.4, None, ())
        conclude_range_test(world.context, db, row, result)

    def told() -> list[tuple[str, str]]:
        with world.context.database.begin(None) as db:
            tenant = db.get_one(Tenant, world.tenant_id)
            tenant.hl7 = {"destinations": [{**destination(9), "takes": takes}]}
        deliver_due(world.context, world.tenant_id, patient_id)
        with world.context.database.begin(world.tenant_id) as db:
            rows = db.scalars(
                select(Hl7OutboundRow).where(Hl7OutboundRow.subject.contains("range"))
            )
            return [(each.message_type, each.content) for each in rows]

    takes = ["ORU^R01", "MDM^T02"]
    ((message_type, content),) = told()
    assert message_type == "ORU^R01"
    assert "|112.4|deg^degree^UCUM|" in content
    assert "source_landmarks" in content
    with world.context.database.begin(world.tenant_id) as db:
        again = db.scalars(select(OutboxRow).where(OutboxRow.kind == "range_test")).one()
        again.status, again.next_attempt_at = "pending", world.context.now()
    takes = ["MDM^T02"]
    assert told() == [(message_type, content)]
    assert messages(world)["range_test"].status == "delivered"


# One effect --------------------------------------------------------------------------------------


def test_a_break_between_two_observations_makes_none_twice(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(profile="cerner-like")
    sign_program(world)
    wait_for("the program", lambda: all_settled(world))
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    world.plan_faults(status=503, count=0, latency_ms=120)
    page = upload(patient, world, series_file(tmp_path))
    assert result_of(patient, page)["status"] == "scored"
    wait_for("the first Observation", lambda: len(held(world, "Observation")) >= 1)
    world.plan_faults(status=503, count=6)
    wait_for("the session", lambda: len(messages(world)) == 2 and all_settled(world))
    assert len(held(world, "Observation")) == 4
    assert messages(world)["session"].attempts >= 2


def test_a_transaction_that_is_refused_after_all_goes_as_a_document(world: World) -> None:
    world.plan_faults(refuse_writes=["CarePlan"])
    sign_program(world)
    wait_for("the program", lambda: all_settled(world))
    message = messages(world)["prescription"]
    assert (message.status, message.way, message.ways_refused) == (
        "delivered",
        "document",
        ["transaction"],
    )
    assert message.way_why is not None
    assert "transaction: refused by the EHR when tried" in message.way_why
    assert held(world, "CarePlan", status="active") == []
    assert len(held(world, "DocumentReference")) == 1


def test_a_change_of_what_the_ehr_takes_sends_nothing_a_second_time(world: World) -> None:
    world.plan_faults(refuse_writes=["CarePlan"])
    sign_program(world)
    wait_for("the program", lambda: all_settled(world))
    world.plan_faults()
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(OutboxRow)).one()
        row.status, row.next_attempt_at = "pending", world.context.now() - timedelta(seconds=1)
        row.leased_until = None
    wait_for("the message", lambda: all_settled(world))
    assert len(held(world, "DocumentReference")) == 1
    assert held(world, "CarePlan", status="active") == []


def test_a_new_version_replaces_the_document_of_the_one_before(
    make_world: Callable[..., World],
) -> None:
    world = make_world(profile="epic-like")
    for _ in range(2):
        browser, page = open_program(world)
        browser.submit(page, {})
        wait_for("the program", lambda: all_settled(world))
    first, second = sorted(held(world, "DocumentReference"), key=lambda paper: paper["date"])
    assert "relatesTo" not in first
    assert second["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first['id']}"


def test_settings_may_ask_for_a_document_where_the_ehr_takes_resources(world: World) -> None:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        tenant.practice = {**tenant.practice, "write_back": {"prescription": ["document"]}}
    sign_program(world)
    wait_for("the program", lambda: all_settled(world))
    assert messages(world)["prescription"].way == "document"


# Consent -----------------------------------------------------------------------------------------


def consents(world: World) -> list[dict[str, Any]]:
    with world.context.database.begin(None) as db:
        client = backend_client(world.context, db.get_one(Tenant, world.tenant_id))
    return list(client.search("Consent", {"patient": f"Patient/{PATIENT}"}))


def test_the_consent_to_monitoring_is_in_the_chart_once_whatever_is_sent_again(
    world: World,
) -> None:
    start_monitoring(world)
    wait_for("the messages", lambda: all_settled(world))
    message = messages(world)["consent"]
    assert (message.status, message.way) == ("delivered", "transaction")
    (consent,) = consents(world)
    assert r4_issues([consent]) == []
    assert (consent["status"], consent["provision"]["type"]) == ("active", "permit")
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(OutboxRow, message.id)
        row.status, row.next_attempt_at = "pending", world.context.now()
    wait_for("the message again", lambda: all_settled(world))
    assert len(consents(world)) == 1


@pytest.mark.parametrize("profile", ["epic-like", "cerner-like"])
def test_an_ehr_without_consents_gets_a_page_that_says_what_was_agreed_to(
    make_world: Callable[..., World], profile: str
) -> None:
    world = make_world(profile=profile)
    start_monitoring(world)
    wait_for("the messages", lambda: all_settled(world))
    assert messages(world)["consent"].way == "document"
    papers = {paper["description"]: paper for paper in held(world, "DocumentReference")}
    paper = papers["Consent to remote therapeutic monitoring"]
    inside = read_structured_summary(paper)["entry"][0]["resource"]
    assert inside["resourceType"] == "Consent"
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(OutboxRow, messages(world)["consent"].id)
        row.status, row.next_attempt_at = "pending", world.context.now()
    wait_for("the message again", lambda: all_settled(world))
    again = [p["description"] for p in held(world, "DocumentReference")]
    assert again.count("Consent to remote therapeutic monitoring") == 1


def test_a_consent_that_is_refused_after_all_goes_as_a_document(world: World) -> None:
    world.plan_faults(refuse_writes=["Consent"])
    start_monitoring(world)
    wait_for("the messages", lambda: all_settled(world))
    message = messages(world)["consent"]
    assert (message.way, message.ways_refused) == (
        "document",
        ["transaction", "resources"],
    )
    world.plan_faults()
    assert consents(world) == []


def test_a_health_system_that_keeps_consents_itself_is_sent_none(world: World) -> None:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        tenant.practice = {**tenant.practice, "write_back": {"consent": []}}
    start_monitoring(world)
    wait_for("the messages", lambda: all_settled(world))
    assert "consent" not in messages(world)
    assert consents(world) == []
