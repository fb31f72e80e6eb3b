"""Every error of the FHIR API as OperationOutcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

from flask import Response

# Issue type (a code of R4's issue-type), diagnostics, FHIRPath expressions.
Issue = tuple[str, str, tuple[str, ...]]


class FhirProblem(Exception):
    """An HTTP status with the issues that explain it."""

    def __init__(self, status: int, code: str, diagnostics: str, *expressions: str) -> None:
        super().__init__(diagnostics)
        self.status = status
        self.issues: list[Issue] = [(code, diagnostics, expressions)]

    @classmethod
    def of(cls, status: int, issues: Sequence[Issue]) -> Self:
        """One problem with several issues; at least one."""
        code, diagnostics, expressions = issues[0]
        problem = cls(status, code, diagnostics, *expressions)
        problem.issues = list(issues)
        return problem


def operation_outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": code,
                "diagnostics": diagnostics,
                **({"expression": list(expressions)} if expressions else {}),
            }
            for code, diagnostics, expressions in issues
        ],
    }


def fhir_json(document: Any, status: int = 200) -> Response:
    """`document` as an answer of the FHIR API."""
    return Response(json.dumps(document), status, mimetype="application/fhir+json")
