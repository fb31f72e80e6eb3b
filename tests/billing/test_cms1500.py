"""CMS-1500: rows for a spreadsheet, and the filled form as read back from the PDF."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from pypdf import PdfReader

from billing.claim_model import Claim, ClaimLine, Dependent, Practitioner
from billing.cms1500 import COLUMNS, cms1500_csv
from billing.cms1500_page import COLUMNS as PAGE_COLUMNS
from billing.cms1500_page import ROWS, print_image
from billing.cms1500_pdf import Form, cms1500_pdf
from tests.billing.claim_strategies import FACILITY, claims
from tests.billing.sample import sample_claim

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2026, 4, 1, 12, 0)
GOOD = sample_claim()
CHILD = Dependent("Ñandú", "Lía", date(2012, 5, 1), "female", GOOD.subscriber.address, "child")
# Everything that a form can bear at once, and more lines than one form takes.
FULL = replace(
    GOOD,
    payer=replace(GOOD.payer, filing_code="CI"),
    dependent=CHILD,
    frequency="7",
    payer_claim_number="ICN-1",
    prior_authorization="AUTH-1",
    service_facility=FACILITY,
    note="Corrected units",
    diagnoses=tuple(f"M25.5{n:02d}" for n in range(10, 22)),
    lines=tuple(
        ClaimLine(
            f"L{n}",
            replace(GOOD.lines[n % 3].charge, modifiers=("GP", "CQ"), dated_by="range"),
            (1, 12),
        )
        for n in range(8)
    ),
)


def at(rows: tuple[str, ...], row: int, column: int, width: int) -> str:
    """What stands on the form there; rows and columns count from 1."""
    return rows[row - 1][column - 1 : column - 1 + width].rstrip()


def read_back(document: bytes, page: int = 0) -> list[str]:
    """The data of a PDF page, line by line, without the small print of the form."""
    found: list[str] = []

    def visit(text: str, _cm: object, _tm: object, font: dict[str, str], size: float) -> None:
        if font and font["/BaseFont"] == "/Courier" and text.strip():
            found.append(text.strip("\n"))

    PdfReader(io.BytesIO(document)).pages[page].extract_text(visitor_text=visit)
    return found


def test_cms1500_rows_are_the_golden_file() -> None:
    golden = (GOLDEN / "cms1500.csv").read_text(encoding="utf-8")
    assert cms1500_csv([GOOD]).replace("\r\n", "\n") == golden


def test_cms1500_has_a_row_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(cms1500_csv([GOOD]))))
    assert [row["24D_code"] for row in rows] == ["98975", "98977", "98980"]
    assert set(rows[0]) == set(COLUMNS)


def test_rows_name_patient_insured_correction_and_facility() -> None:
    row = next(csv.DictReader(io.StringIO(cms1500_csv([FULL]))))
    assert row["2_patient_name"] == "Ñandú, Lía"
    assert row["4_insured_name"] == "Ñandú, Ana"
    assert (row["6_relationship"], row["22_resubmission_code"]) == ("child", "7")
    assert (row["22_original_reference"], row["23_prior_authorization"]) == ("ICN-1", "AUTH-1")
    assert row["32a_facility_npi"] == "1999999935"
    assert (row["24A_from"], row["24A_to"]) == ("03022026", "03032026")


def test_the_print_image_is_the_golden_file() -> None:
    golden = (GOLDEN / "cms1500.txt").read_text()
    pages = print_image(GOOD) + print_image(FULL)
    assert "\f".join("\n".join(rows) + "\n" for rows in pages) == golden


@pytest.mark.parametrize(
    ("item", "place", "value"),
    [
        ("1 Medicare", (8, 1, 1), "X"),
        ("1a", (8, 50, 29), "9ZZ0ZZ0ZZ00"),
        ("2", (10, 1, 28), "NANDU, ANA"),
        ("3", (10, 31, 10), "03 14 1952"),
        ("3 female", (10, 47, 1), "X"),
        ("4, empty under Medicare", (10, 50, 29), ""),
        ("5", (12, 1, 28), "1 ELM STREET"),
        ("5 city", (14, 1, 24), "SPRINGFIELD"),
        ("5 state", (14, 26, 3), "IL"),
        ("5 ZIP", (16, 1, 12), "62702"),
        ("6 self", (12, 33, 1), "X"),
        ("10a, which only people know", (20, 35, 7), ""),
        ("11", (18, 50, 29), "NONE"),
        ("12", (30, 8, 20), "SIGNATURE ON FILE"),
        ("17 qualifier", (34, 1, 2), "DN"),
        ("17", (34, 4, 24), "ROBIN CHEN"),
        ("17b", (34, 33, 16), "1999999927"),
        ("21 indicator", (37, 42, 1), "0"),
        ("21 A", (38, 3, 7), "M1711"),
        ("21 B", (38, 16, 7), "Z96651"),
        ("24A from", (44, 1, 8), "03 03 26"),
        ("24A to", (44, 10, 8), "03 03 26"),
        ("24B", (44, 19, 2), "11"),
        ("24D", (44, 25, 6), "98975"),
        ("24D modifier", (44, 33, 2), "GP"),
        ("24E", (44, 45, 4), "AB"),
        ("24F", (44, 50, 8), "    2171"),
        ("24G", (44, 59, 3), "1"),
        ("24J", (44, 68, 10), "1999999919"),
        ("25", (56, 1, 15), "123456789"),
        ("25 EIN", (56, 19, 1), "X"),
        ("26", (56, 23, 14), "HS-1"),
        ("27 yes", (56, 38, 1), "X"),
        ("28", (56, 51, 9), "    11590"),
        ("31, which only people sign", (61, 1, 22), ""),
        ("33 telephone", (57, 66, 14), "5555550100"),
        ("33", (58, 50, 29), "PRAIRIE REHAB CLINIC"),
        ("33a", (62, 51, 10), "1999999901"),
    ],
)
def test_every_item_stands_in_its_place(item: str, place: tuple[int, int, int], value: str) -> None:
    (rows,) = print_image(GOOD)
    assert at(rows, *place) == value, item


def test_eight_lines_need_a_continuation_form_which_bears_the_total() -> None:
    first, second = print_image(FULL)
    assert [at(first, row, 25, 5) for row in range(44, 56, 2)] == [
        "98975",
        "98977",
        "98980",
        "98975",
        "98977",
        "98980",
    ]
    assert [at(second, row, 25, 5) for row in (44, 46, 48)] == ["98975", "98977", ""]
    assert at(first, 56, 51, 9) == "CONTINUED"
    assert Decimal(at(second, 56, 51, 9)) / 100 == FULL.total
    assert first[:43] == second[:43]


def test_a_full_form_names_insured_correction_facility_and_twelve_diagnoses() -> None:
    rows = print_image(FULL)[0]
    assert at(rows, 8, 45, 1) == "X"
    assert at(rows, 10, 50, 29) == "NANDU, ANA"
    assert at(rows, 12, 42, 1) == "X"
    assert at(rows, 36, 1, 48) == "CORRECTED UNITS"
    assert (at(rows, 38, 50, 11), at(rows, 38, 62, 18)) == ("7", "ICN-1")
    assert at(rows, 40, 50, 29) == "AUTH-1"
    assert at(rows, 40, 42, 7) == "M25521"
    assert (at(rows, 44, 1, 8), at(rows, 44, 10, 8)) == ("03 02 26", "03 03 26")
    assert (at(rows, 44, 36, 2), at(rows, 44, 45, 4)) == ("CQ", "AL")
    assert (at(rows, 58, 23, 26), at(rows, 62, 24, 10)) == ("PRAIRIE POOL", "1999999935")


@pytest.mark.parametrize("form", ["drawn", "preprinted"])
def test_the_pdf_bears_the_print_image(form: Form) -> None:
    document = cms1500_pdf([GOOD, FULL], CREATED, form=form)
    pages = [*print_image(GOOD), *print_image(FULL)]
    assert len(PdfReader(io.BytesIO(document)).pages) == len(pages) == 3
    for number, rows in enumerate(pages):
        assert [" ".join(row.split()) for row in read_back(document, number)] == [
            " ".join(row.split()) for row in rows if row
        ]


def test_the_drawn_form_numbers_its_33_items_and_the_preprinted_one_none() -> None:
    def words(form: Form) -> str:
        return (
            PdfReader(io.BytesIO(cms1500_pdf([GOOD], CREATED, form=form))).pages[0].extract_text()
        )

    assert [n for n in range(1, 34) if f"{n}. " not in words("drawn")] == []
    assert "DIAGNOSES" not in words("preprinted")


def test_a_shift_moves_the_data_for_the_printer() -> None:
    def first_place(**shift: float) -> tuple[float, float]:
        places: list[tuple[float, float]] = []

        def visit(text: str, _cm: object, tm: list[float], _font: object, _size: float) -> None:
            if text.strip():
                places.append((tm[4], tm[5]))

        document = cms1500_pdf([GOOD], CREATED, form="preprinted", **shift)  # type: ignore[arg-type]
        PdfReader(io.BytesIO(document)).pages[0].extract_text(visitor_text=visit)
        return places[0]

    x, y = first_place()
    assert first_place(shift_right_pt=5.0, shift_down_pt=7.0) == pytest.approx((x + 5, y - 7))


def test_the_same_claims_give_the_same_bytes() -> None:
    assert cms1500_pdf([GOOD], CREATED) == cms1500_pdf([GOOD], CREATED)


@settings(max_examples=25, deadline=None)
@given(claim=claims(most_lines=13))
def test_no_claim_writes_outside_the_form_or_loses_a_cent(claim: Claim) -> None:
    pages = print_image(claim)
    assert all(len(rows) == ROWS for rows in pages)
    assert all(len(row) <= PAGE_COLUMNS and row.isascii() for rows in pages for row in rows)
    printed = [at(rows, row, 50, 8) for rows in pages for row in range(44, 56, 2)]
    assert sum(Decimal(cents) for cents in printed if cents) / 100 == claim.total
    assert Decimal(at(pages[-1], 56, 51, 9)) / 100 == claim.total


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (replace(GOOD, lines=()), "has no lines"),
        (replace(GOOD, diagnoses=("M17.11",) * 13), "more than 12 diagnoses"),
        (replace(GOOD, id="HS-1234567890123"), "HS-1234567890123 does not fit"),
        (replace(GOOD, rendering=Practitioner("A", "B", "19999999190")), "does not fit"),
        (
            replace(
                GOOD,
                lines=(
                    replace(
                        GOOD.lines[0],
                        charge=replace(GOOD.lines[0].charge, modifiers=("GP",) * 5),
                    ),
                ),
            ),
            "more than four modifiers",
        ),
    ],
)
def test_what_the_form_has_no_room_for_is_refused_and_not_cut(claim: Claim, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        print_image(claim)


def test_a_document_needs_a_claim() -> None:
    with pytest.raises(ValueError, match="at least one claim"):
        cms1500_pdf([], CREATED)
