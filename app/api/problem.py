"""Why a FHIR request is refused, as an OperationOutcome that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class FhirProblem(Exception):
    """`code` is of R4's issue-type value set; `text` is shown to the client and has no PHI."""

    def __init__(
        self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = dict(headers or {})


def operation_outcome(code: str, text: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": severity, "code": code, "details": {"text": text}, "diagnostics": text}
        ],
    }
