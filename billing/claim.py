"""Charges to claims: who, for whom, why and for how much; scrubbed before anything leaves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.claim_model import Address as Address
from billing.claim_model import BillingProvider as BillingProvider
from billing.claim_model import Claim as Claim
from billing.claim_model import ClaimLine as ClaimLine
from billing.claim_model import Payer as Payer
from billing.claim_model import Practitioner as Practitioner
from billing.claim_model import Subscriber as Subscriber

# A professional claim carries twelve diagnoses, a line points at four (X12 005010X222A1, 2300 HI
# and 2400 SV107).
MOST_DIAGNOSES = 12
MOST_POINTERS = 4

# CMS place of service codes of telehealth. RTM is not on Medicare's telehealth list.
TELEHEALTH_PLACES = ("02", "10")


@dataclass(frozen=True)
class ScrubFinding:
    """Why a claim must not leave yet. `claim_id` names it, `field` where to look."""

    claim_id: str
    field: str
    why: str


def scrub(
    claim: Claim, known_codes: Iterable[str], stated_total: Decimal | None = None
) -> tuple[ScrubFinding, ...]:
    """Every finding on `claim`; empty means it may leave.

    Covers what the wire-format validators let through: NPI check digits, claim total, pointers,
    diagnosis form, unknown codes; and what RTM itself asks for: an amount for every line and a
    recorded regulatory basis of the device. `stated_total` is the total a payer file would
    carry, where it was computed elsewhere.
    """
    found: list[tuple[str, str]] = []
    provider = claim.billing_provider
    for field, npi in (
        ("billing provider NPI", provider.npi),
        ("rendering provider NPI", claim.rendering.npi),
        *((("referring provider NPI", claim.referring.npi),) if claim.referring else ()),
    ):
        if not is_npi(npi):
            found.append((field, f"{npi or 'nothing'} is not a valid NPI"))
    if not re.fullmatch(r"\d{9}", provider.tax_id):
        found.append(("billing provider tax id", "must be nine digits"))
    if len(provider.address.zip_digits) != 9:
        found.append(("billing provider ZIP", "must have nine digits"))
    if re.search(r"\bP\.?\s*O\.?\s*BOX\b", provider.address.line, re.IGNORECASE):
        found.append(("billing provider address", "must be a street, not a PO box"))
    if provider.place_of_service in TELEHEALTH_PLACES:
        found.append(("place of service", f"{provider.place_of_service}: RTM is not telehealth"))
    if not claim.rendering.taxonomy:
        found.append(("rendering provider taxonomy", "is missing"))
    if len(claim.subscriber.address.zip_digits) not in (5, 9):
        found.append(("subscriber ZIP", "must have five or nine digits"))
    found += _texts(claim)
    found += _diagnoses(claim)
    found += _lines(claim, frozenset(known_codes))
    if stated_total is not None and stated_total != claim.total:
        found.append(("claim total", f"{stated_total} is not the sum of the lines, {claim.total}"))
    if claim.device.regulatory_basis is None:
        why = "no regulatory basis (UDI, 510(k) or exemption) is recorded for this deployment"
        found.append(("device", why))
    if claim.surgeon_npi is not None and claim.surgeon_npi in (claim.rendering.npi, provider.npi):
        found.append(("rendering provider", "was paid the global fee of the surgery (CY2024 PFS)"))
    return tuple(ScrubFinding(claim.id, field, why) for field, why in found)


def on_the_wire(text: str) -> str:
    """Upper-case ASCII without the separators: the basic character set of X12.

    Letters lose their accents; what has no ASCII letter is lost (`scrub` finds what is lost
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


def _texts(claim: Claim) -> list[tuple[str, str]]:
    """What the file needs as text, and how long it may be (X12 005010X222A1)."""
    provider, person, payer = claim.billing_provider, claim.subscriber, claim.payer
    needed = [
        ("claim id", claim.id, 38),
        ("billing provider name", provider.name, 60),
        ("billing provider address", provider.address.line, 55),
        ("billing provider city", provider.address.city, 30),
        ("billing provider contact", provider.contact_name, 60),
        ("submitter id", provider.submitter_id, 15),
        ("receiver name", payer.receiver_name, 60),
        ("receiver id", payer.receiver_id, 15),
        ("payer name", payer.name, 60),
        ("payer id", payer.payer_id, 80),
        ("rendering provider name", claim.rendering.family, 60),
        ("subscriber family name", person.family, 60),
        ("subscriber member id", person.member_id, 80),
        ("subscriber address", person.address.line, 55),
        ("subscriber city", person.address.city, 30),
        *((f"line {line.id}", line.id, 50) for line in claim.lines),
    ]
    found = []
    for field, text, most in needed:
        length = len(on_the_wire(text))
        if length == 0:
            found.append((field, "is missing or has no letter of the basic character set"))
        elif length > most:
            found.append((field, f"has {length} characters; the file takes {most}"))
    for field, state in (("billing provider", provider.address), ("subscriber", person.address)):
        if not re.fullmatch(r"[A-Za-z]{2}", state.state):
            found.append((f"{field} state", f"{state.state!r} is not a two-letter state"))
    return found


def _diagnoses(claim: Claim) -> list[tuple[str, str]]:
    if not claim.diagnoses:
        return [("diagnoses", "at least one is needed")]
    found = []
    if len(claim.diagnoses) > MOST_DIAGNOSES:
        found.append(("diagnoses", f"{len(claim.diagnoses)} are more than {MOST_DIAGNOSES}"))
    for code in claim.diagnoses:
        if not re.fullmatch(r"[A-TV-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?", code.upper()):
            found.append(("diagnoses", f"{code} is not an ICD-10-CM code"))
    return found


def _lines(claim: Claim, known_codes: frozenset[str]) -> list[tuple[str, str]]:
    if not claim.lines:
        return [("lines", "a claim needs at least one")]
    found = []
    ids = [line.id for line in claim.lines]
    if len(set(ids)) < len(ids):
        found.append(("lines", "two bear one id, so a remittance could not tell them apart"))
    for line in claim.lines:
        charge = line.charge
        if charge.code not in known_codes:
            found.append((f"line {line.id}", f"{charge.code} is not a code of the loaded rules"))
        if charge.amount is None or charge.amount <= 0:
            found.append((f"line {line.id}", f"no amount is loaded for {charge.code}"))
        if len(charge.modifiers) > 4:
            found.append((f"line {line.id}", "more than four modifiers"))
        if not 1 <= len(line.pointers) <= MOST_POINTERS:
            found.append((f"line {line.id}", f"must point at 1 to {MOST_POINTERS} diagnoses"))
        if any(not 1 <= pointer <= len(claim.diagnoses) for pointer in line.pointers):
            found.append((f"line {line.id}", "points at a diagnosis that the claim lacks"))
    return found


def pointers_for(diagnoses: Sequence[str]) -> tuple[int, ...]:
    """The first diagnoses of the claim, primary first: RTM treats the whole condition."""
    return tuple(range(1, min(len(diagnoses), MOST_POINTERS) + 1))
