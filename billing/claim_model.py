"""What a claim says, before any format: who is paid, by whom, for whom, why and how much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from billing.account import Charge, sum_amounts
from billing.account import Entity as Entity
from rtm.episode import Device

# CLM05-3 and the third digit of the type of bill: original, replacement, void (NUBC).
Frequency = Literal["1", "7", "8"]

Relationship = Literal["spouse", "child", "other"]


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
class Submitter:
    """Who sends a file, as the receiver knows them (loop 1000A)."""

    name: str
    id: str
    contact_name: str
    contact_phone: str


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
    entity: Entity = "private_practice"

    @property
    def as_submitter(self) -> Submitter:
        """The practice as the sender of its own files."""
        return Submitter(self.name, self.submitter_id, self.contact_name, self.contact_phone)


@dataclass(frozen=True)
class ServiceFacility:
    """Where the service was furnished, if not at the billing provider's address."""

    name: str
    npi: str
    address: Address


@dataclass(frozen=True)
class Practitioner:
    """A rendering or referring practitioner. `taxonomy` is needed of the rendering one."""

    family: str
    given: str
    npi: str
    taxonomy: str | None = None


@dataclass(frozen=True)
class Payer:
    """`filing_code` is the claim filing indicator (SBR09): MA and MB for Medicare part A and B."""

    name: str
    payer_id: str
    filing_code: str
    receiver_name: str
    receiver_id: str

    @property
    def is_medicare(self) -> bool:
        return self.filing_code in ("MA", "MB")


@dataclass(frozen=True)
class Subscriber:
    """The insured, who is the patient unless the claim names a dependent."""

    family: str
    given: str
    member_id: str
    birth_date: date
    gender: str
    address: Address


@dataclass(frozen=True)
class Dependent:
    """A patient insured through the subscriber, without a member id of their own.

    A dependent with one is a subscriber to the payer (X12 005010X222A1, 1.4.3.2.2.2).
    """

    family: str
    given: str
    birth_date: date
    gender: str
    address: Address
    relationship: Relationship


@dataclass(frozen=True)
class ClaimLine:
    """One charge on a claim. `id` returns in the remittance (REF*6R); pointers count from 1."""

    id: str
    charge: Charge
    pointers: tuple[int, ...]

    @property
    def amount(self) -> Decimal:
        """Raises ValueError without one: `scrub` holds such a line before it gets here."""
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
    """One claim. `id` is ours (CLM01), at most 38 characters.

    `surgeon_npi` is given inside a global surgical period for the diagnoses of this claim.
    `referring` is the clinician who certified the plan of care or referred the patient.
    `payer_claim_number` names the claim that a replacement or void is about (REF*F8).
    `coverage_start` and `coverage_end` bound the insurance, both included; a coverage without end
    has a start only. `plan_started_on` is the first treatment under the plan of care, and
    `plan_certified_on` the date of the newest certification. `already_billed` are the patient's
    lines that left before and were not taken back.
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
    dependent: Dependent | None = None
    frequency: Frequency = "1"
    payer_claim_number: str | None = None
    service_facility: ServiceFacility | None = None
    note: str | None = None
    # What the scrubber asks besides (`billing.scrub`): None where nobody gave it.
    coverage_start: date | None = None
    coverage_end: date | None = None
    plan_started_on: date | None = None
    plan_certified_on: date | None = None
    no_other_monitoring_attested_on: date | None = None
    already_billed: tuple[BilledLine, ...] | None = None

    @property
    def total(self) -> Decimal:
        return sum_amounts([line.charge for line in self.lines])

    @property
    def patient(self) -> Subscriber | Dependent:
        return self.dependent or self.subscriber

    def dates_of(self, line: ClaimLine) -> tuple[date, date]:
        """First and last date of service of `line`: two only where the payer takes a range."""
        return line.charge.service_from, line.charge.service_date


def sex_letter(gender: str) -> str:
    """F, M or U, as X12 and HL7 v2 write an administrative gender of FHIR."""
    return {"female": "F", "male": "M"}.get(gender.lower(), "U")
