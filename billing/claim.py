"""Charges to claims: who, for whom, why and for how much."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from billing.account import Charge, sum_amounts
from rtm.episode import Device

# A professional claim carries twelve diagnoses, a line points at four (X12 005010X222A1, 2300 HI
# and 2400 SV107).
MOST_DIAGNOSES = 12
MOST_POINTERS = 4

# CLM05-3: original, correction, void.
Frequency = Literal["1", "7", "8"]
Severity = Literal["hold", "warn"]


@dataclass(frozen=True)
class Address:
    """A US address; `postal_code` of five or nine digits, with or without hyphen."""

    line: str
    city: str
    state: str
    postal_code: str

    @property
    def zip_digits(self) -> str:
        return re.sub(r"\D", "", self.postal_code)


@dataclass(frozen=True)
class BillingProvider:
    """The practice that is paid, as enrolled with the payer."""

    name: str
    npi: str
    tax_id: str
    taxonomy: str
    address: Address
    contact_name: str
    contact_phone: str
    submitter_id: str
    place_of_service: str = "11"


@dataclass(frozen=True)
class Practitioner:
    """A rendering or referring practitioner. `taxonomy` is needed of the rendering one."""

    family: str
    given: str
    npi: str
    taxonomy: str | None = None


@dataclass(frozen=True)
class Payer:
    """`filing_code` is the claim filing indicator (SBR09): MB for Medicare part B."""

    name: str
    payer_id: str
    filing_code: str
    receiver_name: str
    receiver_id: str


@dataclass(frozen=True)
class Subscriber:
    """The patient, who is the insured."""

    family: str
    given: str
    member_id: str
    birth_date: date
    gender: str
    address: Address


@dataclass(frozen=True)
class ClaimLine:
    """One charge on a claim. `id` returns in the remittance (REF*6R); pointers count from 1."""

    id: str
    charge: Charge
    pointers: tuple[int, ...]

    @property
    def amount(self) -> Decimal:
        """Raises ValueError without one: the scrubber holds such a line before it gets here."""
        if self.charge.amount is None:
            raise ValueError(f"line {self.id} has no amount")
        return self.charge.amount


@dataclass(frozen=True)
class BilledLine:
    """A line of the same patient on a claim that left before."""

    claim_id: str
    code: str
    service_date: date
    modifiers: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """One professional claim. `id` is ours (CLM01), at most 38 characters.

    `surgeon_npi` is given inside a global surgical period for the diagnoses of this claim.
    `coverage_start` and `coverage_end` bound the insurance, both included; a coverage without end
    has a start only. `plan_started_on` is the first treatment under the plan of care, and
    `plan_certified_on` the date of the newest certification. `already_billed` are the patient's
    lines that left before and were not taken back. A correction (`frequency` 7) or a void (8)
    names the claim that it changes by `payer_claim_number`.
    """

    id: str
    billing_provider: BillingProvider
    rendering: Practitioner
    referring: Practitioner | None
    payer: Payer
    subscriber: Subscriber
    diagnoses: tuple[str, ...]
    lines: tuple[ClaimLine, ...]
    device: Device
    prior_authorization: str | None = None
    surgeon_npi: str | None = None
    # What the scrubber asks besides (`billing.scrub`): None where nobody gave it.
    coverage_start: date | None = None
    coverage_end: date | None = None
    plan_started_on: date | None = None
    plan_certified_on: date | None = None
    no_other_monitoring_attested_on: date | None = None
    already_billed: tuple[BilledLine, ...] | None = None
    frequency: Frequency = "1"
    payer_claim_number: str | None = None

    @property
    def total(self) -> Decimal:
        return sum_amounts([line.charge for line in self.lines])


@dataclass(frozen=True)
class ScrubFinding:
    """What is wrong with a claim. `claim_id` names it, `field` where to look, `mend` what to do.

    `hold`: the claim must not leave. `warn`: it may, and somebody should know.
    """

    claim_id: str
    field: str
    why: str
    mend: str = ""
    severity: Severity = "hold"


def on_the_wire(text: str) -> str:
    """Upper-case ASCII without the separators: the basic character set of X12.

    Letters lose their accents; what has no ASCII letter is lost (the scrubber finds what is lost
    whole).
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", " ", re.sub(r"[*~:^]|[^ -~]", " ", plain)).upper().strip()


def is_npi(value: str) -> bool:
    """Whether `value` has ten digits and the right check digit.

    The check digit is Luhn's over the prefix 80840 and the number (45 CFR 162.406; ISO/IEC 7812).
    """
    if not re.fullmatch(r"\d{10}", value):
        return False
    total = 0
    for place, digit in enumerate(reversed("80840" + value)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def icd10_on_the_wire(code: str) -> str:
    """Without the decimal point, upper case, as X12 wants it."""
    return code.replace(".", "").upper()


def pointers_for(diagnoses: Sequence[str]) -> tuple[int, ...]:
    """The first diagnoses of the claim, primary first: RTM treats the whole condition."""
    return tuple(range(1, min(len(diagnoses), MOST_POINTERS) + 1))
