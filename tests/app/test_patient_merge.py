"""Putting two patients together: everything is the survivor's, nothing is changed or lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from app.billing_office.export import export_month
from app.billing_office.month import month_of, tally_months
from app.chart_intake import ChartFacts, keep_patient
from app.cli import main
from app.config import Settings
from app.context import Context, open_context
from app.demo.tenant import TENANT_ID
from app.patient_merge import Merged, MergeRefused, merge_patients
from app.rtm_book import current_episode, read_episodes, read_ledgers
from app.store import (
    ClaimLineRow,
    ClaimRow,
    EpisodeRow,
    LedgerFactRow,
    PatientMergeRow,
    PatientMonthRow,
    PatientRow,
    SignInRow,
    Tenant,
    from_document,
)
from app.store.upgrade import upgrade
from billing.claim_model import Claim
from fhir.patient import read_patient
from tests.app.hl7_clinic import TENANT, Clinic
from tests.app.hl7_messages import adt, merge, pid
from tests.app.population_ehr import patient as fhir_patient
from tests.app.synthetic_practice import Monitored, write_practice
from tests.app.test_exports import MONTH, practice_at

SEPTEMBER, OCTOBER = date(2026, 8, 20), date(2026, 10, 2)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    opened = practice_at(tmp_path / "data")
    yield opened
    opened.database.engine.dispose()


def two(context: Context, *people: Monitored) -> list[int]:
    with context.database.begin(TENANT_ID) as db:
        return write_practice(db, TENANT_ID, people)


def before_and_after(context: Context) -> list[int]:
    """Monitored under one record until September, under the other from October on."""
    earlier = Monitored("A", SEPTEMBER, days=20, minutes=25, talk=True, ended=date(2026, 9, 18))
    return two(context, earlier, Monitored("B", OCTOBER, days=20, minutes=25, talk=True))


def put_together(context: Context, given_up: int, surviving: int, **options: Any) -> Merged:
    return merge_patients(
        context, TENANT_ID, given_up, surviving, reason="A40 of 2 Nov", by="Terry", **options
    )


def facts(context: Context) -> dict[str, tuple[str, str, Any]]:
    """Every fact but for whose it is."""
    with context.database.begin(TENANT_ID) as db:
        return {
            row.id: (row.episode_id, row.kind, row.document)
            for row in db.scalars(select(LedgerFactRow))
        }


def test_the_surviving_patient_has_both_episodes_with_every_fact_as_it_was(
    context: Context,
) -> None:
    old, new = before_and_after(context)
    then = facts(context)
    with context.database.begin(TENANT_ID) as db:
        episodes = {**read_episodes(db, [old]), **read_episodes(db, [new])}
        ledgers = read_ledgers(db, [episodes[old][0].id, episodes[new][0].id])
    done = put_together(context, old, new)
    assert (done.moved["episode"], done.kept) == (1, ())
    assert facts(context) == then
    with context.database.begin(TENANT_ID) as db:
        assert read_episodes(db, [old]) == {}
        assert read_episodes(db, [new])[new] == [*episodes[old], *episodes[new]]
        assert current_episode(db, new) == episodes[new][0]
        assert read_ledgers(db, list(ledgers)) == ledgers
        owners = set(db.scalars(select(LedgerFactRow.patient_id)))
        assert owners == {new}
        note = db.scalars(select(PatientMergeRow)).one()
        assert (note.given_up_id, note.surviving_id, note.merged_by) == (old, new, "Terry")
        assert note.moved["episode"] == [episodes[old][0].id]
        assert len(note.moved["ledger_fact"]) == done.moved["ledger_fact"] > 20


def test_the_month_of_the_survivor_is_as_it_was_and_that_of_the_other_is_gone(
    context: Context,
) -> None:
    old, new = before_and_after(context)
    today = date(2026, 11, 5)
    with context.database.begin(TENANT_ID) as db:
        then = month_of(db, db.get_one(PatientRow, new), MONTH, today)
    put_together(context, old, new)
    with context.database.begin(TENANT_ID) as db:
        now = month_of(db, db.get_one(PatientRow, new), MONTH, today)
        assert then is not None and now is not None  # noqa: PT018
        assert [c.code for c in now.row.charges] == [c.code for c in then.row.charges]
        assert tally_months(db, MONTH, today, [old]) == []
        assert (
            db.scalars(select(PatientMonthRow).where(PatientMonthRow.patient_id == old)).all() == []
        )


def test_a_claim_that_left_keeps_its_identity_and_is_not_billed_again(context: Context) -> None:
    (old,) = two(context, Monitored("A", OCTOBER, days=20, minutes=25, talk=True))
    exported = export_month(context, TENANT_ID, MONTH, "837p")
    assert exported.claim_count == 1
    with context.database.begin(TENANT_ID) as db:
        claim = from_document(Claim, db.scalars(select(ClaimRow.document)).one())
        survivor = PatientRow(
            fhir_id="other",
            name="Other Name",
            birth_date=date(1950, 1, 1),
            time_zone="America/Chicago",
            billing=db.get_one(PatientRow, old).billing,
            demographics={"family": "Name", "given": "Other", "mrn": "X-1"},
            seen_at=context.now(),
        )
        db.add(survivor)
        db.flush()
        new = survivor.id
    put_together(context, old, new)
    again = export_month(context, TENANT_ID, MONTH, "837p")
    assert (again.claim_count, again.files[0].data) == (1, exported.files[0].data)
    with context.database.begin(TENANT_ID) as db:
        assert from_document(Claim, db.scalars(select(ClaimRow.document)).one()) == claim
        assert set(db.scalars(select(ClaimLineRow.patient_id))) == {new}
        assert len(db.scalars(select(ClaimRow)).all()) == 1


@pytest.mark.parametrize("ended", [None, date(2026, 10, 3)])
def test_episodes_that_overlap_are_for_a_person_and_nothing_moves(
    context: Context, ended: date | None
) -> None:
    old, new = two(
        context, Monitored("A", SEPTEMBER, days=3, ended=ended), Monitored("B", OCTOBER, days=3)
    )
    with pytest.raises(MergeRefused, match=r"is monitored from 2026-08-20 to .* end one of the"):
        put_together(context, old, new)
    with context.database.begin(TENANT_ID) as db:
        assert set(db.scalars(select(EpisodeRow.patient_id))) == {old, new}
        assert db.scalars(select(PatientMergeRow)).all() == []


def test_an_older_episode_that_was_recorded_last_would_pass_for_the_current_one(
    context: Context,
) -> None:
    old, new = before_and_after(context)
    with context.database.begin(TENANT_ID) as db:
        row = db.scalars(select(EpisodeRow).where(EpisodeRow.patient_id == old)).one()
        row.recorded_at = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(MergeRefused, match="recorded last"):
        put_together(context, old, new)


def test_what_can_not_be_merged_is_said(context: Context) -> None:
    old, new = before_and_after(context)
    for given_up, surviving, why in (
        (old, old, "itself"),
        (old, 99, "no patient 99"),
        (99, old, "99"),
    ):
        with pytest.raises(MergeRefused, match=why):
            put_together(context, given_up, surviving)
    put_together(context, old, new)
    for given_up, surviving in ((old, new), (new, old)):
        with pytest.raises(MergeRefused, match=f"patient {old} was merged into patient {new}"):
            put_together(context, given_up, surviving)


def test_a_dry_run_changes_nothing(context: Context) -> None:
    old, new = before_and_after(context)
    told = put_together(context, old, new, dry_run=True)
    assert told.moved["episode"] == 1
    with context.database.begin(TENANT_ID) as db:
        assert read_episodes(db, [old])
        assert db.get_one(PatientRow, old).merged_into_id is None
    assert put_together(context, old, new) == told


def test_sign_ins_to_the_record_given_up_are_over(context: Context) -> None:
    old, new = before_and_after(context)
    with context.database.begin(TENANT_ID) as db:
        db.add(
            SignInRow(
                id="one",
                role="patient",
                patient_id=old,
                token_sealed=b"sealed",
                created_at=context.now(),
                expires_at=context.now() + timedelta(hours=1),
            )
        )
    put_together(context, old, new)
    with context.database.begin(TENANT_ID) as db:
        row = db.get_one(SignInRow, "one")
        assert (row.ended_at, row.token_sealed, row.patient_id) == (context.now(), b"", old)


def test_a_launch_under_the_record_given_up_opens_the_survivor_and_changes_nothing_of_them(
    context: Context,
) -> None:
    old, new = before_and_after(context)
    put_together(context, old, new)
    with context.database.begin(TENANT_ID) as db:
        fhir_id = db.get_one(PatientRow, old).fhir_id
        survivor = db.get_one(PatientRow, new).demographics
        facts_ = ChartFacts(read_patient(fhir_patient(fhir_id)))
        kept = keep_patient(db, db.get_one(Tenant, TENANT_ID), facts_, context.now())
        assert (kept.row.id, kept.outcome) == (new, "superseded")
        assert kept.row.demographics == survivor


def test_another_health_systems_patients_are_out_of_reach(context: Context) -> None:
    old, new = before_and_after(context)
    with context.database.begin(None) as db:
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="https://other.example/fhir",
                clinician_client_id="a",
                portal_client_id="b",
                backend_client_id="c",
                time_zone="America/Chicago",
            )
        )
    with pytest.raises(MergeRefused, match="no patient"):
        merge_patients(context, "other", old, new, reason="r", by="b")


def test_a_merge_message_of_two_patients_of_ours_is_replayed_once_they_are_put_together(
    clinic: Clinic,
) -> None:
    other = clinic.add_patient("SYN-0002")
    (row,) = clinic.process(merge("C-1", "SYN-0001", "SYN-0002"))
    assert row.state == "set_aside"
    assert f"`homestretch patient merge {other} --into {clinic.patient_id}`" in str(row.reason)
    assert f"`homestretch hl7 replay in-{row.id}`" in str(row.reason)
    merge_patients(clinic.context, TENANT, other, clinic.patient_id, reason="A40", by="Terry")
    run(clinic, "hl7", "replay", f"in-{row.id}")
    (row,) = clinic.process()
    assert row.state == "applied"
    assert clinic.patient(other).mrn is None
    (_, late) = clinic.process(adt("A08", "C-2", pid_=pid("SYN-0002")))
    assert late.state == "not_ours", "a number that was given up is nobody's"


def run(clinic: Clinic, *arguments: str) -> str:
    environment = {"HOMESTRETCH_DATA_DIR": str(clinic.context.settings.data_dir)}
    done = CliRunner().invoke(main, list(arguments), env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_says_what_moves(clinic: Clinic) -> None:
    other = clinic.add_patient("SYN-0002")
    arguments = (
        "patient",
        "merge",
        str(other),
        "--into",
        str(clinic.patient_id),
        "--reason",
        "A40",
    )
    assert "would be merged into" in run(clinic, *arguments, "--dry-run")
    assert f"patient {other}: merged into patient {clinic.patient_id}" in run(clinic, *arguments)
    environment = {"HOMESTRETCH_DATA_DIR": str(clinic.context.settings.data_dir)}
    again = CliRunner().invoke(main, list(arguments), env=environment)
    assert again.exit_code == 2
    assert "was merged into patient" in again.output


def test_it_works_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    context = open_context(Settings(data_dir=tmp_path, database_url=postgresql))
    upgrade(context.database.engine)
    clinic = Clinic(context.settings)
    other = clinic.add_patient("SYN-0002")
    merge_patients(clinic.context, TENANT, other, clinic.patient_id, reason="A40", by="Terry")
    assert clinic.patient(other).merged_into_id == clinic.patient_id
