"""An OperationOutcome as one line that says what is wrong and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What is left of a server's own words, so that its page never floods a log and what to do about
# it is always seen.
_MOST_WORDS = 360

_BY_STATUS = {
    401: "Sign in again; if it stays, the health system has to accept this client.",
    403: "Ask the health system to grant this app the access.",
    404: "It may have been deleted or merged there; look it up again.",
    409: "Somebody else changed it there meanwhile; read it again, then repeat the change.",
    410: "It was deleted there; nothing more can be written to it.",
    412: "It was changed there meanwhile, or several match; read it again, then repeat the change.",
    413: "It is larger than the health system takes; send it in parts.",
    429: "The health system asks for fewer requests; it will be tried again later.",
}
# R4 issue types (value set issue-type) that say more than the status does.
_BY_ISSUE = {
    "expired": "Sign in again.",
    "login": "Sign in again.",
    "suppressed": "The health system holds parts back; ask it which access is missing.",
    "security": "Ask the health system to grant this app the access.",
    "forbidden": "Ask the health system to grant this app the access.",
    "duplicate": "It is there already; look it up instead of sending it.",
    "multiple-matches": "Several match there; have the health system remove the double entry.",
    "too-costly": "Ask for less: fewer types, or a shorter time.",
    "too-long": "It is larger than the health system takes; send it in parts.",
    "not-supported": "The health system does not support this; choose another way to send it.",
    "business-rule": "A rule of the health system forbids it; ask there which, and how to meet it.",
    "code-invalid": "The health system does not know a code; have it mapped there.",
    "throttled": "The health system asks for fewer requests; it will be tried again later.",
    "lock-error": "It is being changed there; it will be tried again.",
    "timeout": "The health system took too long; it will be tried again.",
    "transient": "It will be tried again.",
}
_REFUSED = "The content has to be corrected: sending it again as it is will not help."
_DOWN = "The health system can't answer now; it will be tried again."
_REDIRECT = "The address of the health system has moved: have it corrected in its settings."


def outcome_message(body: Any, status: int) -> str:
    """One line for `status`: the server's words from `body`, and what to do."""
    issues = _issues(body)
    words = "; ".join(filter(None, (_words(issue) for issue in issues))) or "without an explanation"
    return f"HTTP {status}: {_one_line(words)}. {_advice(status, issues)}"


def _issues(body: Any) -> list[Mapping[str, Any]]:
    """The issues that made it fail; all of them where none says how severe it is."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return []
    found = body.get("issue")
    issues: list[Mapping[str, Any]] = (
        [i for i in found if isinstance(i, dict)] if isinstance(found, list) else []
    )
    return [i for i in issues if i.get("severity") in ("fatal", "error")] or issues


def _words(issue: Mapping[str, Any]) -> str:
    details = issue.get("details")
    details = details if isinstance(details, dict) else {}
    codings = details.get("coding")
    displays = [c.get("display") for c in codings if isinstance(c, dict)] if codings else []
    texts = (details.get("text"), issue.get("diagnostics"), *displays, issue.get("code"))
    text = next((str(one).strip() for one in texts if one), "")
    where = ", ".join(_strings(issue.get("expression")) or _strings(issue.get("location")))
    return f"{text} ({where})" if where else text


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _advice(status: int, issues: list[Mapping[str, Any]]) -> str:
    def by_issue() -> Iterator[str]:
        for issue in issues:
            if advice := _BY_ISSUE.get(str(issue.get("code"))):
                yield advice

    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return _DOWN
    return next(by_issue(), _REDIRECT if 300 <= status < 400 else _REFUSED)


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 1]}…"
