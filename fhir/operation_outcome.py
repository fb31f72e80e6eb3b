"""An OperationOutcome as one line that a person can act on."""

from __future__ import annotations

from typing import Any


def outcome_message(body: Any, fallback: str) -> str:
    """The diagnostics of the issues in `body`; `fallback` if it is no OperationOutcome.

    At most 500 characters, so that a server's page never floods a log.
    """
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return fallback
    lines = []
    for issue in body.get("issue", ()):
        text = issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code")
        where = ", ".join(issue.get("expression", ()))
        lines.append(f"{text} ({where})" if where else str(text))
    return "; ".join(lines)[:500] or fallback
