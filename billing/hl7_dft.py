"""Charges for the EHR's own billing: HL7 v2.5.1 DFT^P03, one FT1 and PR1 a charge.

In this event the diagnoses (DG1) stand once for the message, after all financial groups; which
of them a charge is for is in its FT1-19.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Group, Message, Segment

from billing.claim import icd10_on_the_wire
from billing.claim_model import Claim, ClaimLine, sex_letter

_LONGEST_CONTROL_ID = 20


@dataclass(frozen=True)
class Routing:
    """MSH-3 to MSH-6: who sends to whom, as the site's interface engine knows them."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str


def dft_p03(
    claim: Claim,
    routing: Routing,
    sent: datetime,
    *,
    patient_mrn: str,
    control_id: str,
    kind: Literal["CG", "CR"] | None = None,
    visit_number: str | None = None,
) -> str:
    """One message with all lines of `claim`, every segment ended by CR.

    `control_id` (MSH-10) and each line's id (FT1-2) stay the same when a message is sent again.
    `kind` CR reverses charges sent before under the same ids, in a message of its own control id;
    left out, a void is a credit (CR) and every other claim a charge (CG).
    `visit_number` (PV1-19) is the recurring or billing-only encounter that a site names for RTM,
    which has no visit of its own.

    Raises:
        ValueError: the claim has no lines, or `control_id` is empty or longer than MSH-10
            takes (20).
    """
    if not claim.lines:
        raise ValueError(f"claim {claim.id} has no lines")
    if not 1 <= len(control_id) <= _LONGEST_CONTROL_ID:
        raise ValueError(f"control id {control_id!r} must have 1 to {_LONGEST_CONTROL_ID} letters")
    message = Message("DFT_P03", version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)
    stamp = f"{sent:%Y%m%d%H%M%S}"
    _set(
        message.msh,
        msh_3=_plain(routing.sending_application),
        msh_4=_plain(routing.sending_facility),
        msh_5=_plain(routing.receiving_application),
        msh_6=_plain(routing.receiving_facility),
        msh_7=stamp,
        msh_9="DFT^P03^DFT_P03",
        msh_10=control_id,
        msh_11="P",
        msh_18="UNICODE UTF-8",
    )
    _set(message.evn, evn_1="P03", evn_2=stamp)
    person = claim.patient
    _set(
        message.pid,
        pid_3=f"{_plain(patient_mrn)}^^^^MR",
        pid_5=f"{_plain(person.family)}^{_plain(person.given)}",
        pid_7=f"{person.birth_date:%Y%m%d}",
        pid_8=sex_letter(person.gender),
    )
    if visit_number is not None:
        _set(message.pv1, pv1_2="O", pv1_19=_plain(visit_number))
    transaction = kind or ("CR" if claim.frequency == "8" else "CG")
    for number, line in enumerate(claim.lines, start=1):
        message.add(_financial(claim, line, number, sent, transaction))
    for number, code in enumerate(claim.diagnoses, start=1):
        message.add(_diagnosis(number, code))
    message.validate()
    return str(message.to_er7()).rstrip("\r") + "\r"


def _financial(claim: Claim, line: ClaimLine, number: int, sent: datetime, kind: str) -> Group:
    charge, rendering = line.charge, claim.rendering
    group = Group("DFT_P03_FINANCIAL", version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)
    ft1 = _segment("FT1")
    _set(
        ft1,
        ft1_1=str(number),
        ft1_2=line.id,
        ft1_4=f"{charge.service_date:%Y%m%d}",
        ft1_5=f"{sent:%Y%m%d}",
        ft1_6=kind,
        ft1_7=f"{charge.code}^^C4",
        ft1_10=str(charge.units),
        ft1_20=f"{rendering.npi}^{_plain(rendering.family)}^{_plain(rendering.given)}^^^^^^NPI",
        ft1_25=f"{charge.code}^^C4",
    )
    if charge.amount is not None:
        ft1.ft1_11 = f"{charge.amount}&USD"
    for pointer in line.pointers:
        ft1.add_field("FT1_19").value = f"{icd10_on_the_wire(claim.diagnoses[pointer - 1])}^^I10"
    for modifier in charge.modifiers:
        ft1.add_field("FT1_26").value = modifier
    group.add(ft1)
    group.add(_procedure(line, number))
    return group


def _procedure(line: ClaimLine, number: int) -> Group:
    charge = line.charge
    group = Group(
        "DFT_P03_FINANCIAL_PROCEDURE", version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT
    )
    pr1 = _segment("PR1")
    _set(
        pr1,
        pr1_1=str(number),
        pr1_3=f"{charge.code}^^C4",
        pr1_5=f"{charge.service_date:%Y%m%d}",
    )
    for modifier in charge.modifiers:
        pr1.add_field("PR1_16").value = modifier
    group.add(pr1)
    return group


def _diagnosis(number: int, code: str) -> Segment:
    """DG1-6 F: the diagnoses of a claim are final (HL7 table 0052)."""
    dg1 = _segment("DG1")
    _set(dg1, dg1_1=str(number), dg1_3=f"{icd10_on_the_wire(code)}^^I10", dg1_6="F")
    return dg1


def _segment(name: str) -> Segment:
    return Segment(name, version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)


def _set(segment: Any, **fields: str) -> None:
    for name, value in fields.items():
        setattr(segment, name, value)


def _plain(text: str) -> str:
    """`text` with HL7's separators escaped (HL7 v2.5.1, 2.7)."""
    escapes = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    return "".join(escapes.get(letter, letter) for letter in " ".join(text.split()))
