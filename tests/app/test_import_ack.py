"""What came back, imported: events find their claim, once, and charges are freed by them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from app.billing_office.acknowledgements import ImportDone, ImportRefused, import_answers
from app.billing_office.claim_events import UnbillRefused, read_state, unbill
from app.billing_office.export import ExportRefused, export_month
from app.config import Settings
from app.context import Context, open_context
from app.demo import walk
from app.demo.history import STORIES, history_month, write_history
from app.demo.tenant import TENANT_ID, register
from app.store import (
    ClaimEventRow,
    ClaimExportRow,
    ClaimFileRow,
    ClaimLineRow,
    EpisodeRow,
    EventIsFinal,
    PatientRow,
    Tenant,
)
from app.store.base import Database
from app.store.upgrade import is_current, upgrade
from tests.app.test_cli import homestretch
from tests.conftest import World
from tests.packaging.processes import ROOT

GOLDEN = Path(__file__).parents[1] / "billing" / "golden"
TA1, IMPLEMENTATION, CLAIMS, REMITTANCE = (
    (GOLDEN / f"answers-{kind}.edi").read_bytes() for kind in ("ta1", "999", "277ca", "835")
)
NOW = datetime(2026, 4, 20, 15, tzinfo=UTC)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A database with one export of two claims, HS-1 and HS-2, of three lines each."""
    opened = open_context(Settings(data_dir=tmp_path / "data"), now=lambda: NOW)
    upgrade(opened.database.engine)
    register(opened, "http://ehr.test")
    with opened.database.begin(TENANT_ID) as db:
        patient = PatientRow(
            fhir_id="1", name="Ana", birth_date=date(1952, 3, 14), time_zone="UTC", seen_at=NOW
        )
        db.add(patient)
        db.flush()
        db.add(EpisodeRow(id="E", patient_id=patient.id, document={}, recorded_at=NOW))
        export = ClaimExportRow(
            month="2026-03",
            format="837p",
            control_number=1,
            exported_at=NOW,
            sha256="",
            content="",
            claim_count=2,
            total="231.80",
        )
        db.add(export)
        db.flush()
        for claim_id in ("HS-1", "HS-2"):
            for place, code in enumerate(("98975", "98977", "98980"), start=1):
                db.add(
                    ClaimLineRow(
                        export_id=export.id,
                        patient_id=patient.id,
                        episode_id="E",
                        charge_key=f"{claim_id}:{code}",
                        code=code,
                        units=1,
                        service_date=date(2026, 3, 31),
                        claim_id=claim_id,
                        line_id=f"{claim_id}-{place}",
                        modifiers=["GP"],
                    )
                )
    return opened


def _import(context: Context, content: bytes) -> ImportDone:
    return import_answers(context, TENANT_ID, "answer.edi", content, "a test")


def _status(context: Context, claim_id: str = "HS-1") -> str:
    with context.database.begin(TENANT_ID) as db:
        return read_state(db, claim_id).status


def _released(context: Context, claim_id: str) -> int:
    with context.database.begin(TENANT_ID) as db:
        counted = db.scalar(
            select(func.count(ClaimLineRow.id)).where(
                ClaimLineRow.claim_id == claim_id, ClaimLineRow.released_at.is_not(None)
            )
        )
    return int(counted or 0)


def _count(context: Context, table: type[ClaimEventRow] | type[ClaimFileRow]) -> int:
    with context.database.begin(TENANT_ID) as db:
        return int(db.scalar(select(func.count(table.id))) or 0)


def test_every_answer_moves_its_claim(context: Context) -> None:
    assert _import(context, TA1).states == {"accepted": 2}
    done = _import(context, CLAIMS)
    assert (done.states, done.released) == ({"acknowledged": 1, "rejected": 1}, 3)
    paid = _import(context, REMITTANCE)
    assert (paid.states, f"{paid.paid}") == ({"partly_paid": 1}, "61.91")
    assert paid.findings == (
        "interchange 000000903, 835 0001: provider adjustment L6 (interest) -1.25, HS-1",
    )
    with context.database.begin(TENANT_ID) as db:
        state = read_state(db, "HS-1")
    assert state.payer_claim_number == "2026092000001"
    assert [line.is_denied for line in state.lines] == [False, True, False]


def test_a_file_imported_twice_has_one_effect(context: Context) -> None:
    first, again = _import(context, CLAIMS), _import(context, CLAIMS)
    assert (first.new_events, first.imported_before) == (2, None)
    assert (again.new_events, again.released, again.imported_before) == (0, 0, NOW)
    assert again.states == first.states
    assert (_count(context, ClaimFileRow), _count(context, ClaimEventRow)) == (1, 2)


def test_the_same_answers_in_another_envelope_are_the_same_events(context: Context) -> None:
    _import(context, REMITTANCE)
    again = _import(context, REMITTANCE.replace(b"000000903", b"000000777"))
    assert (again.new_events, _count(context, ClaimFileRow)) == (0, 2)


def test_answers_may_arrive_in_the_wrong_order(context: Context) -> None:
    for content in (REMITTANCE, CLAIMS, TA1):
        _import(context, content)
    assert _status(context) == "partly_paid"


def test_a_file_keeps_bytes_importer_and_findings(context: Context) -> None:
    _import(context, REMITTANCE)
    with context.database.begin(TENANT_ID) as db:
        (row,) = db.scalars(select(ClaimFileRow)).all()
    assert (row.content, row.imported_by, len(row.findings)) == (REMITTANCE, "a test", 1)


def test_a_rejected_file_frees_every_charge_in_it(context: Context) -> None:
    done = _import(context, IMPLEMENTATION)
    assert (done.states, done.released) == ({"rejected": 2}, 6)


def test_a_payment_for_an_unknown_claim_stops_nothing_else(context: Context) -> None:
    strange = REMITTANCE.replace(b"CLP*HS-1*", b"CLP*HS-9*").replace(b"EFT-903", b"EFT-904")
    done = _import(context, strange + REMITTANCE)
    assert done.states == {"partly_paid": 1}
    assert any("HS-9 never left from here" in finding for finding in done.findings)


def test_a_payment_that_contradicts_is_refused_and_told(context: Context) -> None:
    _import(context, REMITTANCE)
    done = _import(context, REMITTANCE.replace(b"EFT-903", b"EFT-904"))
    assert done.states == {"partly_paid": 1}
    assert any("a claim that is partly paid can't be remitted" in why for why in done.findings)


def test_a_sum_that_does_not_come_out_is_told_and_the_payment_kept(context: Context) -> None:
    done = _import(context, REMITTANCE.replace(b"BPR*I*61.91", b"BPR*I*60.91"))
    assert done.states == {"partly_paid": 1}
    assert any("60.91 is stated" in finding for finding in done.findings)


def test_a_line_that_is_not_the_claims_is_told(context: Context) -> None:
    done = _import(context, REMITTANCE.replace(b"REF*6R*HS-1-2", b"REF*6R*HS-1-7"))
    assert any("has no line HS-1-7" in finding for finding in done.findings)


def test_a_set_that_can_not_be_understood_costs_no_other(context: Context) -> None:
    done = _import(context, CLAIMS + REMITTANCE.replace(b"BPR*I*61.91", b"BPR*I*much"))
    assert done.states == {"acknowledged": 1, "rejected": 1}
    assert any("BPR02" in finding for finding in done.findings)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TA1.replace(b"TA1*000000001", b"TA1*000000077"), "no export has the control number 77"),
        (IMPLEMENTATION.replace(b"AK1*HC*1*", b"AK1*HC*77*"), "no export has the group 77"),
        (IMPLEMENTATION.replace(b"AK2*837*0001", b"AK2*837*0009"), "transaction set 0009"),
    ],
)
def test_an_answer_to_a_file_that_never_left_is_told(
    context: Context, content: bytes, says: str
) -> None:
    done = _import(context, content)
    assert done.new_events == 0
    assert any(says in finding for finding in done.findings)


@pytest.mark.parametrize("content", [b"", b"hello", TA1[:107]])
def test_what_holds_no_answer_is_refused_and_not_kept(context: Context, content: bytes) -> None:
    with pytest.raises(ImportRefused):
        _import(context, content)
    assert _count(context, ClaimFileRow) == 0


def test_another_health_systems_claims_are_out_of_reach(context: Context) -> None:
    with context.database.begin(None) as db:
        ours = db.get_one(Tenant, TENANT_ID)
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="http://other.test",
                clinician_client_id=ours.clinician_client_id,
                portal_client_id=ours.portal_client_id,
                backend_client_id=ours.backend_client_id,
                time_zone=ours.time_zone,
            )
        )
    done = import_answers(context, "other", "answer.edi", REMITTANCE, "a test")
    assert (done.new_events, done.states) == (0, {})
    assert _status(context) == "exported"


def test_an_event_is_final(context: Context) -> None:
    _import(context, REMITTANCE)
    with context.database.begin(TENANT_ID) as db:
        row = db.scalars(select(ClaimEventRow).limit(1)).one()
        row.kind = "remitted"
        with pytest.raises(EventIsFinal):
            db.flush()
        db.expunge(row)


# Taking back --------------------------------------------------------------------------------------


def test_a_claim_that_was_never_uploaded_is_taken_back(context: Context) -> None:
    assert unbill(context, TENANT_ID, "HS-1", "never uploaded", "a test") == 3
    assert (_status(context), _released(context, "HS-1")) == ("unbilled", 3)
    assert _released(context, "HS-2") == 0


@pytest.mark.parametrize(
    ("claim_id", "reason", "says"),
    [("HS-9", "typo", "not known"), ("HS-1", "", "needs a reason")],
)
def test_what_can_not_be_taken_back_is_refused(
    context: Context, claim_id: str, reason: str, says: str
) -> None:
    with pytest.raises(UnbillRefused, match=says):
        unbill(context, TENANT_ID, claim_id, reason, "a test")


def test_a_claim_with_the_payer_is_not_taken_back(context: Context) -> None:
    _import(context, CLAIMS)
    with pytest.raises(UnbillRefused, match="acknowledged can't be un-billed"):
        unbill(context, TENANT_ID, "HS-1", "changed my mind", "a test")
    assert _released(context, "HS-1") == 0


def test_a_freed_charge_may_leave_once_more_and_no_charge_twice(context: Context) -> None:
    def again() -> None:
        with context.database.begin(TENANT_ID) as db:
            line = db.scalars(select(ClaimLineRow).where(ClaimLineRow.line_id == "HS-1-1")).one()
            copy = {
                column.key: getattr(line, column.key)
                for column in ClaimLineRow.__table__.columns
                if column.key not in ("id", "released_at")
            }
            db.add(ClaimLineRow(**{**copy, "claim_id": "HS-3", "line_id": "HS-3-1"}))

    with pytest.raises(IntegrityError):
        again()
    unbill(context, TENANT_ID, "HS-1", "never uploaded", "a test")
    again()
    with pytest.raises(IntegrityError):
        again()


# From the exporter to the command -----------------------------------------------------------------


def test_an_exported_claim_is_rejected_and_leaves_again_under_a_new_name(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(worker=False)
    story = next(story for story in STORIES if story.patient == "samuel-brandt")
    walk.launch_chart(world.places, story.patient)
    write_history(world.context, [story])
    month = f"{history_month(world.context.now().date())[0]:%Y-%m}"
    first = export_month(world.context, world.tenant_id, month, "837p")
    assert first.warned
    (claim_id,) = re.findall(r"CLM\*(\w+)\*", first.content)
    assert f"REF*6R*{claim_id}-1~" in first.content
    with pytest.raises(ExportRefused, match="nothing new"):
        export_month(world.context, world.tenant_id, month, "dft")
    rejection = import_answers(world.context, world.tenant_id, "999.edi", IMPLEMENTATION, "a test")
    assert (rejection.states, rejection.released) == ({"rejected": 1}, first.line_count)
    second = export_month(world.context, world.tenant_id, month, "837p")
    assert not second.again
    assert (second.line_count, second.total) == (first.line_count, first.total)
    assert f"CLM*{claim_id}*" not in second.content


def test_the_command_tells_what_it_read_and_what_to_look_at(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "835.edi").write_bytes(REMITTANCE)
    done = homestretch("claims", "import-ack", "835.edi", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "835.edi: 1 answers, 1 new events; claims: 1 partly paid; paid 61.91; "
        "0 charges to bill anew\n"
    )
    assert done.stderr.startswith("homestretch: finding: interchange 000000903")
    again = homestretch("claims", "import-ack", "835.edi", "--tenant", TENANT_ID, cwd=tmp_path)
    assert "imported before, on 2" in again.stdout
    assert "0 new events" in again.stdout
    refused = homestretch("claims", "unbill", "HS-1", "--reason", "why not", cwd=tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    taken = homestretch("claims", "unbill", "HS-2", "--reason", "never uploaded", cwd=tmp_path)
    assert (taken.returncode, taken.stdout) == (0, "HS-2: un-billed, 3 charges to bill anew\n")


@pytest.mark.parametrize(
    ("content", "says"), [(b"hello", "not an X12 file"), (None, "No such file")]
)
def test_bad_input_is_one_line_and_exit_2(
    context: Context, tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "x.edi").write_bytes(content)
    done = homestretch("claims", "import-ack", "x.edi", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


# Migration ----------------------------------------------------------------------------------------


OLD_ROWS = (
    "tenant VALUES ('t', 'T', 'i', 'c', 'p', 'b', 'UTC', '[]', '{}')",
    "patient VALUES (7, '1', 'Ana', '1952-03-14', 'UTC', '{}', '{}', '2026-04-01', 't')",
    "episode VALUES ('E', 7, '{}', '2026-04-01', 't')",
    "claim_export VALUES (3, '2026-03', '837p', 12, '2026-04-01', '', '', 1, '1', 't')",
    "claim_line VALUES (1, 3, 7, 'E', 'E:98975:2026-03-03:GP', '98975', 1, '2026-03-03', 't')",
    "claim_line VALUES (2, 3, 7, 'E', 'E:98980:2026-03-31:GP.CQ', '98980', 1, '2026-03-31', 't')",
    "claim_line VALUES (3, 3, 7, 'E', 'E:98981:2026-03-31:', '98981', 1, '2026-03-31', 't')",
)


def test_lines_that_left_before_are_named_as_they_were(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    folder = str(ROOT / "app" / "store" / "migrations")
    with database.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", folder)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for row in OLD_ROWS:
            connection.execute(text(f"INSERT INTO {row.replace(':', chr(92) + ':')}"))
    upgrade(database.engine)
    assert is_current(database.engine)
    with database.begin("t") as db:
        lines = db.scalars(select(ClaimLineRow).order_by(ClaimLineRow.id)).all()
        assert read_state(db, "0001200007").status == "exported"
    assert [line.claim_id for line in lines] == ["0001200007"] * 3
    assert [line.line_id for line in lines] == [f"0001200007-{n}" for n in (1, 2, 3)]
    assert [line.modifiers for line in lines] == [["GP"], ["GP", "CQ"], []]
    database.engine.dispose()
