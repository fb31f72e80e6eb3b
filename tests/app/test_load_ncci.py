"""`homestretch rules load-ncci`: whole or not at all, and what is loaded decides what leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from app.billing_office.export import ExportRefused, export_month
from app.cli import main
from app.config import Settings
from app.ncci import deployment_edits
from billing.edits import load_edits
from tests.app.synthetic_practice import Monitored, write_practice
from tests.app.test_audit_packet import therapist
from tests.billing.ncci_sample import PTP_ROWS, mue_csv, ptp_text
from tests.conftest import World

NOW = datetime(2026, 11, 5, 15, tzinfo=UTC)
ENDS = PTP_ROWS[0], PTP_ROWS[-1]


@pytest.fixture
def edits_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMESTRETCH_EDITS_DIR", str(tmp_path / "edits"))
    monkeypatch.setenv("HOMESTRETCH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "edits"


def load(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["rules", "load-ncci", *map(str, arguments)])


def file(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_both_tables_are_written_with_what_they_came_from(tmp_path: Path, edits_dir: Path) -> None:
    ptp = file(tmp_path, "ptp.txt", ptp_text())
    mue = file(tmp_path, "mue.csv", mue_csv())
    done = load(ptp, "--quarter", "2026Q4", "--kind", "ptp")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "ptp-2026Q4.yaml: PTP table of 2026Q4, 5 of 10 entries touch our codes" in done.stdout
    assert load(mue, "--quarter", "2026Q4").exit_code == 0
    assert sorted(path.name for path in edits_dir.iterdir()) == [
        "mue-2026Q4.yaml",
        "ptp-2026Q4.yaml",
    ]
    written = yaml.safe_load((edits_dir / "ptp-2026Q4.yaml").read_text("utf-8"))
    (source,) = written["loaded"]["files"]
    assert source["sha256"] == hashlib.sha256(ptp.read_bytes()).hexdigest()
    assert written["loaded"]["at"].endswith("+00:00")
    quarter = deployment_edits(Settings()).on(date(2026, 12, 1))
    assert quarter is not None
    assert (quarter.units_complete, quarter.pairs_complete) == (True, True)


def test_without_a_folder_the_shipped_edits_are_used(edits_dir: Path) -> None:
    assert deployment_edits(Settings()) == load_edits()
    assert not edits_dir.exists()


def test_the_folder_is_in_the_data_folder_where_nothing_is_set(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).effective_edits_dir == tmp_path / "edits"


@pytest.mark.parametrize(
    ("name", "data", "more", "says"),
    [
        ("a.txt", b"hello", (), "a.txt: no header of CMS's PTP or MUE table in it"),
        ("a.xlsx", b"PK\x03\x04", (), "a.xlsx: a spreadsheet or archive"),
        ("a.txt", ptp_text(), ("--kind", "mue"), "a.txt: is a PTP table, not MUE"),
        (
            "a.txt",
            ptp_text((*ENDS, ("9898", *PTP_ROWS[1][1:]))),
            (),
            "line 9: '9898' is not a HCPCS",
        ),
        ("ccipra-f2.txt", ptp_text(), (), "parts given are f2"),
    ],
)
def test_what_can_not_be_loaded_is_one_line_and_leaves_nothing(
    tmp_path: Path, edits_dir: Path, name: str, data: bytes, more: tuple[str, ...], says: str
) -> None:
    done = load(file(tmp_path, name, data), "--quarter", "2026Q4", *more)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not edits_dir.exists() or list(edits_dir.iterdir()) == []


def test_a_file_that_is_not_there_and_a_bad_quarter_are_told(
    tmp_path: Path, edits_dir: Path
) -> None:
    assert "No such file" in load(tmp_path / "none.txt", "--quarter", "2026Q4").stderr
    ptp = file(tmp_path, "a.txt", ptp_text())
    assert "'2026' is not a quarter of the form 2026Q4" in load(ptp, "--quarter", "2026").stderr
    assert not edits_dir.exists()


def test_a_loaded_quarter_stays_unless_it_is_to_be_replaced(
    tmp_path: Path, edits_dir: Path
) -> None:
    ptp = file(tmp_path, "a.txt", ptp_text())
    assert load(ptp, "--quarter", "2026Q4").exit_code == 0
    before = (edits_dir / "ptp-2026Q4.yaml").read_bytes()
    fewer = file(tmp_path, "b.txt", ptp_text((*ENDS, PTP_ROWS[1])))
    again = load(fewer, "--quarter", "2026Q4")
    assert again.exit_code == 2
    assert "the PTP table of 2026Q4 is loaded already" in again.stderr
    assert (edits_dir / "ptp-2026Q4.yaml").read_bytes() == before
    assert load(fewer, "--quarter", "2026Q4", "--replace").exit_code == 0
    assert (edits_dir / "ptp-2026Q4.yaml").read_bytes() != before


def test_a_broken_replacement_leaves_what_was_loaded(tmp_path: Path, edits_dir: Path) -> None:
    load(file(tmp_path, "a.txt", ptp_text()), "--quarter", "2026Q4")
    before = (edits_dir / "ptp-2026Q4.yaml").read_bytes()
    broken = file(tmp_path, "b.txt", ptp_text() + b"1234\t")
    assert load(broken, "--quarter", "2026Q4", "--replace").exit_code == 2
    assert [path.read_bytes() for path in edits_dir.iterdir()] == [before]


def test_a_folder_that_can_not_be_made_is_told(
    tmp_path: Path, edits_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = file(tmp_path, "in-the-way", b"")
    monkeypatch.setenv("HOMESTRETCH_EDITS_DIR", str(in_the_way / "edits"))
    done = load(file(tmp_path, "a.txt", ptp_text()), "--quarter", "2026Q4")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_help_says_which_files_are_read() -> None:
    said = " ".join(load("--help").stdout.split())
    assert ".txt or .csv" in said
    assert ".xlsx" in said


# What leaves --------------------------------------------------------------------------------------


@pytest.fixture
def world(make_world: Callable[..., World], tmp_path: Path) -> World:
    """A practice on 5 November 2026 with one billable patient, and its own folder of edits."""
    made = make_world(worker=False, edits_dir=tmp_path / "edits")
    context = replace(made.context, now=lambda: NOW)
    with context.database.begin(made.tenant_id) as db:
        person = Monitored("A", date(2026, 10, 2), days=18, minutes=24, talk=True)
        write_practice(db, made.tenant_id, [person])
        db.add(therapist())
    return replace(made, context=context)


def test_a_loaded_pair_holds_a_claim_that_the_shipped_edits_let_through(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMESTRETCH_EDITS_DIR", str(tmp_path / "edits"))
    pair = ("98980", "98977", "", "20261001", "*", "0", "Invented")
    ptp = file(tmp_path, "a.txt", ptp_text((*ENDS, pair)))
    assert load(ptp, "--quarter", "2026Q4").exit_code == 0
    with pytest.raises(ExportRefused, match="98977 is not paid beside 98980 on 2026-10-31"):
        export_month(world.context, world.tenant_id, "2026-10", "837p")


def test_loaded_tables_end_the_warning_that_there_are_none(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMESTRETCH_EDITS_DIR", str(tmp_path / "edits"))
    load(file(tmp_path, "a.txt", ptp_text(ENDS)), "--quarter", "2026Q4")
    load(file(tmp_path, "mue.csv", mue_csv()), "--quarter", "2026Q4")
    done = export_month(world.context, world.tenant_id, "2026-10", "837p")
    assert done.claim_count == 1
    assert not any("tables not" in warning for warning in done.warned)


def test_a_broken_table_in_the_folder_keeps_every_claim_back(world: World, tmp_path: Path) -> None:
    (tmp_path / "edits").mkdir()
    (tmp_path / "edits" / "hand.yaml").write_text("quarters: [")
    with pytest.raises(ExportRefused, match=r"a loaded NCCI table can't be read: hand\.yaml"):
        export_month(world.context, world.tenant_id, "2026-10", "837p")
