"""Scrubbing who and why: providers, payer, subscriber, diagnoses, and what the file can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from billing.claim import MOST_DIAGNOSES, ScrubFinding, is_npi, on_the_wire
from billing.claim_model import Claim
from billing.diagnoses import load_diagnosis_policy
from billing.entities import load_entities

# CMS place of service codes of telehealth. RTM is not on Medicare's telehealth list.
_TELEHEALTH_PLACES = ("02", "10")
# Of hospital outpatient departments, SNF, CORF: their facilities bill on 837I, not 837P.
_FACILITY_PLACES = ("19", "21", "22", "23", "31", "62")
# X12 element 1032 (SBR09), as 005010X222A1 takes them.
_FILING_CODE = re.compile(r"1[1-7]|AM|BL|CH|CI|DS|FI|HM|LM|M[ABC]|OF|TV|VA|WC|ZZ")
# NUCC: ten letters and digits, a two-digit grouping from 10 to 41 first, X last.
_TAXONOMY = re.compile(r"(1\d|2\d|3\d|4[01])[0-9A-Z]{7}X")
_TAX_ID = re.compile(r"\d{9}")
_PO_BOX = re.compile(r"\bP\.?\s*O\.?\s*BOX\b", re.IGNORECASE)
_STATE = re.compile(r"[A-Za-z]{2}")
_ICD_10_CM = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?")
# A Medicare Beneficiary Identifier's places: numeric, letter, either (CMS, MBI format).
_MBI = re.compile(r"[1-9][A-Z][0-9A-Z]\d[A-Z][0-9A-Z]\d[A-Z]{2}\d{2}")


def party_findings(claim: Claim, as_of: date) -> Iterator[ScrubFinding]:
    """Findings on everything but the lines."""
    yield from _providers(claim)
    yield from _place_of_service(claim)
    yield from _subscriber_and_payer(claim, as_of)
    yield from _texts(claim)
    yield from _diagnoses(claim)


def _providers(claim: Claim) -> Iterator[ScrubFinding]:
    provider = claim.billing_provider
    npis = [
        ("billing provider NPI", provider.npi),
        ("rendering provider NPI", claim.rendering.npi),
    ]
    if claim.referring is not None:
        npis.append(("referring provider NPI", claim.referring.npi))
    for field, npi in npis:
        if not is_npi(npi):
            why = f"{npi or 'nothing'} is not a valid NPI"
            yield ScrubFinding(claim.id, field, why, "look it up in NPPES")
    taxonomies = [
        ("billing provider taxonomy", provider.taxonomy),
        ("rendering provider taxonomy", claim.rendering.taxonomy),
    ]
    for field, taxonomy in taxonomies:
        if not taxonomy:
            yield ScrubFinding(claim.id, field, "is missing", "look it up in NPPES")
        elif not _TAXONOMY.fullmatch(taxonomy):
            why = f"{taxonomy} does not have the form of a NUCC code"
            yield ScrubFinding(claim.id, field, why, "look it up in NPPES")
    if not _TAX_ID.fullmatch(provider.tax_id):
        mend = "enter the EIN or SSN without hyphens"
        yield ScrubFinding(claim.id, "billing provider tax id", "must be nine digits", mend)
    if len(provider.address.zip_digits) != 9:
        mend = "add the four digits that follow the ZIP"
        yield ScrubFinding(claim.id, "billing provider ZIP", "must have nine digits", mend)
    if _PO_BOX.search(provider.address.line):
        why, mend = "must be a street, not a PO box", "enter the street address as enrolled"
        yield ScrubFinding(claim.id, "billing provider address", why, mend)


def _place_of_service(claim: Claim) -> Iterator[ScrubFinding]:
    """An institutional claim says it by its type of bill instead."""
    if load_entities()[claim.billing_provider.entity].format == "837i":
        return
    place, field = claim.billing_provider.place_of_service, "place of service"
    mend = "use the office of the billing practitioner, 11"
    if not re.fullmatch(r"\d{2}", place):
        yield ScrubFinding(claim.id, field, f"{place!r} is not two digits", mend)
    elif place in _TELEHEALTH_PLACES:
        yield ScrubFinding(claim.id, field, f"{place}: RTM is not telehealth", mend)
    elif place in _FACILITY_PLACES:
        why = f"{place} is a facility, which bills on 837I; this is a professional claim"
        yield ScrubFinding(claim.id, field, why, "ask who bills for this service", "warn")


def _subscriber_and_payer(claim: Claim, as_of: date) -> Iterator[ScrubFinding]:
    person, payer = claim.subscriber, claim.payer
    if len(person.address.zip_digits) not in (5, 9):
        mend = "correct the address in the EHR"
        yield ScrubFinding(claim.id, "subscriber ZIP", "must have five or nine digits", mend)
    if person.birth_date > as_of:
        why = f"{person.birth_date} is in the future"
        yield ScrubFinding(claim.id, "subscriber birth date", why, "correct it in the EHR")
    if not _FILING_CODE.fullmatch(payer.filing_code):
        why = f"{payer.filing_code!r} is no claim filing indicator (SBR09)"
        yield ScrubFinding(claim.id, "payer", why, "correct the kind of the coverage")
    member = person.member_id.replace("-", "").upper()
    if payer.is_medicare and member and not _MBI.fullmatch(member):
        why = "does not have the form of a Medicare Beneficiary Identifier"
        yield ScrubFinding(claim.id, "subscriber member id", why, "copy it from the Medicare card")


def _texts(claim: Claim) -> Iterator[ScrubFinding]:
    """What the file needs as text, and how long it may be (X12 005010X222A1)."""
    provider, person, payer = claim.billing_provider, claim.subscriber, claim.payer
    asked = [
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
    for field, text, most in asked:
        length = len(on_the_wire(text))
        if length == 0:
            why = "is missing or has no letter of the basic character set"
            yield ScrubFinding(claim.id, field, why, "enter it in plain letters")
        elif length > most:
            why = f"has {length} characters; the file takes {most}"
            yield ScrubFinding(claim.id, field, why, "shorten it")
    for field, place in (("billing provider", provider.address), ("subscriber", person.address)):
        if not _STATE.fullmatch(place.state):
            why = f"{place.state!r} is not a two-letter state"
            yield ScrubFinding(claim.id, f"{field} state", why, "use the postal abbreviation")


def _diagnoses(claim: Claim) -> Iterator[ScrubFinding]:
    field = "diagnoses"
    if not claim.diagnoses:
        yield ScrubFinding(claim.id, field, "at least one is needed", "add the treated condition")
        return
    if len(claim.diagnoses) > MOST_DIAGNOSES:
        why = f"{len(claim.diagnoses)} are more than {MOST_DIAGNOSES}"
        yield ScrubFinding(claim.id, field, why, "keep those that are treated")
    if len(set(claim.diagnoses)) < len(claim.diagnoses):
        yield ScrubFinding(claim.id, field, "one is named twice", "name each once")
    for code in claim.diagnoses:
        if not _ICD_10_CM.fullmatch(code.upper()):
            why = f"{code} is not an ICD-10-CM code"
            yield ScrubFinding(claim.id, field, why, "correct the code in the EHR's problem list")
    if claim.device.system == "musculoskeletal":
        yield from _primary(claim)


def _primary(claim: Claim) -> Iterator[ScrubFinding]:
    """By the house policy in `billing/diagnoses.yaml`."""
    policy, primary = load_diagnosis_policy(), claim.diagnoses[0]
    field, mend = "primary diagnosis", "put the monitored musculoskeletal condition first"
    if any(line.charge.service_date < policy.valid_from for line in claim.lines):
        why = f"no policy is loaded for services before {policy.valid_from}"
        yield ScrubFinding(claim.id, field, why, "bill by hand")
    relevance = policy.relevance(primary)
    if relevance == "other":
        why = f"{primary} is not musculoskeletal, but the device is"
        yield ScrubFinding(claim.id, field, why, mend)
    elif relevance == "ask":
        why = f"a payer may ask why {primary} needs a musculoskeletal device"
        yield ScrubFinding(claim.id, field, why, mend, "warn")
