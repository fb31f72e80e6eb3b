"""Every format leaves from the app: chosen by entity, in files by receiver, numbered once."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pypdf import PdfReader
from sqlalchemy import select

from app.billing_office.acknowledgements import import_answers
from app.billing_office.claim_events import read_state
from app.billing_office.export import ExportDone, ExportRefused, export_month
from app.config import Settings
from app.context import Context, open_context
from app.demo.history import history_month
from app.demo.tenant import TENANT_ID, register
from app.store import ClaimExportRow, ClaimLineRow, CounterRow, Tenant
from app.store.upgrade import upgrade
from billing.account import Entity
from billing.entities import load_entities
from billing.x12_envelope import LARGEST_CONTROL_NUMBER
from tests.app.synthetic_practice import (
    Monitored,
    change_coverage,
    change_practice,
    write_practice,
    write_therapist,
)
from tests.app.test_worklist_pages import biller
from tests.billing.x12_validators import x12_errors
from tests.conftest import World
from tests.fhir.r4 import r4_issues
from tests.packaging.processes import ROOT

NOW = datetime(2026, 11, 5, 15, tzinfo=UTC)
MONTH, START = "2026-10", date(2026, 10, 2)
ELSEWHERE = {"name": "Other Clearinghouse", "id": "ELSEWHERE"}
GOLDEN = Path(__file__).parents[1] / "billing" / "golden"


def person(name: str, start: date = START) -> Monitored:
    return Monitored(name, start, days=18, minutes=24, talk=True)


def practice_at(folder: Path, url: str = "", now: datetime = NOW) -> Context:
    """A new database with the health system and its therapist."""
    context = open_context(Settings(data_dir=folder, database_url=url), now=lambda: now)
    upgrade(context.database.engine)
    register(context, "http://ehr.test")
    with context.database.begin(TENANT_ID) as db:
        write_therapist(db)
    return context


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A practice on 5 November 2026 with three billable patients of one payer."""
    opened = practice_at(tmp_path / "data")
    with opened.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person(name) for name in ("A", "B", "C")])
    yield opened
    opened.database.engine.dispose()


def two_receivers(context: Context) -> None:
    """The third patient's payer has a connection of its own, the second's shares the first's."""
    change_practice(context, TENANT_ID, clearinghouses={"60054": ELSEWHERE})
    change_coverage(context, TENANT_ID, 1001, payer_id="11111", payer_name="Second Payer")
    change_coverage(context, TENANT_ID, 1002, payer_id="60054", payer_name="Third Payer")


def export(context: Context, asked: str, month: str = MONTH) -> ExportDone:
    return export_month(context, TENANT_ID, month, asked)


def segments(content: str, name: str) -> list[list[str]]:
    rows = [row.rstrip("~").split("*") for row in content.splitlines()]
    return [row for row in rows if row[0] == name]


# Format by entity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entity", get_args(Entity))
def test_each_kind_of_entity_claims_in_its_own_format(
    context: Context, entity: Entity, tmp_path: Path
) -> None:
    change_practice(context, TENANT_ID, entity=entity)
    done = export(context, "837")
    rule = load_entities()[entity]
    (file,) = done.files
    assert (file.format, done.claim_count, done.held) == (rule.format, 3, ())
    path = tmp_path / "claims.837"
    path.write_bytes(file.data)
    assert x12_errors(path) == []
    if rule.institutional is not None:
        kinds = {row[5].split(":")[0] for row in segments(done.content, "CLM")}
        assert kinds == {rule.institutional.type_of_bill}
        assert {row[9] for row in segments(done.content, "SBR")} == {"MA"}


@pytest.mark.parametrize(
    ("entity", "asked", "says"),
    [
        ("rehab_agency", "837p", "837p is not for this health system: as a rehab agency .* 837i"),
        ("rehab_agency", "cms1500", "bills institutional claims, whose format is 837i"),
        ("fqhc", "cms1500-pdf", "bills institutional claims, whose format is 837i"),
        ("private_practice", "837i", "bills professional claims, whose format is 837p"),
        ("private_practice", "ub04", "there is no format ub04"),
        ("barber", "837", "names the entity 'barber'; known: private_practice"),
    ],
)
def test_a_format_that_is_not_the_entitys_is_refused_and_the_right_one_named(
    context: Context, entity: str, asked: str, says: str
) -> None:
    change_practice(context, TENANT_ID, entity=entity)
    with pytest.raises(ExportRefused, match=says):
        export(context, asked)
    with context.database.begin(TENANT_ID) as db:
        assert db.scalars(select(ClaimExportRow)).all() == []


def test_therapy_without_who_certified_it_stays_back_from_an_institutional_file(
    context: Context,
) -> None:
    change_practice(context, TENANT_ID, entity="corf", certifying_practitioner=None)
    with pytest.raises(ExportRefused, match="attending provider therapy on an institutional"):
        export(context, "837")


def test_a_practice_that_lacks_what_a_claim_needs_is_told(context: Context) -> None:
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, TENANT_ID)
        tenant.practice = {k: v for k, v in tenant.practice.items() if k != "clearinghouse"}
    with pytest.raises(ExportRefused, match="the health system's record lacks clearinghouse"):
        export(context, "837")


# Files, payers, control numbers -------------------------------------------------------------------


def test_each_receiver_has_a_file_and_each_payer_its_set(context: Context, tmp_path: Path) -> None:
    two_receivers(context)
    done = export(context, "837")
    assert [(f.receiver, f.control_number, len(f.claim_ids)) for f in done.files] == [
        ("CLEARHOUSE", 1, 2),
        ("ELSEWHERE", 2, 1),
    ]
    first, second = (file.data.decode() for file in done.files)
    assert [row[2] for row in segments(first, "ST")] == ["0001", "0002"]
    assert segments(second, "ISA")[0][13] == "000000002"
    for number, content in enumerate((first, second)):
        path = tmp_path / f"{number}.837"
        path.write_text(content)
        assert x12_errors(path) == []
    assert export(context, "837").files[0].control_number == 1
    assert done.line_count == 9


def test_the_same_export_again_gives_the_same_files(context: Context) -> None:
    two_receivers(context)
    first, again = export(context, "837"), export(context, "837p")
    assert (first.again, again.again) == (False, True)
    assert [file.data for file in again.files] == [file.data for file in first.files]
    assert (again.claim_count, again.line_count, again.total) == (
        first.claim_count,
        first.line_count,
        first.total,
    )


def test_a_charge_that_left_in_one_format_leaves_in_no_other(context: Context) -> None:
    export(context, "cms1500")
    for asked in ("837", "dft", "fhir", "cms1500-pdf"):
        with pytest.raises(ExportRefused, match="nothing new is billable in 2026-10 as"):
            export(context, asked)


def test_control_numbers_go_on_after_a_restart(context: Context, tmp_path: Path) -> None:
    two_receivers(context)
    export(context, "837")
    with context.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person("D")], first_id=2000)
    context.database.engine.dispose()
    reopened = open_context(Settings(data_dir=tmp_path / "data"), now=lambda: NOW)
    (file,) = export(reopened, "837").files
    assert file.control_number == 3
    reopened.database.engine.dispose()


def test_control_numbers_that_are_used_up_are_refused_and_nothing_leaves(context: Context) -> None:
    with context.database.begin(TENANT_ID) as db:
        db.add(CounterRow(name="interchange", value=LARGEST_CONTROL_NUMBER))
    with pytest.raises(ExportRefused, match="control numbers run out"):
        export(context, "837")
    with context.database.begin(TENANT_ID) as db:
        assert db.scalars(select(ClaimLineRow)).all() == []


MONTHS = ("2026-08", "2026-10")


def _many_at_once(folder: Path, url: str) -> Context:
    """Two months with two receivers each, exported by nobody yet."""
    context = practice_at(folder, url)
    with context.database.begin(TENANT_ID) as db:
        write_practice(
            db,
            TENANT_ID,
            [person(f"P{n}", start) for start in (date(2026, 8, 2), START) for n in range(2)],
        )
    change_practice(context, TENANT_ID, clearinghouses={"60054": ELSEWHERE})
    for patient_id in (1001, 1003):
        change_coverage(context, TENANT_ID, patient_id, payer_id="60054")
    return context


def _export_in_a_process(folder: Path, url: str, month: str) -> list[int]:
    """The control numbers of the files that the process got."""
    context = open_context(Settings(data_dir=folder, database_url=url), now=lambda: NOW)
    return [file.control_number for file in export(context, "837", month).files]


def _none_twice(context: Context, numbers: list[list[int]]) -> None:
    """Four exports of two months gave four files, each with its own number, each charge once."""
    assert sorted(map(sorted, numbers)) == [[1, 2], [1, 2], [3, 4], [3, 4]]
    with context.database.begin(TENANT_ID) as db:
        exports = db.scalars(select(ClaimExportRow)).all()
        keys = db.scalars(select(ClaimLineRow.charge_key)).all()
    assert sorted(export.control_number for export in exports) == [1, 2, 3, 4]
    assert len(keys) == len(set(keys)) == 12
    for row in exports:
        assert segments(row.content, "ISA")[0][13] == f"{row.control_number:09d}"


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_threads_that_export_at_once_take_no_number_and_no_charge_twice(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql") if server == "postgresql" else ""
    context = _many_at_once(tmp_path / "data", url)
    together = threading.Barrier(4)
    numbers: list[list[int]] = []

    def one(month: str) -> None:
        together.wait()
        numbers.append(_export_in_a_process(tmp_path / "data", url, month))

    threads = [threading.Thread(target=one, args=(month,)) for month in (*MONTHS, *MONTHS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _none_twice(context, numbers)
    context.database.engine.dispose()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_processes_that_export_at_once_take_no_number_and_no_charge_twice(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql") if server == "postgresql" else ""
    context = _many_at_once(tmp_path / "data", url)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        runs = [
            pool.submit(_export_in_a_process, tmp_path / "data", url, month)
            for month in (*MONTHS, *MONTHS)
        ]
        numbers = [run.result() for run in runs]
    _none_twice(context, numbers)
    context.database.engine.dispose()


# What comes back for several files ----------------------------------------------------------------


def _import(context: Context, content: str) -> tuple[dict[str, int], tuple[str, ...]]:
    done = import_answers(context, TENANT_ID, "answer.edi", content.encode(), "a test")
    return done.states, done.findings


def _golden(kind: str) -> str:
    return (GOLDEN / f"answers-{kind}.edi").read_text()


@pytest.mark.parametrize("entity", ["private_practice", "hospital_outpatient"])
def test_a_ta1_finds_the_claims_of_its_own_file(context: Context, entity: str) -> None:
    change_practice(context, TENANT_ID, entity=entity)
    two_receivers(context)
    first, second = export(context, "837").files
    states, _ = _import(context, _golden("ta1").replace("TA1*000000001", "TA1*000000002"))
    assert states == {"accepted": 1}
    with context.database.begin(TENANT_ID) as db:
        assert read_state(db, second.claim_ids[0]).status == "accepted"
        assert read_state(db, first.claim_ids[0]).status == "exported"


@pytest.mark.parametrize("entity", ["private_practice", "hospital_outpatient"])
def test_a_999_rejects_the_claims_of_its_set_and_no_others(context: Context, entity: str) -> None:
    change_practice(context, TENANT_ID, entity=entity)
    two_receivers(context)
    first = export(context, "837").files[0]
    answer = _golden("999").replace("AK2*837*0001", "AK2*837*0002")
    states, findings = _import(context, answer)
    assert (states, findings) == ({"rejected": 1}, ())
    with context.database.begin(TENANT_ID) as db:
        found = [read_state(db, claim_id).status for claim_id in first.claim_ids]
        assert sorted(found) == ["exported", "rejected"]
        freed = db.scalars(
            select(ClaimLineRow.claim_id).where(ClaimLineRow.released_at.is_not(None)).distinct()
        ).all()
    assert len(freed) == 1
    again = export(context, "837")
    assert (again.again, again.claim_count) == (False, 1)


def test_a_set_that_the_file_has_not_is_told(context: Context) -> None:
    export(context, "837")
    _, findings = _import(context, _golden("999").replace("AK2*837*0001", "AK2*837*0002"))
    assert any("transaction set 0002" in finding for finding in findings)


# CMS-1500, DFT, FHIR ------------------------------------------------------------------------------


def test_cms_1500_leaves_as_rows_and_as_filled_forms(context: Context) -> None:
    done = export(context, "cms1500-pdf")
    (file,) = done.files
    pages = PdfReader(io.BytesIO(file.data)).pages
    assert len(pages) == 3
    total = f"{done.total / 3:.2f}".replace(".", "")
    assert all(total in page.extract_text().replace(" ", "") for page in pages)
    assert export(context, "cms1500-pdf").files[0].data == file.data
    with context.database.begin(TENANT_ID) as db:
        row = db.scalars(select(ClaimExportRow)).one()
    assert (row.content, row.file_bytes) == ("", file.data)


def test_cms_1500_rows_are_read_as_what_they_are(context: Context) -> None:
    rows = list(csv.DictReader(io.StringIO(export(context, "cms1500").content)))
    assert len(rows) == 9
    assert {row["24J_rendering_npi"] for row in rows} == {"1999999919"}


def test_each_charge_message_is_valid_and_loses_no_segment(context: Context) -> None:
    done = export(context, "dft")
    messages = done.content.split("\n")
    assert len(messages) == 3
    for text in messages:
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
        parsed.validate()
        understood = [line[:3] for line in parsed.to_er7().split("\r") if line]
        assert understood == [line[:3] for line in text.split("\r") if line]


@pytest.mark.parametrize("entity", ["private_practice", "rhc"])
@pytest.mark.parametrize("coverage_id", ["c-1", None])
def test_fhir_leaves_as_a_bundle_that_a_server_can_take(
    context: Context, entity: str, coverage_id: str | None
) -> None:
    change_practice(context, TENANT_ID, entity=entity)
    for patient_id in (1000, 1001, 1002):
        change_coverage(context, TENANT_ID, patient_id, id=coverage_id)
    done = export(context, "fhir")
    bundle = json.loads(done.content)
    resources = [entry["resource"] for entry in bundle["entry"]]
    kinds = [resource["resourceType"] for resource in resources]
    assert kinds.count("Claim") == 3
    assert kinds.count("ChargeItem") == done.line_count == 9
    assert kinds.count("Coverage") == (0 if coverage_id else 3)
    assert all("ifNoneExist" in entry["request"] for entry in bundle["entry"])
    total = sum(r["total"]["value"] for r in resources if r["resourceType"] == "Claim")
    assert total == pytest.approx(float(done.total))
    assert r4_issues([bundle, *resources]) == []


# The page and the command -------------------------------------------------------------------------


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The practice with a web server, without a worker."""
    made = make_world(worker=False)
    opened = replace(made.context, now=lambda: NOW)
    made.app.extensions["homestretch"] = opened
    with opened.database.begin(TENANT_ID) as db:
        write_therapist(db)
        write_practice(db, TENANT_ID, [person(name) for name in ("A", "B", "C")])
    return replace(made, context=opened)


def test_the_page_gives_one_file_as_it_is_and_several_as_an_archive(world: World) -> None:
    browser = biller(world)
    url = f"{world.places.app}/office/month/{MONTH}"
    page = browser.get(url)
    assert re.findall(r'<option value="([\w-]+)">(?:837|CMS|HL7|FHIR)', page.text) == [
        "837p",
        "cms1500",
        "cms1500-pdf",
        "dft",
        "fhir",
    ]
    two_receivers(world.context)
    answer = browser.submit(page, {"format": "837p"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        contents = [archive.read(name) for name in names]
    assert names == [f"claims-{MONTH}-CLEARHOUSE-1.edi", f"claims-{MONTH}-ELSEWHERE-2.edi"]
    assert all(content.startswith(b"ISA*00*") for content in contents)
    links = re.findall(r'href="(/office/file/\d+)"', browser.get(url).text)
    assert [browser.get(world.places.app + link).content for link in links] == contents[::-1]


def test_an_institution_is_offered_its_own_formats(world: World) -> None:
    change_practice(world.context, TENANT_ID, entity="hospital_outpatient")
    browser = biller(world)
    page = browser.get(f"{world.places.app}/office/month/{MONTH}")
    offered = re.findall(r'<option value="([\w-]+)">(?:837|CMS|HL7|FHIR)', page.text)
    assert offered == ["837i", "dft", "fhir"]
    assert browser.submit(page, {}).content.startswith(b"ISA*00*")


def command(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOMESTRETCH_DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_writes_further_files_beside_the_first(tmp_path: Path) -> None:
    last = history_month(datetime.now(UTC).date())[1]
    context = practice_at(tmp_path / "data", now=datetime.now(UTC))
    with context.database.begin(TENANT_ID) as db:
        people = [person(name, last - timedelta(days=29)) for name in ("A", "B", "C")]
        write_practice(db, TENANT_ID, people)
    two_receivers(context)
    context.database.engine.dispose()
    month = f"{last:%Y-%m}"
    arguments = ("claims", "export", "--month", month, "--format", "837", "--out", "claims.837")
    done = command(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "claims.837, claims-2.837")
    for name in ("claims.837", "claims-2.837"):
        assert x12_errors(tmp_path / name) == []
    refused = command(*arguments[:5], "837i", *arguments[6:], folder=tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "whose format is 837p" in refused.stderr
