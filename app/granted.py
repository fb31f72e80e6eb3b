"""What each audience's launch asks of the EHR, and what it means when the EHR does not grant it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from app.store import Tenant
from smart_launch.discovery import SmartConfiguration
from smart_launch.scopes import Access, Wanted, scope_to_ask

Audience = Literal["clinician", "patient", "biller", "backend", "population"]

# A sign-in that can read from the EHR again after its first token ends.
LASTING = "lasting"

# Ends the name of a resource type of which only a selection may be read.
_PART = ":part"

# A launch without these can't go on; everything else has a note below.
ESSENTIAL = ("Patient",)

_WRITTEN = (
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "QuestionnaireResponse",
    "Provenance",
    "Device",
    "DocumentReference",
    "Communication",
    "Consent",
)

_WANTED: dict[Audience, Wanted] = {
    "clinician": Wanted(
        ("openid", "fhirUser", "launch"),
        ("offline_access", "online_access"),
        (
            Access("user", "Patient", "r"),
            Access("user", "Practitioner", "r"),
            Access("user", "PractitionerRole", "rs"),
            Access("user", "Condition", "rs"),
            Access("user", "Coverage", "rs"),
        ),
    ),
    "patient": Wanted(
        ("openid", "fhirUser", "launch/patient"),
        (),
        (Access("patient", "Patient", "r"), Access("patient", "Coverage", "rs")),
    ),
    "biller": Wanted(
        ("openid", "fhirUser"),
        (),
        (Access("user", "Practitioner", "r"), Access("user", "PractitionerRole", "rs")),
    ),
    "backend": Wanted((), (), tuple(Access("system", name, "crus") for name in _WRITTEN)),
    # Asked for while a population is read, and at no other time.
    "population": Wanted(
        (),
        (),
        (
            Access("system", "Patient", "rs"),
            Access("system", "Condition", "rs"),
            Access("system", "Coverage", "rs"),
        ),
    ),
}

_NOTES: dict[Audience, dict[str, str | LazyString]] = {
    "clinician": {
        "Condition": "The EHR did not let us read conditions: "
        "the patient's diagnoses are missing here, and claims wait for them.",
        "Coverage": "The EHR did not let us read insurance coverage: "
        "the payer is missing here, and claims wait for it.",
        "Practitioner": "The EHR did not let us read your own record: "
        "your NPI is missing here, and claims in your name wait for it.",
        "PractitionerRole": "The EHR did not let us read your role: "
        "your time counts as clinical staff's, not as a therapist's or physician's.",
        LASTING: "The EHR signed you in for a short time only: "
        "to read from it again later, open Homestretch from the chart anew.",
    },
    "patient": {
        "Coverage": _l(
            "Your health system did not let us read your insurance. "
            "Your care team may ask you for it."
        ),
    },
    "biller": {
        "Practitioner": "The EHR did not let us read your own record: "
        "your name here is the one that it signs you in with.",
        "PractitionerRole": "The EHR did not let us read your role.",
    },
    "backend": {
        name: f"{name} can't be written to the EHR as such; it goes in another form or waits"
        for name in _WRITTEN
    },
    "population": {},
}

_IN_PART = "The EHR let us read only part of what it has (%(name)s); some may be missing."
_PARTLY: dict[Audience, str | LazyString] = {
    "clinician": _IN_PART,
    "patient": _l("Your health system let us read only a part of your record."),
    "biller": _IN_PART,
    "backend": _IN_PART,
}


def wanted(audience: Audience, *, from_chart: bool = True) -> Wanted:
    """What to ask for. Not `from_chart`: the clinician chooses the patient at the EHR."""
    asked = _WANTED[audience]
    if audience != "clinician" or from_chart:
        return asked
    words = tuple("launch/patient" if word == "launch" else word for word in asked.words)
    return Wanted(words, asked.optional_words, asked.accesses)


def scope_for(
    tenant: Tenant,
    audience: Audience,
    configuration: SmartConfiguration,
    *,
    from_chart: bool = True,
) -> str:
    """The `scope` to ask for: as the tenant's settings say, else what the EHR offers of it."""
    fixed = tenant.scopes.get(audience)
    if fixed is None:
        asked = wanted(audience, from_chart=from_chart)
        return scope_to_ask(asked, configuration, tenant.scopes.get("version"))
    if from_chart:
        return str(fixed)
    return " ".join("launch/patient" if word == "launch" else word for word in fixed.split())


def partly(resource_type: str) -> str:
    """How a type is listed of which only a selection may be read."""
    return resource_type + _PART


def notes(audience: Audience, not_granted: Iterable[str]) -> tuple[str, ...]:
    """In plain words: what the EHR did not let us do, and what no longer works for it."""
    told = []
    for item in not_granted:
        name = item.removesuffix(_PART)
        note = _NOTES[audience].get(name)
        if note is not None and item.endswith(_PART):
            note = _PARTLY[audience] % {"name": name}
        if note is not None:
            told.append(str(note))
    return tuple(told)
