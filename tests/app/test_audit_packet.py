"""Audit packets over HTTP and from the command line, for real claims of a real export."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator
from pypdf import PdfReader
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from app.billing_office.audit_packet import read_packet
from app.billing_office.claim_book import read_claim
from app.billing_office.claim_events import record_event
from app.billing_office.corrections import correct, void
from app.billing_office.export import export_month
from app.cli import main
from app.demo.browser import Browser, DemoFailed
from app.rtm_book import record_fact, record_interaction, record_manual_time
from app.store import (
    ClaimLineRow,
    ClaimRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    Tenant,
    to_document,
)
from billing.audit_packet_pdf import audit_packet_pdf
from billing.claim_state import ClaimEvent, LineResult
from rtm.ledger import Correction, TimeEntry
from rtm.protocols import draft_program, load_protocols
from tests.app.synthetic_practice import NPI, Monitored, write_practice
from tests.app.test_worklist_pages import biller
from tests.conftest import World

NOW = datetime(2026, 11, 5, 15, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
MONTH, START = "2026-10", date(2026, 10, 2)
PERSON = Monitored("Ñandú", START, days=18, minutes=47, talk=True)
SCHEMA = json.loads(files("billing").joinpath("audit_packet.schema.json").read_text("utf-8"))


def therapist() -> PractitionerRow:
    return PractitionerRow(
        fhir_user="Practitioner/terry-alvarez",
        name="Terry Alvarez",
        family="Alvarez",
        given="Terry",
        npi=NPI,
        taxonomy="225100000X",
        provider_kind="pt",
    )


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A practice on 5 November 2026 with one billable patient, exported that day."""
    made = make_world(worker=False)
    context = replace(made.context, now=lambda: NOW)
    made.app.extensions["homestretch"] = context
    world = replace(made, context=context)
    with context.database.begin(world.tenant_id) as db:
        (patient_id,) = write_practice(db, world.tenant_id, [PERSON])
        signer = therapist()
        db.add(signer)
        db.flush()
        protocol = load_protocols()["knee_strengthening"]
        phase = next(iter(protocol.phases))
        program = draft_program(protocol, phase, id="program-1", start=START, side="right")
        db.add(
            ProgramRow(
                patient_id=patient_id,
                program_id=program.id,
                version=1,
                document=to_document(program),
                signing_key="k1",
                signed_by=signer.id,
                signed_at=datetime(2026, 10, 2, 15, tzinfo=UTC),
                careplan_reference="CarePlan/41",
                read_back_at=None,
            )
        )
    export_month(context, world.tenant_id, MONTH, "837p")
    return world


@pytest.fixture
def claim_id(world: World) -> str:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(ClaimRow.claim_id)).one()


def url(world: World, claim_id: str, format_: str) -> str:
    return f"{world.places.app}/office/claims/{claim_id}/packet.{format_}"


def downloaded(world: World, claim_id: str) -> dict[str, Any]:
    document: dict[str, Any] = biller(world).get(url(world, claim_id, "json")).json()
    return document


def test_a_biller_downloads_the_packet_and_it_is_as_the_schema_says(
    world: World, claim_id: str
) -> None:
    answer = biller(world).get(url(world, claim_id, "json"))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert f"audit-packet-{claim_id}.json" in answer.headers["Content-Disposition"]
    document = answer.json()
    assert [fault.message for fault in Draft202012Validator(SCHEMA).iter_errors(document)] == []
    assert document["findings"] == []
    assert document["programs"][0]["careplan_reference"] == "CarePlan/41"


def test_sums_days_and_minutes_are_those_of_the_claim(world: World, claim_id: str) -> None:
    document = downloaded(world, claim_id)
    with world.context.database.begin(world.tenant_id) as db:
        claim = read_claim(db, claim_id)
    lines = {line["code"]: line for line in document["lines"]}
    assert sum(Decimal(line["amount"]) for line in lines.values()) == claim.total
    assert {code: line["units"] for code, line in lines.items()} == {
        line.charge.code: line.charge.units for line in claim.lines
    }
    assert len(lines["98977"]["days"]) == 18
    minutes = sum(part["seconds"] for code in ("98980", "98981") for part in lines[code]["work"])
    assert minutes == 40 * 60
    (rest,) = lines["98981"]["month_work_elsewhere"][-1:]
    assert rest["seconds"] == 7 * 60


def test_the_pdf_holds_every_entry_of_the_ledger(world: World, claim_id: str) -> None:
    answer = biller(world).get(url(world, claim_id, "pdf"))
    assert answer.headers["Content-Type"] == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    squeezed = "".join(text.split())
    with world.context.database.begin(world.tenant_id) as db:
        ids = db.scalars(select(LedgerFactRow.id)).all()
    assert len(ids) == 20
    assert all(id_ in squeezed for id_ in ids)
    assert "SyntheticÑandú" in squeezed
    assert "giveseveryline" in squeezed


def test_what_was_recorded_after_the_claim_left_stands_apart(world: World, claim_id: str) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        patient = db.scalars(select(PatientRow)).one()
        signer = db.scalars(select(PractitionerRow).where(PractitionerRow.npi == NPI)).one()
        record_manual_time(
            db,
            patient.id,
            signer,
            day=date(2026, 10, 20),
            minutes=30,
            activity="review, entered late",
            now=LATER,
        )
        record_interaction(
            db,
            patient,
            signer,
            local_at=datetime(2026, 10, 21, 9),
            kind="video",
            minutes=5,
            now=LATER,
        )
    document = downloaded(world, claim_id)
    assert document["findings"] == []
    late = [record for record in document["time"] if record["after_claim"]]
    assert [record["original"]["activity"] for record in late] == ["review, entered late"]
    assert late[0]["counted_in"] == []
    month = next(line for line in document["lines"] if line["code"] == "98980")
    assert len(month["after_claim"]) == 2


def test_a_correction_since_then_is_shown_with_author_and_reason(
    world: World, claim_id: str
) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(LedgerFactRow).where(LedgerFactRow.kind == "time_entry")).one()
        fix = Correction("fix-1", row.id, "Terry Alvarez", "typed wrong", LATER, None, NPI)
        db.add(
            LedgerFactRow(
                id=fix.id,
                patient_id=row.patient_id,
                episode_id=row.episode_id,
                kind="correction",
                document=to_document(fix),
                recorded_at=LATER,
                recorded_by="Terry Alvarez",
            )
        )
    (record,) = downloaded(world, claim_id)["time"]
    assert record["counted_in"]
    assert record["now"] is None
    (revision,) = record["revisions"]
    assert revision["after_claim"] is True
    assert revision["correction"]["reason"] == "typed wrong"


def test_facts_that_do_not_give_the_claim_are_said_on_the_first_page(
    world: World, claim_id: str
) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        # Nobody can do this through the service: facts are never deleted.
        db.execute(delete(LedgerFactRow).where(LedgerFactRow.id.like("day-%-17")))
    browser = biller(world)
    findings = browser.get(url(world, claim_id, "json")).json()["findings"]
    assert any("2026-10-19" in finding["why"] for finding in findings)
    content = browser.get(url(world, claim_id, "pdf")).content
    assert "FINDING" in PdfReader(io.BytesIO(content)).pages[0].extract_text()


def test_a_second_claim_of_the_patient_is_recounted_beside_the_first(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        talkless = replace(PERSON, name="Talkless", talk=False)
        (patient_id,) = write_practice(db, world.tenant_id, [talkless], first_id=2000)
    export_month(world.context, world.tenant_id, MONTH, "837p")
    with world.context.database.begin(world.tenant_id) as db:
        record_interaction(
            db,
            db.get_one(PatientRow, patient_id),
            db.scalars(select(PractitionerRow).where(PractitionerRow.npi == NPI)).one(),
            local_at=datetime(2026, 10, 21, 9),
            kind="video",
            minutes=5,
            now=NOW + timedelta(hours=1),
        )
    later = replace(world.context, now=lambda: NOW + timedelta(hours=2))
    export_month(later, world.tenant_id, MONTH, "837p")
    with world.context.database.begin(world.tenant_id) as db:
        ids = db.scalars(
            select(ClaimRow.claim_id).where(ClaimRow.patient_id == patient_id).order_by(ClaimRow.id)
        ).all()
    first, second = (read_packet(later, world.tenant_id, id_, "Robin") for id_ in ids)
    assert (first.findings, second.findings) == ((), ())
    assert [line.code for line in first.lines] == ["98975", "98977"]
    assert [line.code for line in second.lines] == ["98980", "98981"]
    # The talk came after the first claim had left, and before the second.
    assert [record.after_claim for record in first.contacts] == [True]
    assert [record.after_claim for record in second.contacts] == [False]


def test_time_of_another_patient_counts_as_it_stood_when_the_claim_left(world: World) -> None:
    """Both patients' entries hold 14:02 to 14:20; the other's was begun first, and retracted
    after the claim had left."""
    with world.context.database.begin(world.tenant_id) as db:
        quiet = replace(PERSON, minutes=0)
        mine, other = write_practice(
            db, world.tenant_id, [replace(quiet, name="Mine"), replace(quiet, name="Other")], 3000
        )
        for patient, name, minute in ((other, "first", 0), (mine, "second", 2)):
            begun = datetime(2026, 10, 14, 14, minute, tzinfo=UTC)
            length = timedelta(minutes=40 if patient == mine else 20)
            entry = TimeEntry(
                name,
                date(2026, 10, 14),
                int(length.total_seconds()),
                "pt",
                "review",
                begun,
                begun + length,
                NPI,
                author="Terry Alvarez",
                signed_at=begun + length,
            )
            episode = f"episode-{patient}"
            record_fact(db, patient, episode, entry, "Terry Alvarez", NOW - timedelta(days=9))
    export_month(world.context, world.tenant_id, MONTH, "837p")
    with world.context.database.begin(world.tenant_id) as db:
        fix = Correction("gone", "first", "Terry Alvarez", "no such work", LATER, None, NPI)
        record_fact(db, other, f"episode-{other}", fix, "Terry Alvarez", LATER)
        claim_id = db.scalars(select(ClaimRow.claim_id).where(ClaimRow.patient_id == mine)).one()
    packet = read_packet(world.context, world.tenant_id, claim_id, "Robin")
    assert packet.findings == ()
    (record,) = packet.time
    assert record.counted_seconds == 22 * 60
    assert "the author's time for another patient (09:00:00-09:20:00)" in record.not_counted[0]


def test_a_correction_and_a_void_have_packets_of_their_own(world: World, claim_id: str) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        patient = db.scalars(select(PatientRow)).one()
        signer = db.scalars(select(PractitionerRow).where(PractitionerRow.npi == NPI)).one()
        record_manual_time(
            db,
            patient.id,
            signer,
            day=date(2026, 10, 20),
            minutes=30,
            activity="review, entered late",
            now=NOW + timedelta(hours=1),
        )
        known = ClaimEvent(
            claim_id, "acknowledged", NOW.date(), "277CA 1", payer_claim_number="ICN-1"
        )
        record_event(db, known, at=NOW, by="test")
    later = replace(world.context, now=lambda: LATER)
    corrected = correct(later, world.tenant_id, claim_id, "time was missing", "Robin").claim_id
    packet = read_packet(later, world.tenant_id, corrected, "Robin")
    assert packet.findings == ()
    units = {line.code: line.units for line in packet.lines}
    assert units == {"98975": 1, "98977": 1, "98980": 1, "98981": 2}
    assert read_packet(later, world.tenant_id, claim_id, "Robin").findings == ()
    with world.context.database.begin(world.tenant_id) as db:
        for kind in ("acknowledged", "remitted"):
            event = ClaimEvent(
                corrected,
                kind,  # type: ignore[arg-type]  # one of the two above
                LATER.date(),
                f"{kind} 2",
                payer_claim_number="ICN-2",
                lines=(LineResult(None, Decimal(9), Decimal(9)),) if kind == "remitted" else (),
            )
            record_event(db, event, at=LATER, by="test")
    voided = void(later, world.tenant_id, corrected, "billed by mistake", "Robin").claim_id
    shown = read_packet(later, world.tenant_id, voided, "Robin")
    assert (shown.claim.frequency, shown.findings) == ("8", ())
    first = PdfReader(io.BytesIO(audit_packet_pdf(shown))).pages[0].extract_text()
    assert "A void: its lines are those that it takes back" in first


# Who may, and what is refused ---------------------------------------------------------------------


def test_a_claim_of_another_health_system_is_not_there(world: World, claim_id: str) -> None:
    with world.context.database.begin(None) as db:
        ours = db.get_one(Tenant, world.tenant_id)
        other = Tenant(
            **{
                column.name: getattr(ours, column.name)
                for column in Tenant.__table__.columns
                if column.name not in ("id", "iss")
            },
            id="other",
            iss="https://other.example/fhir",
        )
        db.add(other)
    with world.context.database.begin("other") as db:
        write_practice(db, "other", [PERSON], first_id=5000)
        db.add(therapist())
    export_month(world.context, "other", MONTH, "837p")
    with world.context.database.begin("other") as db:
        theirs = db.scalars(select(ClaimRow.claim_id)).one()
    assert theirs != claim_id
    for format_ in ("pdf", "json"):
        with pytest.raises(DemoFailed, match="404"):
            biller(world).get(url(world, theirs, format_))


def test_an_unknown_claim_is_not_found_and_says_so(world: World) -> None:
    with pytest.raises(DemoFailed, match="404"):
        biller(world).get(url(world, "0099900999", "pdf"))
    with pytest.raises(DemoFailed, match="404"):
        biller(world).get(url(world, "0099900999", "xml"))


def test_nobody_else_gets_a_packet(world: World, claim_id: str) -> None:
    answer = requests.get(url(world, claim_id, "json"), timeout=10)
    assert answer.status_code == 401
    with pytest.raises(DemoFailed, match="401"):
        Browser().get(url(world, claim_id, "pdf"))


def test_a_claim_from_before_claims_were_kept_is_refused_with_the_reason(
    world: World, claim_id: str
) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        line = db.scalars(select(ClaimLineRow)).first()
        assert line is not None
        line.claim_id = "0000000001"
    with pytest.raises(DemoFailed, match="404"):
        biller(world).get(url(world, "0000000001", "pdf"))


def test_no_patient_data_is_in_the_log(world: World, claim_id: str) -> None:
    browser = biller(world)
    with capture_logs() as logged:
        browser.get(url(world, claim_id, "pdf"))
    assert "Ñandú" not in json.dumps(logged, default=str, ensure_ascii=False)


def test_the_page_of_the_claim_links_to_its_packet(world: World, claim_id: str) -> None:
    page = biller(world).get(f"{world.places.app}/office/claim/{claim_id}")
    assert f"/office/claims/{claim_id}/packet.pdf" in page.text
    assert f"/office/claims/{claim_id}/packet.json" in page.text


# The command line ---------------------------------------------------------------------------------


def command(world: World, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of `homestretch` on the world's database."""
    from click.testing import CliRunner

    monkeypatch.setenv("HOMESTRETCH_DATA_DIR", str(world.context.settings.data_dir))
    result = CliRunner().invoke(main, ["claims", "packet", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("suffix", "begins"), [("pdf", b"%PDF"), ("json", b"{")])
def test_the_command_writes_the_packet_in_the_format_of_the_suffix(
    world: World,
    claim_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    begins: bytes,
) -> None:
    out = tmp_path / f"packet.{suffix}"
    code, said, _ = command(world, monkeypatch, claim_id, "--out", str(out))
    assert (code, said) == (0, f"{out}: audit packet of claim {claim_id}\n")
    assert out.read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("name", "claim", "words"),
    [
        ("packet.doc", None, "name a file that ends in .pdf or .json"),
        ("packet", None, "name a file that ends in .pdf or .json"),
        ("nowhere/packet.pdf", None, "there is no folder"),
        ("packet.pdf", "0099900999", "no claim 0099900999 left from here"),
    ],
)
def test_the_command_refuses_in_one_line(
    world: World,
    claim_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    claim: str | None,
    words: str,
) -> None:
    out = tmp_path / name
    code, _, said = command(world, monkeypatch, claim or claim_id, "--out", str(out))
    assert code == 2
    assert words in said
    assert not out.exists()


def test_time_signed_later_than_the_claim_left_does_not_count(world: World, claim_id: str) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(LedgerFactRow).where(LedgerFactRow.kind == "time_entry")).one()
        entry = TimeEntry(
            "timer:late", date(2026, 10, 14), 300, "pt", "review", npi=NPI, source="timer"
        )
        db.add(
            LedgerFactRow(
                id=entry.id,
                patient_id=row.patient_id,
                episode_id=row.episode_id,
                kind="time_entry",
                document=to_document(entry),
                recorded_at=NOW - timedelta(days=5),
                recorded_by="Terry Alvarez",
            )
        )
    document = downloaded(world, claim_id)
    timer = next(r for r in document["time"] if r["original"]["id"] == "timer:late")
    assert timer["signature"] is None
    assert any("not signed" in why for why in timer["not_counted"])
