"""Reading a population by bulk export: everybody once, whatever goes wrong on the way."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import structlog
from click.testing import CliRunner
from sqlalchemy import select

from app.chart_intake import ChartFacts, keep_patient
from app.cli import main
from app.config import Settings
from app.context import open_context
from app.demo import walk
from app.population import PopulationInterrupted, PopulationRefused, read_population
from app.population.summary import Summary
from app.store import EpisodeRow, PatientRow, Tenant
from app.store.upgrade import upgrade
from fhir.patient import read_patient
from tests.app.population_ehr import QUICK, TENANT, Ehr, condition, coverage, patient
from tests.app.test_service import count
from tests.conftest import World
from tests.fhir.scripted_server import serving


@pytest.fixture
def ehr(tmp_path: Path, empty_database: Path) -> Iterator[Ehr]:
    shutil.copy(empty_database, tmp_path / "homestretch.db")
    with serving() as server:
        yield Ehr(server, Settings(data_dir=tmp_path))


def three(ehr: Ehr) -> None:
    ehr.files = {
        "Patient-1": [patient("a"), patient("b")],
        "Patient-2": [patient("c")],
        "Condition-1": [
            condition("a", "M17.11"),
            condition("a", "M54.50"),
            condition("c", "M54.2"),
        ],
        "Coverage-1": [coverage("a"), coverage("b", "M2")],
    }


def refusals(summary: Summary) -> list[str]:
    return sorted(summary.refused.elements())


def test_everybody_is_taken_in_with_diagnoses_and_coverage_and_nobody_is_monitored(
    ehr: Ehr,
) -> None:
    three(ehr)
    summary = ehr.read(group_id="knees")
    assert summary.outcomes == Counter(created=3)
    assert (summary.refused, summary.problems, summary.incomplete) == (Counter(), [], False)
    found = ehr.patients()
    assert found["a"].billing["diagnoses"] == ["M17.11", "M54.50"]
    assert found["a"].billing["coverage"]["member_id"] == "M1"
    assert (found["a"].name, found["a"].mrn) == ("Ann Familya", "MRN-a")
    assert "diagnoses" not in found["b"].billing
    assert found["c"].time_zone == "America/Chicago"
    with ehr.context.database.begin(TENANT) as db:
        assert db.scalars(select(EpisodeRow)).all() == []
    _, asked, headers = next(s for s in ehr.server.seen if "$export" in s[1])
    assert urlsplit(asked).path == "/fhir/Group/knees/$export"
    assert parse_qs(urlsplit(asked).query)["_type"] == ["Patient,Condition,Coverage"]
    assert headers["Prefer"] == "respond-async"
    assert ehr.asked("DELETE")["/status/1"] == 1
    (state,) = ehr.states()
    assert (state.status, state.sealed, state.leased_until) == ("complete", b"", None)


def test_only_the_scopes_of_reading_are_asked_for(ehr: Ehr) -> None:
    three(ehr)
    ehr.read()
    form = next(body for body in ehr.server.bodies if b"client_credentials" in body)
    asked = parse_qs(form.decode())["scope"][0].split()
    assert sorted(asked) == ["system/Condition.rs", "system/Coverage.rs", "system/Patient.rs"]


def test_the_same_again_changes_nothing_and_makes_nobody_twice(ehr: Ehr) -> None:
    three(ehr)
    ehr.read()
    assert ehr.read().outcomes == Counter(unchanged=3)
    ehr.files["Patient-2"] = [patient("c", birthDate="1951-01-01")]
    ehr.files["Coverage-1"] = [coverage("a"), coverage("b", "M9")]
    ehr.manifest["transactionTime"] = "2026-11-03T00:00:00Z"
    assert ehr.read().outcomes == Counter(unchanged=1, changed=2)
    assert len(ehr.patients()) == 3
    assert ehr.patients()["b"].billing["coverage"]["member_id"] == "M9"


def test_what_the_chart_or_a_message_said_later_is_not_overwritten(ehr: Ehr) -> None:
    three(ehr)
    ehr.read()
    with ehr.context.database.begin(TENANT) as db:
        db.scalars(select(PatientRow).where(PatientRow.fhir_id == "a")).one().seen_at = datetime(
            2026, 11, 5, tzinfo=UTC
        )
    ehr.files["Patient-1"] = [patient("a", gender="other"), patient("b")]
    summary = ehr.read()
    assert summary.outcomes == Counter(unchanged=2, superseded=1)
    assert ehr.patients()["a"].demographics["gender"] == "female"


def test_who_died_or_is_not_active_is_no_candidate_but_one_of_ours_is_told(ehr: Ehr) -> None:
    three(ehr)
    ehr.read()
    number = ehr.patients()["a"].id
    ehr.files = {
        "Patient-1": [
            patient("a", deceasedDateTime="2026-10-01"),
            patient("d", deceasedBoolean=True),
            patient("e", active=False),
            patient("f", deceasedBoolean=False, active=True),
        ]
    }
    summary = ehr.read()
    assert summary.outcomes == Counter(unchanged=1, created=1)
    assert refusals(summary) == ["the person has died", "the record is not active"]
    assert summary.problems == [f"patient {number} here has died, by the EHR"]
    assert set(ehr.patients()) == {"a", "b", "c", "f"}


def replaced_by(other: str) -> dict[str, Any]:
    return {"link": [{"type": "replaced-by", "other": {"reference": f"Patient/{other}"}}]}


def replaces(*others: str) -> dict[str, Any]:
    return {"link": [{"type": "replaces", "other": {"reference": f"Patient/{o}"}} for o in others]}


@pytest.mark.parametrize(
    "told",
    [
        [patient("a", active=False, **replaced_by("z")), patient("z")],
        [patient("z", **replaces("a"))],
        [patient("z", **replaces("a")), patient("a", active=False, **replaced_by("z"))],
    ],
)
def test_a_record_that_was_merged_keeps_its_row_under_the_surviving_id(
    ehr: Ehr, told: list[dict[str, Any]]
) -> None:
    ehr.files = {"Patient-1": [patient("a")]}
    ehr.read()
    number = ehr.patients()["a"].id
    ehr.files = {"Patient-1": told}
    ehr.read()
    assert {id_: row.id for id_, row in ehr.patients().items()} == {"z": number}


def test_merged_records_that_are_both_ours_are_left_to_a_person(ehr: Ehr) -> None:
    ehr.files = {"Patient-1": [patient("a"), patient("b")]}
    ehr.read()
    a, b = (ehr.patients()[id_].id for id_ in "ab")
    ehr.files = {
        "Patient-1": [patient("a", **replaced_by("b")), patient("c", **replaces("a", "b"))]
    }
    summary = ehr.read()
    assert summary.outcomes == Counter()
    command = f"`homestretch patient merge {a} --into {b}`"
    assert [command in reason for reason in summary.refused] == [True, True]
    assert {id_: row.id for id_, row in ehr.patients().items()} == {"a": a, "b": b}


def test_a_merged_record_of_nobody_here_makes_no_candidate(ehr: Ehr) -> None:
    ehr.files = {"Patient-1": [patient("a", **replaced_by("b"))]}
    assert refusals(ehr.read()) == ["the record was merged into another"]
    assert ehr.patients() == {}


def test_a_record_number_that_another_patient_has_is_left_to_a_person(ehr: Ehr) -> None:
    ehr.files = {"Patient-1": [patient("a"), patient("b", identifier=patient("a")["identifier"])]}
    summary = ehr.read()
    assert summary.outcomes == Counter(created=1)
    assert "its record number is that of patient" in refusals(summary)[0]


def test_broken_lines_and_records_are_told_and_passed_over(ehr: Ehr) -> None:
    ehr.files = {
        "Condition-1": [b"{", condition("b", "M54.2"), {"resourceType": "Condition"}],
        "Patient-1": [
            patient("a"),
            b'{"resourceType": "Patient", "id": "x',
            b'{"resourceType":"Patient","id":"' + b"x" * 200_000 + b'"}',
            {"resourceType": "Group", "id": "g"},
            {"resourceType": "Patient", "id": "no-name", "birthDate": "1950-01-01"},
            {"resourceType": "Patient", "id": "odd", "name": 7},
            patient("rules", implicitRules="https://example.org/other"),
            {"resourceType": "Patient", "name": [{"family": "Idless"}], "birthDate": "1950-01-01"},
            patient("zone", address=[{"extension": [ZONE]}]),
            patient("b"),
        ],
    }
    summary = ehr.read()
    assert summary.outcomes == Counter(created=3)
    assert set(ehr.patients()) == {"a", "b", "zone"}
    assert ehr.patients()["zone"].time_zone == "America/Chicago"
    assert ehr.patients()["b"].billing["diagnoses"] == ["M54.2"]
    assert dict(summary.listed[:4]) == {
        "file 1, line 1": "a line: it is not JSON",
        "file 2, line 2": "a line: it is not JSON",
        "file 2, line 3": "a line: it is longer than 100000 bytes",
        "file 2, line 4": "a line: it is no Patient",
    }
    assert summary.read == 11
    assert not summary.incomplete, "a line is no gap: it is named, and nothing else is missing"


ZONE = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Mars/Olympus"}


def test_the_ehr_is_asked_again_as_it_asks_also_when_it_is_busy(ehr: Ehr) -> None:
    three(ehr)
    ehr.replies["/status/1"] = [
        (202, b"", {"Retry-After": "0"}),
        (429, {}, {"Retry-After": "0"}),
        (503, {}, {"Retry-After": "0"}),
        (202, b"", {}),
    ]
    told: list[str] = []
    assert ehr.read(say=told.append).outcomes == Counter(created=3)
    assert ehr.asked()["/status/1"] == 5
    assert told[0].startswith("the EHR prepares the export; asking again in")


def test_a_token_that_ends_while_waiting_is_renewed(ehr: Ehr) -> None:
    three(ehr)
    ehr.on["/status/1"] = lambda: ehr.valid.discard("token-1")
    ehr.on["/files/Patient-2"] = lambda: ehr.valid.discard("token-2")
    assert ehr.read().outcomes == Counter(created=3)
    assert ehr.token == 3


def test_a_file_that_is_gone_is_a_gap_and_the_others_are_read(ehr: Ehr) -> None:
    three(ehr)
    ehr.replies["/files/Patient-1"] = [(404, {}, {})]
    summary = ehr.read()
    assert (summary.outcomes, summary.incomplete) == (Counter(created=1), True)
    assert "file 1 of the export (Patient): HTTP 404" in summary.problems[0]
    assert ehr.states()[0].status == "incomplete"
    assert ehr.read().outcomes == Counter(created=2, unchanged=1), "the next one is whole"


def test_of_conditions_that_are_not_whole_no_diagnosis_is_taken(ehr: Ehr) -> None:
    three(ehr)
    ehr.read()
    ehr.files["Condition-2"] = []
    ehr.files["Condition-1"] = [condition("a", "M54.2")]
    ehr.replies["/files/Condition-2"] = [(404, {}, {})]
    assert ehr.read().incomplete
    assert ehr.patients()["a"].billing["diagnoses"] == ["M17.11", "M54.50"]


def test_a_manifest_that_leads_elsewhere_is_not_followed_and_nothing_is_taken(ehr: Ehr) -> None:
    three(ehr)
    elsewhere = {"type": "Patient", "url": "http://169.254.169.254/latest/meta-data"}
    ehr.manifest |= {"requiresAccessToken": False, "output": [elsewhere]}
    with pytest.raises(PopulationRefused, match=r"169\.254\.169\.254"):
        ehr.read()
    assert ehr.patients() == {}
    assert ehr.states()[0].status == "failed"
    assert ehr.asked("DELETE")["/status/1"] == 1


def test_files_elsewhere_are_read_without_our_token_where_the_settings_name_the_host(
    ehr: Ehr,
) -> None:
    with serving() as other:
        other.answers = [(200, json.dumps(patient("a")).encode(), {})]
        origin = other.base.removesuffix("/fhir")
        with ehr.context.database.begin(None) as db:
            db.get_one(Tenant, TENANT).population = {"file_origins": [origin]}
        ehr.manifest |= {
            "requiresAccessToken": False,
            "output": [{"type": "Patient", "url": f"{origin}/a?signature=1"}],
        }
        assert ehr.read().outcomes == Counter(created=1)
        assert "Authorization" not in other.seen[0][2]


def test_a_server_that_wants_no_token_for_its_files_gets_none(ehr: Ehr) -> None:
    three(ehr)
    ehr.manifest["requiresAccessToken"] = False
    assert ehr.read().outcomes == Counter(created=3)
    sent = [headers for _, path, headers in ehr.server.seen if path.startswith("/files/")]
    assert len(sent) == 4
    assert not any("Authorization" in headers for headers in sent)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((403, {}, {}), "HTTP 403"),
        ((200, {"resourceType": "Bundle"}, {}), "did not begin an export"),
        ((404, {}, {}), "HTTP 404"),
    ],
)
def test_an_ehr_that_gives_no_export_is_told_with_its_answer(
    ehr: Ehr, reply: Any, why: str
) -> None:
    ehr.replies["/fhir/Patient/$export"] = [reply]
    with pytest.raises(PopulationRefused, match=why):
        ehr.read()
    assert [state.status for state in ehr.states()] == ["failed"]


def many(ehr: Ehr) -> None:
    ehr.files = {"Patient-1": [patient(f"p{n}") for n in range(250)], "Patient-2": [patient("z")]}
    ehr.files["Condition-1"] = [b"{", condition("p3", "M54.2")]


def test_a_reading_that_broke_off_goes_on_where_it_stopped(ehr: Ehr) -> None:
    many(ehr)
    ehr.replies["/files/Patient-2"] = [(500, {}, {})] * 3
    with pytest.raises(PopulationInterrupted):
        ehr.read()
    assert len(ehr.patients()) == 250
    (state,) = ehr.states()
    assert (state.status, state.leased_until) == ("running", None)
    assert b"status" not in state.sealed, "the address may open the files, and is encrypted"
    assert ehr.asked("DELETE") == Counter()
    summary = ehr.read()
    assert summary.outcomes == Counter(created=251)
    assert summary.refused == Counter({"a line: it is not JSON": 1}), "told once, not each time"
    assert ehr.exports == 1
    assert ehr.states()[0].status == "complete"


def test_a_reading_whose_process_died_is_free_after_its_lease(ehr: Ehr) -> None:
    many(ehr)

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ehr.read(say=lambda line: die() if "101 records" in line else None)
    assert len(ehr.patients()) == 100
    with ehr.context.database.begin(TENANT) as db:
        state = db.get_one(type(ehr.states()[0]), ehr.states()[0].id)
        state.leased_until = ehr.context.now() + timedelta(minutes=5)  # as after a hard kill
    with pytest.raises(PopulationRefused, match="another process is reading"):
        ehr.read()
    later = replace(ehr.context, now=lambda: datetime.now(UTC) + timedelta(minutes=6))
    summary = read_population(later, TENANT, policy=QUICK)
    assert (summary.outcomes, summary.read) == (Counter(created=251), 252)
    assert ehr.exports == 1


def test_an_export_that_the_ehr_forgot_meanwhile_is_begun_anew(ehr: Ehr) -> None:
    many(ehr)
    ehr.replies["/status/1"] = [(500, {}, {})] * 3
    with pytest.raises(PopulationInterrupted):
        ehr.read()
    ehr.replies["/status/1"] = [(404, {}, {})]
    summary = ehr.read()
    assert summary.outcomes == Counter(created=251)
    assert ehr.exports == 2


def test_a_reading_that_stopped_can_be_given_up(ehr: Ehr) -> None:
    three(ehr)
    ehr.replies["/status/1"] = [(500, {}, {})] * 3
    with pytest.raises(PopulationInterrupted):
        ehr.read()
    assert ehr.read(anew=True).outcomes == Counter(created=3)
    assert [state.status for state in ehr.states()] == ["failed", "complete"]


def test_a_dry_run_tells_the_same_and_keeps_nothing(ehr: Ehr) -> None:
    three(ehr)
    ehr.files["Patient-2"] += [patient("c"), patient("d", active=False)]
    summary = ehr.read(dry_run=True)
    assert summary.outcomes == Counter(created=3, unchanged=1)
    assert refusals(summary) == ["the record is not active"]
    assert (ehr.patients(), ehr.states()) == ({}, [])
    assert ehr.asked("DELETE")["/status/1"] == 1
    assert ehr.read().outcomes == summary.outcomes


def test_of_changes_since_a_day_each_patient_is_read_whole(ehr: Ehr) -> None:
    """An export of changes has only the diagnosis that is new, and the coverage not at all."""
    three(ehr)
    ehr.read()
    new = condition("a", "M54.2")
    ehr.files = {"Condition-1": [new], "Patient-1": [patient("d")]}
    ehr.resources = {
        f"{each['resourceType']}/{each['id']}": each
        for each in (patient("a"), condition("a", "M17.11"), new, coverage("a"), patient("d"))
    }
    summary = ehr.read(since=datetime(2026, 11, 2, tzinfo=UTC))
    assert summary.outcomes == Counter(changed=1, created=1)
    assert ehr.patients()["a"].billing["diagnoses"] == ["M17.11", "M54.2"]
    assert ehr.patients()["a"].billing["coverage"]["member_id"] == "M1"
    asked = next(path for _, path, _ in reversed(ehr.server.seen) if "$export" in path)
    assert parse_qs(urlsplit(asked).query)["_since"] == ["2026-11-02T00:00:00+00:00"]


def test_the_log_names_nobody(ehr: Ehr) -> None:
    three(ehr)
    ehr.files["Patient-2"] += [b"{", patient("secret-id", active=False)]
    with structlog.testing.capture_logs() as logs:
        ehr.read()
    text = json.dumps(logs)
    assert "population_read" in text
    for private in ("Family", "MRN", "secret-id", "1950", "M17"):
        assert private not in text


@pytest.fixture
def command(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    monkeypatch.setenv("HOMESTRETCH_DATA_DIR", str(ehr.context.settings.data_dir))

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["tenant", "population", *arguments])

    yield run
    structlog.reset_defaults()  # the command logs to the runner's standard error, which is gone


def test_the_command_prints_what_was_read_and_why_not(
    ehr: Ehr, command: Callable[..., Any]
) -> None:
    three(ehr)
    ehr.files["Patient-2"] += [patient("d", active=False), b"{"]
    done = command("--dry-run")
    assert done.exit_code == 0
    assert "5 records read, nothing kept (dry run): 3 new candidates; 2 refused" in done.output
    assert "Patient/d" not in done.output
    done = command(TENANT, "--list")
    assert "refused 1: the record is not active" in done.output
    assert "Patient/d: the record is not active" in done.output
    done = command("--json")
    told = json.loads(done.stdout)
    assert (told["read"], told["unchanged"], told["created"]) == (5, 3, 0)


def test_the_command_says_what_is_wrong_in_one_line(ehr: Ehr, command: Callable[..., Any]) -> None:
    three(ehr)
    assert "never read to its end" in command("--since", "last").output
    assert "YYYY-MM-DD" in command("--since", "May").output
    ehr.replies["/status/1"] = [(500, {}, {})] * 3
    stopped = command()
    assert (stopped.exit_code, "goes on from here" in stopped.output) == (1, True)
    ehr.replies["/files/Patient-1"] = [(404, {}, {})]
    assert command().exit_code == 1
    assert command().exit_code == 0
    ehr.files, ehr.resources = {}, {}
    assert command("--since", "last").exit_code == 0


def test_the_tenants_own_group_is_read_where_none_is_named(
    ehr: Ehr, command: Callable[..., Any]
) -> None:
    three(ehr)
    with ehr.context.database.begin(None) as db:
        db.get_one(Tenant, TENANT).population = {"group": "knees"}
    assert command().exit_code == 0
    assert ehr.asked()["/fhir/Group/knees/$export"] == 1


def test_a_group_of_the_sandbox_ehr_is_read_and_a_candidates_chart_opens_at_once(
    world: World,
) -> None:
    summary = read_population(
        world.context, world.tenant_id, group_id="orthopaedic-surgery", policy=QUICK
    )
    assert summary.outcomes == Counter(created=3)
    assert count(world, EpisodeRow) == 0
    with world.context.database.begin(world.tenant_id) as db:
        ids = dict(db.execute(select(PatientRow.fhir_id, PatientRow.id)).all())  # type: ignore[arg-type]
    assert set(ids) == {"walter-lindqvist", "rosa-delgado", "samuel-brandt"}
    page = walk.launch_chart(world.places, "rosa-delgado").get(f"{world.places.app}/chart")
    assert "Rosa Delgado" in page.text
    assert "M75.121" in json.dumps(_billing(world, "rosa-delgado"))
    assert count(world, PatientRow) == 3
    everybody = read_population(world.context, world.tenant_id, policy=QUICK)
    assert everybody.outcomes["created"] == 3


def _billing(world: World, fhir_id: str) -> Any:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(PatientRow.billing).where(PatientRow.fhir_id == fhir_id)).one()


def test_tokens_that_the_sandbox_ends_while_it_exports_are_renewed(world: World) -> None:
    def expire(line: str) -> None:
        requests.post(f"{world.sandbox.fhir_base}/_faults/expire", timeout=5).raise_for_status()

    summary = read_population(world.context, world.tenant_id, policy=QUICK, say=expire)
    assert summary.outcomes == Counter(created=6)


def test_a_launch_under_the_surviving_record_finds_the_patient_again(world: World) -> None:
    """The chart tells of a merge by `Patient.link`; the row and all that hangs on it stay."""
    with world.context.database.begin(world.tenant_id) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        now = world.context.now()
        first = keep_patient(db, tenant, ChartFacts(read_patient(patient("old"))), now)
        facts = ChartFacts(read_patient(patient("new")), replaces=("Patient/old",))
        second = keep_patient(db, tenant, facts, now + timedelta(seconds=1))
        assert (second.row.id, second.outcome) == (first.row.id, "changed")
        assert second.row.fhir_id == "new"


def test_it_works_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgresql)
    upgrade(open_context(settings).database.engine)
    with serving() as server:
        ehr = Ehr(server, settings)
        three(ehr)
        ehr.files["Patient-1"] += [patient("nul", name=[{"family": "Nul\x00"}])]
        summary = ehr.read()
        assert summary.outcomes == Counter(created=3)
        assert refusals(summary) == ["it holds a text that the database does not take"]
        assert ehr.read().outcomes == Counter(unchanged=3)
