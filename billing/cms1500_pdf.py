"""The filled CMS-1500 (02/12) as PDF, from its print image.

The official form is printed in a red that scanners drop out, and may not be reproduced: what is
drawn here is our own black-on-white ruling with the same items in the same places, for payers and
people who read it; `preprinted` puts the data alone, for paper that bears the form already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from fpdf import FPDF

from billing.claim_model import Claim
from billing.cms1500_page import COLUMNS, FIRST_LINE_ROW, LINES_ON_FORM, ROWS, print_image

Form = Literal["drawn", "preprinted"]

# US letter in points. Courier at 12 points is 10 characters to the inch; 12 points are a row.
_WIDTH_PT, _HEIGHT_PT = 612.0, 792.0
_ROW_PT, _COLUMN_PT = _HEIGHT_PT / ROWS, 7.2
_LEFT_PT = (_WIDTH_PT - COLUMNS * _COLUMN_PT) / 2
_BASELINE_PT = 3.0  # above the row's lower edge, clear of the ruling
_MARGIN_PT = 3.0  # between a box's left side and what stands in it
_LABEL_SIZE_PT, _TITLE_SIZE_PT = 5.0, 10.0

# Each box of the form: last row, first column, width in columns, rows, label. The words are ours.
_BOXES: tuple[tuple[int, int, int, int, str], ...] = (
    (8, 1, 49, 2, "1. COVERAGE"),
    (8, 50, 31, 2, "1a. INSURED'S ID"),
    (10, 1, 29, 2, "2. PATIENT (last, first)"),
    (10, 30, 20, 2, "3. BIRTH DATE, SEX"),
    (10, 50, 31, 2, "4. INSURED (last, first)"),
    (12, 1, 29, 2, "5. PATIENT'S ADDRESS"),
    (12, 30, 20, 2, "6. RELATIONSHIP TO INSURED"),
    (12, 50, 31, 2, "7. INSURED'S ADDRESS"),
    (14, 1, 24, 2, "CITY"),
    (14, 25, 5, 2, "STATE"),
    (16, 30, 20, 4, "8. RESERVED"),
    (14, 50, 23, 2, "CITY"),
    (14, 73, 8, 2, "STATE"),
    (16, 1, 14, 2, "ZIP"),
    (16, 15, 15, 2, "TELEPHONE"),
    (16, 50, 14, 2, "ZIP"),
    (16, 64, 17, 2, "TELEPHONE"),
    (18, 1, 29, 2, "9. OTHER INSURED"),
    (18, 30, 20, 2, "10. CONDITION RELATED TO"),
    (18, 50, 31, 2, "11. POLICY GROUP OR FECA"),
    (20, 1, 29, 2, "9a. OTHER POLICY OR GROUP"),
    (20, 30, 20, 2, "10a. EMPLOYMENT"),
    (20, 50, 31, 2, "11a. INSURED'S BIRTH DATE, SEX"),
    (22, 1, 29, 2, "9b. RESERVED"),
    (22, 30, 20, 2, "10b. AUTO ACCIDENT, STATE"),
    (22, 50, 31, 2, "11b. OTHER CLAIM ID"),
    (24, 1, 29, 2, "9c. RESERVED"),
    (24, 30, 20, 2, "10c. OTHER ACCIDENT"),
    (24, 50, 31, 2, "11c. PLAN OR PROGRAM"),
    (26, 1, 29, 2, "9d. OTHER PLAN OR PROGRAM"),
    (26, 30, 20, 2, "10d. CLAIM CODES"),
    (26, 50, 31, 2, "11d. ANOTHER PLAN"),
    (30, 1, 49, 4, "12. PATIENT'S SIGNATURE AND DATE"),
    (30, 50, 31, 4, "13. INSURED'S SIGNATURE"),
    (32, 1, 29, 2, "14. ONSET OF ILLNESS"),
    (32, 30, 20, 2, "15. OTHER DATE"),
    (32, 50, 31, 2, "16. UNABLE TO WORK FROM - TO"),
    (34, 1, 29, 2, "17. REFERRING (DN), ORDERING (DK)"),
    (34, 30, 20, 2, "17b. NPI"),
    (34, 50, 31, 2, "18. IN HOSPITAL FROM - TO"),
    (36, 1, 49, 2, "19. ADDITIONAL INFORMATION"),
    (36, 50, 31, 2, "20. OUTSIDE LAB"),
    (40, 1, 49, 4, "21. DIAGNOSES A-L, FOUR TO A ROW; ICD INDICATOR ON THE RIGHT"),
    (38, 50, 31, 2, "22. RESUBMISSION CODE / ORIGINAL REFERENCE"),
    (40, 50, 31, 2, "23. PRIOR AUTHORIZATION"),
    (56, 1, 22, 2, "25. TAX ID"),
    (56, 23, 14, 2, "26. PATIENT'S ACCOUNT"),
    (56, 37, 13, 2, "27. ASSIGNMENT"),
    (56, 50, 11, 2, "28. TOTAL CHARGE"),
    (56, 61, 10, 2, "29. AMOUNT PAID"),
    (56, 71, 10, 2, "30. RESERVED"),
    (62, 1, 22, 6, "31. SIGNATURE OF PROVIDER AND DATE"),
    (60, 23, 27, 4, "32. SERVICE FACILITY"),
    (60, 50, 31, 4, "33. BILLING PROVIDER, TELEPHONE"),
    (62, 23, 13, 2, "a. NPI"),
    (62, 36, 14, 2, "b."),
    (62, 50, 13, 2, "a. NPI"),
    (62, 63, 18, 2, "b."),
)
# What a cross in a place means: row, column of the cross, words to its right.
_CHOICES: tuple[tuple[int, int, str], ...] = (
    (8, 1, "Medicare"),
    (8, 8, "Medicaid"),
    (8, 15, "Tricare"),
    (8, 24, "Champva"),
    (8, 31, "Group"),
    (8, 39, "FECA"),
    (8, 45, "Other"),
    (10, 42, "M"),
    (10, 47, "F"),
    (12, 33, "Self"),
    (12, 38, "Spouse"),
    (12, 42, "Child"),
    (12, 47, "Oth."),
    (20, 35, "Yes"),
    (20, 41, "No"),
    (20, 68, "M"),
    (20, 75, "F"),
    (22, 35, "Yes"),
    (22, 41, "No"),
    (24, 35, "Yes"),
    (24, 41, "No"),
    (26, 52, "Yes"),
    (26, 57, "No"),
    (36, 52, "Yes"),
    (36, 57, "No"),
    (56, 19, "EIN"),
    (56, 38, "Yes"),
    (56, 43, "No"),
)
# Item 24: first column, width and label of each column.
_LINE_COLUMNS: tuple[tuple[int, int, str], ...] = (
    (1, 18, "24. A. FROM           TO"),
    (19, 3, "B. POS"),
    (22, 3, "C. EMG"),
    (25, 20, "D. PROCEDURE    MODIFIERS"),
    (45, 5, "E. PTR"),
    (50, 9, "F. CHARGES"),
    (59, 4, "G. UNITS"),
    (63, 2, "H."),
    (65, 3, "I. ID"),
    (68, 13, "J. RENDERING NPI"),
)


def cms1500_pdf(
    claims: Sequence[Claim],
    created: datetime,
    *,
    form: Form = "drawn",
    shift_right_pt: float = 0.0,
    shift_down_pt: float = 0.0,
) -> bytes:
    """One PDF with the forms of every claim in order, US letter.

    `created` is the document's date, so that the same claims give the same bytes. The shifts
    move the data for a printer that feeds the pre-printed form out of place.

    Raises:
        ValueError: no claims, or one that the form can't hold (see `print_image`).
    """
    if not claims:
        raise ValueError("a document needs at least one claim")
    pdf = FPDF(unit="pt", format="letter")
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(created)
    pdf.set_title("CMS-1500 (02/12)")
    for claim in claims:
        for rows in print_image(claim):
            pdf.add_page()
            if form == "drawn":
                _draw(pdf)
            pdf.set_font("Courier", size=12)
            for number, row in enumerate(rows, start=1):
                if row:
                    left = _LEFT_PT + shift_right_pt
                    pdf.text(left, number * _ROW_PT - _BASELINE_PT + shift_down_pt, row)
    return bytes(pdf.output())


def _draw(pdf: FPDF) -> None:
    pdf.set_line_width(0.5)
    pdf.set_font("Helvetica", size=_TITLE_SIZE_PT)
    pdf.text(_LEFT_PT, 4 * _ROW_PT, "HEALTH INSURANCE CLAIM  (data of the CMS-1500, 02/12)")
    pdf.set_font("Helvetica", size=_LABEL_SIZE_PT)
    for last_row, column, width, rows, label in _BOXES:
        _box(pdf, last_row, column, width, rows, label)
    for row, column, label in _CHOICES:
        pdf.text(_LEFT_PT + (column + 0.2) * _COLUMN_PT, row * _ROW_PT - _BASELINE_PT, label)
    last = FIRST_LINE_ROW + 2 * (LINES_ON_FORM - 1)
    for column, width, label in _LINE_COLUMNS:
        _box(pdf, FIRST_LINE_ROW - 2, column, width, 2, label)
        for row in range(FIRST_LINE_ROW, last + 1, 2):
            _box(pdf, row, column, width, 2, "")


def _box(pdf: FPDF, last_row: int, column: int, width: int, rows: int, label: str) -> None:
    left, top = _LEFT_PT - _MARGIN_PT + (column - 1) * _COLUMN_PT, (last_row - rows) * _ROW_PT
    pdf.rect(left, top, width * _COLUMN_PT, rows * _ROW_PT)
    if label:
        pdf.text(left + _MARGIN_PT, top + _LABEL_SIZE_PT + 1, label)
