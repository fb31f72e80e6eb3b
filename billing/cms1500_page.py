"""The CMS-1500 (02/12) as a print image: rows of fixed-pitch characters, as the form is ruled.

The form has 66 rows (6 to the inch) of 80 columns (10 to the inch). Where each item stands is
recalled from the form's ruling, not taken from its licensed specification: print a test page on
a pre-printed form before relying on it.

Left to people, because the service does not know or may not say it: the accident and employment
questions (10a-10c), the date of onset (14), the amount paid (29) and the signature (31).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.claim import MOST_DIAGNOSES, icd10_on_the_wire, on_the_wire
from billing.claim_model import Address, Claim, ClaimLine, Dependent, Subscriber, sex_letter

ROWS, COLUMNS = 66, 80
LINES_ON_FORM = 6
FIRST_LINE_ROW = 44

_CONTINUED = "CONTINUED"
_POINTERS = "ABCDEFGHIJKL"
_MEDICARE = ("MB", "MA")
# Item 1, by claim filing indicator (SBR09): the column of its box. What is none of these is OTHER.
_COVERAGE_COLUMNS = {"MB": 1, "MA": 1, "MC": 8, "CH": 15, "VA": 24}
_OTHER_COVERAGE_COLUMN = 45
_RELATIONSHIP_COLUMNS = {"self": 33, "spouse": 38, "child": 42, "other": 47}
_DIAGNOSIS_COLUMNS = (3, 16, 29, 42)


class _Page:
    """A blank form that is written on once per place."""

    def __init__(self, claim_id: str) -> None:
        self._claim_id = claim_id
        self._rows = [[" "] * COLUMNS for _ in range(ROWS)]

    def words(self, row: int, column: int, width: int, value: str) -> None:
        """Words in the form's character set; what does not fit is cut off, as on any paper form."""
        self._write(row, column, on_the_wire(value)[:width])

    def exact(self, row: int, column: int, width: int, value: str) -> None:
        """A number or identifier. Raises ValueError rather than cut one."""
        plain = on_the_wire(value)
        if len(plain) > width:
            raise ValueError(f"claim {self._claim_id}: {plain} does not fit on the CMS-1500")
        self._write(row, column, plain)

    def money(self, row: int, column: int, width: int, amount: Decimal) -> None:
        """Dollars and cents without a point, the cents in the last two columns."""
        plain = f"{amount:.2f}".replace(".", "")
        self.exact(row, column + width - min(width, len(plain)), width, plain)

    def _write(self, row: int, column: int, value: str) -> None:
        self._rows[row - 1][column - 1 : column - 1 + len(value)] = list(value)

    def rows(self) -> tuple[str, ...]:
        return tuple("".join(row).rstrip() for row in self._rows)


def print_image(claim: Claim) -> tuple[tuple[str, ...], ...]:
    """The forms of one claim, each `ROWS` rows of at most `COLUMNS` characters.

    Six lines a form; every form but the last says CONTINUED for the total, which the last one
    bears for the whole claim.

    Raises:
        ValueError: no lines, more diagnoses or modifiers than the form has room for, or a number
            that is too long for its place.
    """
    if not claim.lines:
        raise ValueError(f"claim {claim.id} has no lines")
    if len(claim.diagnoses) > MOST_DIAGNOSES:
        raise ValueError(f"claim {claim.id} has more than {MOST_DIAGNOSES} diagnoses")
    starts = range(0, len(claim.lines), LINES_ON_FORM)
    return tuple(
        _form(claim, claim.lines[start : start + LINES_ON_FORM], is_last=start == starts[-1])
        for start in starts
    )


def _form(claim: Claim, lines: Sequence[ClaimLine], *, is_last: bool) -> tuple[str, ...]:
    page = _Page(claim.id)
    _people(page, claim)
    _condition(page, claim)
    for place, line in enumerate(lines):
        _line(page, FIRST_LINE_ROW + 2 * place, claim, line)
    _account(page, claim, is_last=is_last)
    return page.rows()


def _people(page: _Page, claim: Claim) -> None:
    """Items 1 to 13."""
    insured, patient, payer = claim.subscriber, claim.patient, claim.payer
    page.words(3, 42, 38, payer.name)
    page.words(8, _COVERAGE_COLUMNS.get(payer.filing_code, _OTHER_COVERAGE_COLUMN), 1, "X")
    page.exact(8, 50, 29, insured.member_id)
    page.words(10, 1, 28, _name(patient))
    _birth_date(page, 10, 31, patient)
    _sex(page, 10, patient, {"M": 42, "F": 47})
    _address(page, 12, 1, 24, 26, patient.address)
    relationship = claim.dependent.relationship if claim.dependent else "self"
    page.words(12, _RELATIONSHIP_COLUMNS[relationship], 1, "X")
    # Medicare leaves items 4 and 7 empty where it is primary, and wants NONE in item 11.
    if payer.filing_code in _MEDICARE:
        page.words(18, 50, 29, "NONE")
    else:
        page.words(10, 50, 29, _name(insured))
        _address(page, 12, 50, 23, 74, insured.address)
        _birth_date(page, 20, 53, insured)
        _sex(page, 20, insured, {"M": 68, "F": 75})
        page.words(24, 50, 29, payer.name)
    page.words(30, 8, 20, "SIGNATURE ON FILE")
    page.words(30, 57, 20, "SIGNATURE ON FILE")


def _condition(page: _Page, claim: Claim) -> None:
    """Items 17 to 23."""
    if claim.referring is not None:
        page.words(34, 1, 2, "DN")
        page.words(34, 4, 24, f"{claim.referring.given} {claim.referring.family}")
        page.exact(34, 33, 16, claim.referring.npi)
    if claim.note:
        page.words(36, 1, 48, claim.note)
    page.words(37, 42, 1, "0")
    for place, code in enumerate(claim.diagnoses):
        row, column = divmod(place, len(_DIAGNOSIS_COLUMNS))
        page.exact(38 + row, _DIAGNOSIS_COLUMNS[column], 7, icd10_on_the_wire(code))
    if claim.frequency != "1":
        page.exact(38, 50, 11, claim.frequency)
        page.exact(38, 62, 18, claim.payer_claim_number or "")
    page.exact(40, 50, 29, claim.prior_authorization or "")


def _line(page: _Page, row: int, claim: Claim, line: ClaimLine) -> None:
    """Item 24, A to J."""
    charge = line.charge
    for column, day in zip((1, 10), claim.dates_of(line), strict=True):
        page.exact(row, column, 8, f"{day:%m %d %y}")
    page.exact(row, 19, 2, claim.billing_provider.place_of_service)
    page.exact(row, 25, 6, charge.code)
    for column, modifier in zip((33, 36, 39, 42), charge.modifiers, strict=False):
        page.exact(row, column, 2, modifier)
    if len(charge.modifiers) > 4:
        raise ValueError(f"line {line.id} has more than four modifiers")
    page.exact(row, 45, 4, "".join(_POINTERS[pointer - 1] for pointer in line.pointers))
    page.money(row, 50, 8, line.amount)
    page.exact(row, 59, 3, str(charge.units))
    page.exact(row, 68, 10, claim.rendering.npi)


def _account(page: _Page, claim: Claim, *, is_last: bool) -> None:
    """Items 25 to 33."""
    provider, facility = claim.billing_provider, claim.service_facility
    page.exact(56, 1, 15, provider.tax_id)
    page.words(56, 19, 1, "X")
    page.exact(56, 23, 14, claim.id)
    page.words(56, 38, 1, "X")
    if is_last:
        page.money(56, 51, 9, claim.total)
    else:
        page.words(56, 51, 9, _CONTINUED)
    page.exact(57, 66, 14, "".join(letter for letter in provider.contact_phone if letter.isdigit()))
    _place(page, 50, 29, provider.name, provider.address)
    page.exact(62, 51, 10, provider.npi)
    if facility is not None:
        _place(page, 23, 26, facility.name, facility.address)
        page.exact(62, 24, 10, facility.npi)


def _name(who: Subscriber | Dependent) -> str:
    return f"{who.family}, {who.given}"


def _birth_date(page: _Page, row: int, column: int, who: Subscriber | Dependent) -> None:
    page.exact(row, column, 10, f"{who.birth_date:%m %d %Y}")


def _sex(page: _Page, row: int, who: Subscriber | Dependent, columns: dict[str, int]) -> None:
    letter = sex_letter(who.gender)
    if letter in columns:
        page.words(row, columns[letter], 1, "X")


def _address(
    page: _Page, row: int, column: int, city_width: int, state_column: int, where: Address
) -> None:
    page.words(row, column, 28, where.line)
    page.words(row + 2, column, city_width, where.city)
    page.exact(row + 2, state_column, 3, where.state)
    page.exact(row + 4, column, 12, where.zip_digits)


def _place(page: _Page, column: int, width: int, name: str, where: Address) -> None:
    page.words(58, column, width, name)
    page.words(59, column, width, where.line)
    page.words(60, column, width, f"{where.city} {where.state} {where.zip_digits}")
