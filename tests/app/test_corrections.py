"""Corrected claims and voids: each a claim of its own, and no charge stands twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.billing_office.acknowledgements import ImportDone, import_answers
from app.billing_office.claim_book import claim_row, read_claim
from app.billing_office.claim_events import (
    ReopenRefused,
    UnbillRefused,
    read_state,
    reopen,
    unbill,
)
from app.billing_office.corrections import ChangeDone, ChangeRefused, correct, void
from app.billing_office.export import ExportRefused, export_month
from app.context import Context
from app.demo.tenant import TENANT_ID
from app.rtm_book import record_manual_time
from app.store import ClaimEventRow, ClaimExportRow, ClaimLineRow, PatientRow, PractitionerRow
from tests.app.answers import claim_answer, remittance
from tests.app.synthetic_practice import change_practice, write_practice
from tests.app.test_exports import MONTH, NOW, command, person, practice_at, segments
from tests.billing.x12_validators import x12_errors

SOON, LATER, LAST = date(2026, 11, 6), date(2026, 11, 20), date(2026, 11, 28)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A practice with one patient whose month has left as one claim."""
    opened = practice_at(tmp_path / "data")
    with opened.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person("A")])
    export_month(opened, TENANT_ID, MONTH, "837")
    yield opened
    opened.database.engine.dispose()


@pytest.fixture
def claim_id(context: Context) -> str:
    with context.database.begin(TENANT_ID) as db:
        return db.scalars(select(ClaimLineRow.claim_id).distinct()).one()


def answer(context: Context, content: bytes) -> ImportDone:
    return import_answers(context, TENANT_ID, "answer.edi", content, "a test")


def status(context: Context, claim_id: str) -> str:
    with context.database.begin(TENANT_ID) as db:
        return read_state(db, claim_id).status


def standing(context: Context) -> dict[str, int]:
    """How many lines of each claim stand."""
    with context.database.begin(TENANT_ID) as db:
        rows = db.execute(
            select(ClaimLineRow.claim_id, func.count(ClaimLineRow.id))
            .where(ClaimLineRow.released_at.is_(None))
            .group_by(ClaimLineRow.claim_id)
        )
        return {claim_id: count for claim_id, count in rows}


def more_minutes(context: Context, minutes: int) -> None:
    """Work of October that was logged after the claim had left."""
    with context.database.begin(TENANT_ID) as db:
        therapist = db.scalars(select(PractitionerRow)).one()
        patient = db.scalars(select(PatientRow)).one()
        record_manual_time(
            db,
            patient.id,
            therapist,
            day=date(2026, 10, 14),
            minutes=minutes,
            activity="review",
            now=NOW,
        )


def nothing_leaves(context: Context) -> None:
    """Nothing new is billable: the month's export is the first one again."""
    assert export_month(context, TENANT_ID, MONTH, "837").again


def corrected(context: Context, claim_id: str) -> ChangeDone:
    return correct(context, TENANT_ID, claim_id, "minutes were logged late", "a test")


# Correcting ---------------------------------------------------------------------------------------


def test_a_correction_is_a_claim_of_its_own_from_todays_facts(
    context: Context, claim_id: str, tmp_path: Path
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    more_minutes(context, 40)
    done = corrected(context, claim_id)
    content = done.file.data.decode()
    (clm,) = segments(content, "CLM")
    assert clm[1] == done.claim_id != claim_id
    assert clm[5].endswith(":7")
    assert "REF*F8*ICN-1~" in content
    path = tmp_path / "corrected.837"
    path.write_text(content)
    assert x12_errors(path) == []
    with context.database.begin(TENANT_ID) as db:
        first, second = read_claim(db, claim_id), read_claim(db, done.claim_id)
        row = claim_row(db, done.claim_id)
        export = db.get_one(ClaimExportRow, row.export_id)
    assert (row.frequency, row.replaces, export.month) == ("7", claim_id, MONTH)
    assert [line.charge.code for line in second.lines] == ["98975", "98977", "98980", "98981"]
    assert [line.charge.units for line in second.lines][-1] == 2
    assert second.total > first.total
    assert any("Medicare contractors may not take a correction" in line for line in done.warned)


def test_the_payers_number_may_come_with_the_remittance(context: Context, claim_id: str) -> None:
    answer(context, remittance(claim_id, LATER, number="ICN-9", charge="115.9", paid="92.73"))
    assert "REF*F8*ICN-9~" in corrected(context, claim_id).file.data.decode()


def test_while_a_correction_is_under_way_each_charge_stands_once(
    context: Context, claim_id: str
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    more_minutes(context, 40)
    done = corrected(context, claim_id)
    assert standing(context) == {done.claim_id: 4}
    assert status(context, claim_id) == "acknowledged"
    nothing_leaves(context)


def test_a_correction_that_the_payer_takes_replaces_the_claim(
    context: Context, claim_id: str
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = corrected(context, claim_id)
    taken = answer(context, claim_answer(done.claim_id, LATER, number="ICN-2"))
    assert (taken.states, taken.released) == ({"acknowledged": 1}, 0)
    assert status(context, claim_id) == "replaced"
    assert standing(context) == {done.claim_id: 3}
    nothing_leaves(context)
    again = answer(context, claim_answer(done.claim_id, LATER, number="ICN-2"))
    assert again.findings == ()


def test_a_payer_may_take_back_the_first_payment_and_pay_the_correction(
    context: Context, claim_id: str
) -> None:
    answer(context, remittance(claim_id, SOON, number="ICN-1", charge="115.9", paid="92.73"))
    done = corrected(context, claim_id)
    reversal = remittance(
        claim_id, LATER, number="ICN-1", charge="-115.9", paid="-92.73", status="22"
    )
    payment = remittance(done.claim_id, LATER, number="ICN-2", charge="115.9", paid="92.73")
    assert answer(context, reversal + payment).states == {"replaced": 1, "paid": 1}
    assert standing(context) == {done.claim_id: 3}


@pytest.mark.parametrize("how", ["rejected", "unbilled"])
def test_a_correction_that_is_refused_leaves_the_claim_as_it_was(
    context: Context, claim_id: str, how: str
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    more_minutes(context, 40)
    done = corrected(context, claim_id)
    if how == "rejected":
        rejection = claim_answer(done.claim_id, LATER, number=None, accepted=False)
        assert answer(context, rejection).released == 0
    else:
        unbill(context, TENANT_ID, done.claim_id, "never uploaded", "a test")
    assert status(context, claim_id) == "acknowledged"
    assert standing(context) == {claim_id: 3}
    second = corrected(context, claim_id)
    assert second.claim_id not in (done.claim_id, claim_id)
    assert standing(context) == {second.claim_id: 4}


def test_a_correction_can_be_corrected_in_its_turn(context: Context, claim_id: str) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = corrected(context, claim_id)
    answer(context, claim_answer(done.claim_id, LATER, number="ICN-2"))
    with pytest.raises(ChangeRefused, match="a claim that is replaced can't be corrected"):
        corrected(context, claim_id)
    assert "REF*F8*ICN-2~" in corrected(context, done.claim_id).file.data.decode()


def test_a_corrections_file_is_not_taken_for_the_months_export(
    context: Context, claim_id: str
) -> None:
    first = export_month(context, TENANT_ID, MONTH, "837").content
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    corrected(context, claim_id)
    assert export_month(context, TENANT_ID, MONTH, "837").content == first


# Voiding ------------------------------------------------------------------------------------------


def test_a_void_sends_the_lines_as_they_were(
    context: Context, claim_id: str, tmp_path: Path
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    more_minutes(context, 40)
    done = void(context, TENANT_ID, claim_id, "the wrong patient", "a test")
    content = done.file.data.decode()
    assert segments(content, "CLM")[0][5].endswith(":8")
    assert "REF*F8*ICN-1~" in content
    path = tmp_path / "void.837"
    path.write_text(content)
    assert x12_errors(path) == []
    with context.database.begin(TENANT_ID) as db:
        first, sent = read_claim(db, claim_id), read_claim(db, done.claim_id)
    assert [line.charge for line in sent.lines] == [line.charge for line in first.lines]
    assert standing(context) == {claim_id: 3}
    assert any("Medicare contractors may not take a void" in line for line in done.warned)


def test_charges_are_free_once_the_payer_has_taken_the_void(
    context: Context, claim_id: str
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = void(context, TENANT_ID, claim_id, "the wrong patient", "a test")
    nothing_leaves(context)
    taken = answer(context, claim_answer(done.claim_id, LATER, number="ICN-2"))
    assert (taken.released, standing(context)) == (3, {})
    assert status(context, claim_id) == "voided"
    again = export_month(context, TENANT_ID, MONTH, "837")
    assert (again.again, again.line_count) == (False, 3)


def test_a_payment_taken_back_says_that_the_void_was_taken(context: Context, claim_id: str) -> None:
    answer(context, remittance(claim_id, SOON, number="ICN-1", charge="115.9", paid="92.73"))
    done = void(context, TENANT_ID, claim_id, "the wrong patient", "a test")
    reversal = remittance(
        claim_id, LATER, number="ICN-1", charge="-115.9", paid="-92.73", status="22"
    )
    assert answer(context, reversal).released == 3
    assert status(context, claim_id) == "voided"
    late = answer(context, claim_answer(done.claim_id, LAST, number="ICN-2"))
    assert (late.released, late.findings) == (0, ())


def test_a_void_that_is_rejected_changes_nothing(context: Context, claim_id: str) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = void(context, TENANT_ID, claim_id, "the wrong patient", "a test")
    answer(context, claim_answer(done.claim_id, LATER, number=None, accepted=False))
    assert (status(context, claim_id), standing(context)) == ("acknowledged", {claim_id: 3})
    assert void(context, TENANT_ID, claim_id, "once more", "a test").claim_id != done.claim_id


# Refusing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [correct, void])
def test_what_can_not_be_changed_says_why_and_nothing_is_recorded(
    context: Context, claim_id: str, change: object
) -> None:
    assert callable(change)

    def refused(claim: str, says: str, reason: str = "wrong units") -> None:
        with pytest.raises(ChangeRefused, match=says):
            change(context, TENANT_ID, claim, reason, "a test")

    refused("HS-9", "no claim HS-9 left from here")
    refused(claim_id, "a claim that is exported can't be")
    answer(context, claim_answer(claim_id, SOON, number=None))
    refused(claim_id, "needs the payer's claim number")
    answer(context, remittance(claim_id, LATER, number="ICN-1", charge="115.9", paid="92.73"))
    refused(claim_id, "a reason is needed", reason="")
    done = change(context, TENANT_ID, claim_id, "wrong units", "a test")
    refused(claim_id, f"{done.claim_id} was sent already")
    with context.database.begin(TENANT_ID) as db:
        kinds = db.scalars(
            select(ClaimEventRow.kind).where(ClaimEventRow.recorded_by == "a test")
        ).all()
        assert len([kind for kind in kinds if kind.endswith("_sent")]) == 1


def test_a_denied_claim_is_not_unbilled_while_its_correction_is_under_way(
    context: Context, claim_id: str
) -> None:
    denial = remittance(claim_id, SOON, number="ICN-1", charge="115.9", paid="0", status="4")
    answer(context, denial)
    done = corrected(context, claim_id)
    with pytest.raises(UnbillRefused, match=f"claim {done.claim_id}, which corrects or voids it"):
        unbill(context, TENANT_ID, claim_id, "start over", "a test")
    assert standing(context) == {done.claim_id: 3}


def test_a_void_is_neither_corrected_nor_voided(context: Context, claim_id: str) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = void(context, TENANT_ID, claim_id, "the wrong patient", "a test")
    answer(context, claim_answer(done.claim_id, LATER, number="ICN-2"))
    with pytest.raises(ChangeRefused, match="it is a void itself"):
        corrected(context, done.claim_id)


def test_a_correction_that_the_scrubber_holds_is_not_sent(context: Context, claim_id: str) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    change_practice(context, TENANT_ID, npi="1")
    with pytest.raises(ChangeRefused, match=r"held: .*billing provider NPI"):
        corrected(context, claim_id)
    assert standing(context) == {claim_id: 3}


def test_a_charge_message_is_corrected_by_the_ehrs_own_billing(tmp_path: Path) -> None:
    context = practice_at(tmp_path / "data")
    with context.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person("A")])
    (file,) = export_month(context, TENANT_ID, MONTH, "dft").files
    with pytest.raises(ChangeRefused, match="it left as HL7 DFT"):
        corrected(context, file.claim_ids[0])
    context.database.engine.dispose()


# Reopening and the commands -----------------------------------------------------------------------


def test_a_denial_is_reopened_and_decided_anew(context: Context, claim_id: str) -> None:
    with pytest.raises(ReopenRefused, match="exported can't be reopened"):
        reopen(context, TENANT_ID, claim_id, "they lost the plan of care", "a test")
    denial = remittance(
        claim_id,
        SOON,
        number="ICN-1",
        charge="115.9",
        paid="0",
        status="4",
        adjustments="CAS*CO*50*115.9",
    )
    answer(context, denial)
    with pytest.raises(ReopenRefused, match="needs a reason"):
        reopen(context, TENANT_ID, claim_id, "", "a test")
    reopen(context, TENANT_ID, claim_id, "they lost the plan of care", "a test")
    assert status(context, claim_id) == "reopened"
    paid = remittance(claim_id, LAST, number="ICN-1", charge="115.9", paid="92.73")
    assert answer(context, paid).states == {"paid": 1}


def test_the_commands_write_the_file_and_refuse_in_one_line(
    context: Context, claim_id: str, tmp_path: Path
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    done = command("claims", "void", claim_id, "--reason", "wrong patient", folder=tmp_path)
    assert done.returncode == 0
    new_id = done.stdout.split("voided by ")[1].split(",")[0]
    assert done.stdout == f"{claim_id}: voided by {new_id}, in {new_id}.edi\n"
    assert x12_errors(tmp_path / f"{new_id}.edi") == []
    assert "warning: " in done.stderr
    for arguments in (("correct", "HS-9"), ("void", claim_id), ("reopen", claim_id)):
        refused = command("claims", *arguments, "--reason", "why not", folder=tmp_path)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_nothing_new_is_one_clear_line(context: Context, tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match="nothing new is billable in 2026-09 as 837P"):
        export_month(context, TENANT_ID, "2026-09", "837")


def test_a_decision_is_dated_no_earlier_than_what_it_answers(
    context: Context, claim_id: str
) -> None:
    answer(context, claim_answer(claim_id, SOON, number="ICN-1"))
    void(context, TENANT_ID, claim_id, "the wrong patient", "Jordan Ellis")
    with context.database.begin(TENANT_ID) as db:
        row = db.scalars(select(ClaimEventRow).where(ClaimEventRow.kind == "void_sent")).one()
    assert row.recorded_by == "Jordan Ellis"
    assert row.happened_on == SOON, "the payer dated its answer ahead"
    assert row.recorded_at == datetime(2026, 11, 5, 15, tzinfo=UTC)
