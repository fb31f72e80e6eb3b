"""The therapy plan of care, as billing needs it: who certified it, and from when it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Certification:
    """A physician or practitioner certified the plan on `certified_on`.

    `plan_started_on` is the first treatment under the plan, from which a first certification
    counts. A recertification is a further one. `corrects` is the id of one that was recorded
    wrongly, and `reason` why; its author and time are those of the record.
    """

    id: str
    certified_on: date
    plan_started_on: date
    family: str
    given: str
    npi: str
    corrects: str | None = None
    reason: str = ""


def standing(certifications: Sequence[Certification]) -> tuple[Certification, ...]:
    """Those that no later one corrects, by date."""
    corrected = {certification.corrects for certification in certifications}
    left = [c for c in certifications if c.id not in corrected]
    return tuple(sorted(left, key=lambda certification: certification.certified_on))


def certification_for(
    certifications: Sequence[Certification], last_service: date
) -> Certification | None:
    """The one that speaks for services up to `last_service`; None without any.

    The newest that was signed by then, else the next one signed after: a first certification may
    follow the treatment it is for (42 CFR 424.24(c); Medicare Benefit Policy Manual, ch. 15
    §220.1.3).
    """
    known = standing(certifications)
    signed = [c for c in known if c.certified_on <= last_service]
    return signed[-1] if signed else next(iter(known), None)
