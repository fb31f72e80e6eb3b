"""What an export says of each patient besides the Patient, as small as it can be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

from app.chart_intake import ChartFacts, readable_coverages
from fhir.patient import CoverageSummary, read_diagnoses, read_patient, read_standing
from fhir.reference import relative_reference
from fhir.wire import Resource


@dataclass
class Charts:
    """Coverages and diagnosis codes by patient. Of a type that was not read whole (`incomplete`)
    nothing is said of anybody."""

    coverages: dict[str, list[CoverageSummary]] = field(default_factory=dict)
    diagnoses: dict[str, list[str]] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)

    def add(self, resource: Resource) -> None:
        """Of a resource that does not say whose it is, nothing is kept."""
        id_ = patient_id(resource)
        if id_ is None:
            return
        if resource["resourceType"] == "Coverage":
            self.coverages.setdefault(id_, []).extend(readable_coverages([resource]))
        else:
            self.diagnoses.setdefault(id_, []).extend(read_diagnoses([resource]))

    def facts(self, patient: Resource) -> ChartFacts:
        """Raises Unreadable."""
        banner, standing = read_patient(patient), read_standing(patient)
        # After a merge some may still be filed under the record that was given up.
        ids = (banner.id, *(other.removeprefix("Patient/") for other in standing.replaces))
        coverages = tuple(chain.from_iterable(self.coverages.get(id_, ()) for id_ in ids))
        codes = chain.from_iterable(self.diagnoses.get(id_, ()) for id_ in ids)
        known = any(id_ in self.diagnoses for id_ in ids)
        return ChartFacts(
            banner,
            standing.replaces,
            coverages if coverages and "Coverage" not in self.incomplete else None,
            tuple(dict.fromkeys(codes)) if known and "Condition" not in self.incomplete else None,
        )


def patient_id(resource: Resource) -> str | None:
    """Whose a Patient, Condition or Coverage is; None where it does not say."""
    if resource["resourceType"] == "Patient":
        id_ = resource.get("id")
        return id_ if isinstance(id_, str) else None
    element = resource.get("beneficiary" if resource["resourceType"] == "Coverage" else "subject")
    reference = element.get("reference") if isinstance(element, dict) else None
    if not isinstance(reference, str):
        return None
    name, _, id_ = relative_reference(reference).partition("/")
    return id_ if name == "Patient" else None
