"""Where Observations come from, as Provenance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import concept


def provenance_resource(
    session_id: str, targets: Sequence[str], patient: str, device: str, recorded: datetime
) -> Resource:
    """`targets` were recorded by the patient and computed by `device`.

    Provenance has no identifier in R4, so its id is the session's.
    """
    return {
        "resourceType": "Provenance",
        "id": session_id,
        "target": [{"reference": target} for target in targets],
        "recorded": recorded.isoformat(),
        "agent": [
            {
                "type": concept(codes.PROVENANCE_PARTICIPANT, "author", "Author"),
                "who": {"reference": patient},
            },
            {
                "type": concept(codes.PROVENANCE_PARTICIPANT, "assembler", "Assembler"),
                "who": {"reference": device},
            },
        ],
    }
