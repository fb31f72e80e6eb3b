"""CMS's NCCI tables as downloaded: read whole or refused in one line. All rows are invented."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.edits import (
    Edits,
    InvalidEdits,
    MostUnits,
    ProcedurePair,
    QuarterEdits,
    load_edits,
    merged,
    read_edits,
)
from billing.edits.cms_tables import CmsTable, MueRow, NotACmsTable, PtpRow, read_table
from billing.edits.quarter_file import (
    Families,
    QuarterTable,
    SourceFile,
    TableRefused,
    bounds,
    quarter_table,
)
from billing.rules import load_rules
from billing.scrub import scrub
from tests.billing.ncci_sample import (
    MUE_HEADER,
    MUE_ROWS,
    PTP_HEADER,
    PTP_ROWS,
    PtpCells,
    mue_csv,
    ptp_csv,
    ptp_text,
)
from tests.billing.sample import sample_claim

FAMILIES = Families.of(load_rules())
NOW = datetime(2026, 10, 5, 14, tzinfo=UTC)


def everything(_row: PtpRow | MueRow) -> bool:
    return True


def read(data: bytes, name: str = "ccipra-v323r0-f1.txt") -> CmsTable:
    return read_table(data, name, everything)


def source(data: bytes, name: str) -> SourceFile:
    table = read_table(data, name, FAMILIES.touch)
    return SourceFile(name, hashlib.sha256(data).hexdigest(), table)


def ptp_table(rows: tuple[PtpCells, ...] = PTP_ROWS, quarter: str = "2026Q4") -> QuarterTable:
    return quarter_table([source(ptp_text(rows), "ptp.txt")], quarter, FAMILIES, NOW)


def as_edits(tmp_path: Path, *tables: QuarterTable) -> Edits:
    for n, table in enumerate(tables):
        (tmp_path / f"{n}.yaml").write_text(yaml.safe_dump(table.document, sort_keys=False))
    return read_edits(tmp_path)


# Reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [ptp_text(), ptp_csv()], ids=["text", "csv"])
def test_a_ptp_table_is_read_row_by_row_with_its_dates(data: bytes) -> None:
    table = read(data)
    assert (table.kind, table.row_count, len(table.rows)) == ("ptp", 10, 10)
    assert (table.first_code, table.last_code, table.newest) == (
        "00001",
        "G0001",
        date(2026, 11, 16),
    )
    assert table.rows[2] == PtpRow("98977", "98980", date(2026, 1, 1), date(2026, 11, 15), "0")
    assert table.rows[0] == PtpRow("00001", "00002", date(1996, 1, 1), None, "0")


def test_an_mue_table_is_read_below_its_copyright_of_several_lines() -> None:
    table = read(mue_csv(), "MCR_MUE_PractitionerServices.csv")
    assert (table.kind, table.row_count) == ("mue", 6)
    assert table.rows[3] == MueRow("98980", 2, "1", "1 Line Edit; Invented")


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"PK\x03\x04rest", "table.xlsx", "spreadsheet or archive; unpack it and give the .txt"),
        (b"hello\nworld\n", "a.txt", "no header of CMS's PTP or MUE table"),
        (b"", "a.txt", "no header of CMS's PTP or MUE table"),
        (ptp_text(), "ccioph-v323r0-f1.txt", "outpatient hospital table"),
        (
            mue_csv(header=MUE_HEADER.replace("Practitioner", "Outpatient Hospital")),
            "mue.csv",
            "outpatient hospital table; the practitioner one is needed",
        ),
        (
            mue_csv(header=MUE_HEADER.replace("Practitioner", "DME Supplier")),
            "mue.csv",
            "the DME supplier table",
        ),
        (mue_csv(header=MUE_HEADER.replace("MUE Values", "Values")), "mue.csv", "second column"),
        (mue_csv(header=MUE_HEADER.replace("Adjudication", "")), "mue.csv", "third column"),
        ("\r\n".join(PTP_HEADER).encode(), "a.txt", "header of a table and no row"),
        (mue_csv(()), "mue.csv", "header of a table and no row"),
    ],
)
def test_what_is_no_practitioner_table_is_refused(data: bytes, name: str, says: str) -> None:
    with pytest.raises(NotACmsTable, match=says) as refused:
        read(data, name)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        (0, "9898", "line 7: '9898' is not a HCPCS or CPT code"),
        (0, "98a80", "'98a80' is not a HCPCS or CPT code"),
        (1, "98980X", "'98980X' is not a HCPCS or CPT code"),
        (3, "2026-01-01", "'2026-01-01' is not a date of the form YYYYMMDD"),
        (3, "20260231", "'20260231' is not a date"),
        (3, "٢٠٢٦٠١٠١", "is not a date"),
        (4, "never", "'never' is not a date"),
        (4, "19900101", "before it took effect"),
        (5, "2", "the modifier indicator '2' is not 0, 1 or 9"),
    ],
)
def test_a_broken_ptp_row_is_named_by_its_line(column: int, cell: str, says: str) -> None:
    cells = list(PTP_ROWS[0])
    cells[column] = cell
    text = "\r\n".join([*PTP_HEADER, "\t".join(cells)])
    with pytest.raises(NotACmsTable, match=says):
        read(text.encode())


def test_a_ptp_row_that_was_cut_off_is_refused() -> None:
    with pytest.raises(NotACmsTable, match=r"line 17: 3 columns, and a PTP edit has seven"):
        read(ptp_text() + b"00004\t00005\t")


def test_a_row_without_codes_is_refused_once_the_rows_have_begun() -> None:
    with pytest.raises(NotACmsTable, match="line 17: '' is not a HCPCS"):
        read(ptp_text() + b"\t\t\t20260101\t*\t0\tx\r\n")


def test_a_stray_quote_swallows_no_row() -> None:
    odd = tuple((*row[:6], '"Invented') for row in PTP_ROWS)
    assert read(ptp_text(odd)).row_count == len(PTP_ROWS)
    with pytest.raises(NotACmsTable, match="line 4: "):
        read(ptp_csv(odd))
    first, second, *rest = PTP_ROWS
    around = ((*first[:6], '"Invented'), (*second[:6], 'Invented"'), *rest)
    with pytest.raises(NotACmsTable, match="line 4: a row goes over several lines"):
        read(ptp_csv(around))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("9897", "1", "2 Policy", "x"), "'9897' is not a HCPCS or CPT code"),
        (("98977", "one", "2 Policy", "x"), "'one' is not a number of units"),
        (("98977", "-1", "2 Policy", "x"), "'-1' is not a number of units"),
        (("98977", "1", "4 Other", "x"), "the adjudication indicator '4 Other'"),
        (("98975", "1", "2 Policy", "x"), "98975 is in the table twice"),
    ],
)
def test_a_broken_mue_row_is_refused(row: tuple[str, str, str, str], says: str) -> None:
    with pytest.raises(NotACmsTable, match=says):
        read(mue_csv((*MUE_ROWS, row)), "mue.csv")


def read_or_refused(data: bytes) -> tuple[str, int]:
    """Why it was refused, or how many rows it has."""
    try:
        return "", read(data, "file.txt").row_count
    except NotACmsTable as error:
        return str(error), 0


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    for content in (data, ptp_text() + data, mue_csv() + data):
        said, count = read_or_refused(content)
        assert "\n" not in said
        assert (count > 0) != bool(said)


CODES = st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=5, max_size=5)
DATES = st.dates(date(1996, 1, 1), date(2026, 12, 31))


@st.composite
def ptp_rows(draw: st.DrawFn) -> PtpRow:
    effective = draw(DATES)
    deleted = draw(st.one_of(st.none(), DATES.filter(lambda day: day >= effective)))
    return PtpRow(
        draw(st.one_of(CODES, st.sampled_from(sorted(FAMILIES.all)))),
        draw(st.one_of(CODES, st.sampled_from(sorted(FAMILIES.all)))),
        effective,
        deleted,
        draw(st.sampled_from(["0", "1", "9"])),
    )


def cells(row: PtpRow) -> PtpCells:
    deleted = "*" if row.deleted is None else f"{row.deleted:%Y%m%d}"
    effective = f"{row.effective:%Y%m%d}"
    return (row.column_one, row.column_two, "", effective, deleted, row.indicator, "x")


@settings(max_examples=100, deadline=None)
@given(st.lists(ptp_rows(), min_size=1, max_size=20))
def test_what_is_written_in_cmss_layout_is_read_back(rows: list[PtpRow]) -> None:
    for write in (ptp_text, ptp_csv):
        assert list(read(write([cells(row) for row in rows])).rows) == rows


# One quarter --------------------------------------------------------------------------------------


def test_only_what_touches_our_codes_and_the_quarter_is_kept() -> None:
    table = ptp_table()
    assert [
        (pair["column_one"], pair["column_two"])
        for pair in table.document["procedure_pairs"]["pairs"]
    ] == [
        ("00003", "98980"),
        ("98977", "98980"),
        ("98980", "98979"),
        ("99454", "98975"),
        ("99457", "99458"),
    ]
    assert (table.kept, table.warnings) == (5, ())
    assert table.document["loaded"]["files"][0]["rows"] == 10


def test_units_are_kept_for_our_families_with_their_indicator() -> None:
    table = quarter_table([source(mue_csv(), "mue.csv")], "2026Q4", FAMILIES, NOW)
    units = table.document["medically_unlikely"]["units"]
    assert {code: (entry["most"], entry["indicator"]) for code, entry in units.items()} == {
        "98975": (1, "2"),
        "98980": (2, "1"),
        "98981": (3, "3"),
        "99454": (1, "2"),
    }
    assert units["98981"]["basis"] == "sourced"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("ccipra-v323r0-f2.txt", "ccipra-v323r0-f3.txt"), "parts given are f2, f3"),
        (("ccipra-v323r0-f1.txt", "ccipra-v323r0-f4.txt"), "parts given are f1, f4"),
    ],
)
def test_a_missing_part_is_told_by_the_names(names: tuple[str, str], says: str) -> None:
    parts = [PTP_ROWS[:4], PTP_ROWS[4:]]
    files = [source(ptp_text(rows), name) for rows, name in zip(parts, names, strict=True)]
    with pytest.raises(TableRefused, match=says):
        quarter_table(files, "2026Q4", FAMILIES, NOW)


def test_parts_in_any_order_make_one_table() -> None:
    parts = {"ccipra-f2.txt": PTP_ROWS[4:], "ccipra-f1.txt": PTP_ROWS[:4]}
    files = [source(ptp_text(rows), name) for name, rows in parts.items()]
    table = quarter_table(files, "2026Q4", FAMILIES, NOW)
    assert (
        table.document["procedure_pairs"]["pairs"]
        == (ptp_table().document["procedure_pairs"]["pairs"])
    )


def test_one_part_alone_is_told_by_its_codes() -> None:
    with pytest.raises(TableRefused, match=r"column 1 goes from 00001 to 00003, .* give every"):
        ptp_table(PTP_ROWS[:2])


@pytest.mark.parametrize(
    ("quarter", "says"),
    [
        ("2026Q3", "takes effect on 2026-11-16: the files are of 2026Q4 or later, not of 2026Q3"),
        ("2026-4", "'2026-4' is not a quarter"),
        ("2026Q5", "is not a quarter"),
    ],
)
def test_a_wrong_quarter_is_refused(quarter: str, says: str) -> None:
    with pytest.raises(TableRefused, match=says):
        ptp_table(quarter=quarter)


def test_files_of_two_kinds_or_one_file_twice_are_refused() -> None:
    ptp, mue = source(ptp_text(), "ptp.txt"), source(mue_csv(), "mue.csv")
    with pytest.raises(TableRefused, match="both kinds"):
        quarter_table([ptp, mue], "2026Q4", FAMILIES, NOW)
    with pytest.raises(TableRefused, match="given twice"):
        quarter_table([ptp, replace(ptp, name="again.txt")], "2026Q4", FAMILIES, NOW)
    other = source(mue_csv(MUE_ROWS[1:]), "other.csv")
    with pytest.raises(TableRefused, match="is one file"):
        quarter_table([mue, other], "2026Q4", FAMILIES, NOW)


def test_an_old_file_or_one_without_our_codes_is_warned_of() -> None:
    assert "the newest edit took effect on 2026-11-16" in ptp_table(quarter="2027Q1").warnings[0]
    far = tuple(row for row in PTP_ROWS if not {row[0], row[1]} & FAMILIES.all)
    assert ptp_table(far).warnings == ("no edit in it touches an RTM code",)


@given(st.integers(2020, 2040), st.integers(1, 4))
def test_quarters_follow_one_another_without_a_gap(year: int, number: int) -> None:
    first, last = bounds(f"{year}Q{number}")
    after = (year, number + 1) if number < 4 else (year + 1, 1)
    assert bounds("{}Q{}".format(*after))[0] == last + timedelta(days=1)
    assert 89 <= (last - first).days <= 91


# Over the shipped ones ----------------------------------------------------------------------------


def test_a_loaded_table_wins_over_the_shipped_one_and_the_other_stays(tmp_path: Path) -> None:
    both = merged(load_edits(), as_edits(tmp_path, ptp_table()))
    loaded, shipped = both.on(date(2026, 11, 1)), load_edits().on(date(2026, 11, 1))
    assert loaded is not None
    assert shipped is not None
    assert (len(loaded.pairs), loaded.pairs_complete) == (5, True)
    assert (loaded.units, loaded.units_complete) == (shipped.units, False)
    assert both.on(date(2026, 8, 1)) == load_edits().on(date(2026, 8, 1))


def test_both_tables_of_a_quarter_are_complete_together(tmp_path: Path) -> None:
    mue = quarter_table([source(mue_csv(), "mue.csv")], "2027Q1", FAMILIES, NOW)
    both = merged(load_edits(), as_edits(tmp_path, ptp_table(quarter="2027Q1"), mue))
    quarter = both.on(date(2027, 1, 1))
    assert quarter is not None
    assert (quarter.units_complete, quarter.pairs_complete) == (True, True)


def test_an_incomplete_table_of_the_deployment_changes_nothing() -> None:
    loose = {"98975": MostUnits(9, "recalled", "-")}
    loaded = Edits({"2026Q4": QuarterEdits("2026Q4", loose, False, (), False)})
    assert merged(load_edits(), loaded) == load_edits()


@pytest.mark.parametrize(
    ("day", "in_force"),
    [
        (date(2026, 10, 1), ["98977/98980"]),
        (date(2026, 11, 15), ["98977/98980"]),
        (date(2026, 11, 16), ["98980/98979"]),
        (date(2026, 12, 31), ["98980/98979"]),
    ],
)
def test_an_edit_counts_from_its_effective_date_to_its_deletion_date(
    tmp_path: Path, day: date, in_force: list[str]
) -> None:
    quarter = as_edits(tmp_path, ptp_table()).on(day)
    assert quarter is not None
    dated = [p for p in quarter.pairs if "98980" in (p.column_one, p.column_two)][1:]
    shown = [f"{p.column_one}/{p.column_two}" for p in dated if p.in_force(day)]
    assert shown == in_force


def test_the_scrubber_goes_by_the_date_of_service() -> None:
    """The sample's lines are of 31 March 2026."""
    claim = sample_claim()

    def found(pair: ProcedurePair) -> list[str]:
        edits = Edits({"2026Q1": QuarterEdits("2026Q1", {}, True, (pair,), True)})
        return [f.field for f in scrub(claim, date(2026, 4, 1), edits=edits) if f.field == "PTP"]

    pair = ProcedurePair("98980", "98977", "0", date(2026, 1, 1), date(2026, 3, 31))
    assert found(pair) == ["PTP"]
    assert found(replace(pair, deleted=date(2026, 3, 30))) == []
    assert found(replace(pair, effective=date(2026, 4, 1), deleted=None)) == []


def test_a_line_edit_limits_each_line_and_a_date_edit_their_sum() -> None:
    claim = sample_claim()
    charge = claim.lines[2].charge
    other = replace(charge, modifiers=("GP", "CQ"))
    twice = replace(claim, lines=(*claim.lines, replace(claim.lines[2], id="HS-1-4", charge=other)))

    def limited(indicator: str) -> bool:
        most = MostUnits(1, "sourced", "-", indicator)  # type: ignore[arg-type]
        edits = Edits({"2026Q1": QuarterEdits("2026Q1", {charge.code: most}, True, (), True)})
        return any(f.field == "MUE" for f in scrub(twice, date(2026, 4, 1), edits=edits))

    assert (limited("1"), limited("2"), limited("3")) == (False, True, True)


def test_a_date_that_is_none_is_refused_in_a_file_of_the_folder(tmp_path: Path) -> None:
    document = ptp_table().document
    document["procedure_pairs"]["pairs"][0]["effective"] = "2026-02-31"
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(InvalidEdits, match=r"a\.yaml: 00003/98980"):
        read_edits(tmp_path)
