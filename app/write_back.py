"""Which way each thing goes to an EHR: by what the server says it takes, and the tenant's settings.

| way | what is sent | when |
|---|---|---|
| transaction | the resources in one transaction | the server takes all of them, and transactions |
| resources | each resource by itself | it takes those that stand alone, and no transactions |
| document | a DocumentReference: a page to read, the resources attached | it takes documents |
| hl7 | ORU^R01 for results, MDM^T02 with the page to read for the rest | a destination takes it |

The first that the server takes is chosen at the first attempt and kept with the message, so that a
later change of the server's abilities sends nothing a second time in another form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from app.hl7.settings import OutboundType
from app.outbox import MessageKind
from fhir.capability import Capabilities

Way = Literal["transaction", "resources", "document", "hl7"]
WAYS: tuple[Way, ...] = get_args(Way)

# Without these there is nothing to send; Device and Provenance go along where they are taken.
_NEEDED: Mapping[MessageKind, tuple[str, ...]] = {
    "prescription": ("CarePlan", "ServiceRequest", "Goal"),
    "session": ("Observation",),
    "range_test": ("Observation",),
    "outcome": ("QuestionnaireResponse", "Observation"),
    "consent": ("Consent",),
    "message": ("Communication",),
}

# A message is for those whom it was written to: no document for all who read the chart.
_AS_DOCUMENT: frozenset[MessageKind] = frozenset(
    {"prescription", "session", "range_test", "outcome", "consent"}
)

# The first that a destination takes; a message goes to nobody by HL7 v2, for the same reason.
_BY_HL7: Mapping[MessageKind, tuple[OutboundType, ...]] = {
    "prescription": ("MDM^T02",),
    "session": ("ORU^R01",),
    "range_test": ("ORU^R01", "MDM^T02"),
    "outcome": ("MDM^T02",),
    "consent": ("MDM^T02",),
    "message": (),
}

# A CarePlan whose exercises are still missing would be a wrong prescription: all or nothing.
_WHOLE: frozenset[MessageKind] = frozenset({"prescription"})


class NoWay(Exception):
    """The EHR takes this in no form that its settings allow; the message says why of each."""


@dataclass(frozen=True)
class Choice:
    """`way` is None where there is none; `why` is for the operator."""

    way: Way | None
    why: str


def choose(
    kind: MessageKind,
    capabilities: Capabilities,
    *,
    hl7: Collection[str] = (),
    allowed: Collection[str] = WAYS,
    refused: Collection[str] = (),
) -> Choice:
    """The first way open for `kind`.

    `hl7` are the types of HL7 v2 message that some destination takes, `allowed` the ways that the
    tenant's settings leave; `refused` those that the server claimed to take and then did not.
    """
    against: list[str] = []
    for way in WAYS:
        objection = _objection(way, kind, capabilities, hl7)
        if way not in allowed:
            against.append(f"{way}: not among the settings of this health system")
        elif way in refused:
            against.append(f"{way}: refused by the EHR when tried")
        elif objection:
            against.append(f"{way}: {objection}")
        else:
            return Choice(way, "; ".join(against) or "the EHR takes it")
    return Choice(None, "; ".join(against))


def hl7_type(kind: MessageKind, taken: Collection[str]) -> OutboundType | None:
    """As which of the types of HL7 v2 message that are `taken` a thing goes."""
    return next((each for each in _BY_HL7[kind] if each in taken), None)


def _objection(
    way: Way, kind: MessageKind, capabilities: Capabilities, hl7: Collection[str]
) -> str | None:
    if way == "hl7":
        if not _BY_HL7[kind]:
            return f"a {kind} does not go by HL7 v2"
        types = " or ".join(_BY_HL7[kind])
        return None if hl7_type(kind, hl7) else f"no HL7 v2 destination takes {types}"
    if way == "document":
        if kind not in _AS_DOCUMENT:
            return f"a {kind} does not go as a document"
        taken = capabilities.takes("DocumentReference")
        return None if taken else "the EHR takes no DocumentReference"
    lacking = [name for name in _NEEDED[kind] if not capabilities.takes(name)]
    if lacking:
        return f"the EHR takes no {' or '.join(lacking)}"
    if way == "transaction":
        return None if capabilities.transaction else "the EHR takes no transactions"
    return "must arrive whole" if kind in _WHOLE else None
