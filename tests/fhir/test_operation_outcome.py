"""Whatever a server says becomes one line: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir.operation_outcome import outcome_message


def outcome(**issue: Any) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", **issue}]}


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (
            422,
            outcome(code="required", diagnostics="subject is missing", expression=["Goal.subject"]),
            "HTTP 422: subject is missing (Goal.subject). "
            "The content has to be corrected: sending it again as it is will not help.",
        ),
        (
            403,
            outcome(code="forbidden", details={"text": "no write access to CarePlan."}),
            "HTTP 403: no write access to CarePlan. "
            "Ask the health system to grant this app the access.",
        ),
        (
            400,
            outcome(code="code-invalid", details={"coding": [{"display": "Unknown unit"}]}),
            "HTTP 400: Unknown unit. The health system does not know a code; have it mapped there.",
        ),
        (
            412,
            outcome(code="conflict"),
            "HTTP 412: conflict. It was changed there meanwhile, or several match; "
            "read it again, then repeat the change.",
        ),
        (
            503,
            "<html>",
            "HTTP 503: without an explanation. "
            "The health system can't answer now; it will be tried again.",
        ),
        (
            302,
            None,
            "HTTP 302: without an explanation. "
            "The address of the health system has moved: have it corrected in its settings.",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(status: int, body: Any, line: str) -> None:
    assert outcome_message(body, status) == line


def test_warnings_beside_an_error_are_left_out() -> None:
    body = outcome(diagnostics="bad status", location=["/f:Goal/f:status"])
    body["issue"].insert(0, {"severity": "warning", "diagnostics": "no narrative"})
    assert outcome_message(body, 400).startswith("HTTP 400: bad status (/f:Goal/f:status). ")


def test_a_flood_of_words_leaves_room_for_what_to_do() -> None:
    line = outcome_message(outcome(diagnostics="x\n" * 5_000), 422)
    assert len(line) < 500
    assert "\n" not in line
    assert line.endswith("will not help.")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ("resourceType", "issue", "severity", "code", "details", "text", "coding")
            )
            | st.sampled_from(("diagnostics", "expression", "location", "display")),
            inner,
        )
    ),
    max_leaves=20,
)


@given(anything, st.integers(300, 599))
def test_no_answer_of_a_server_breaks_the_line(body: Any, status: int) -> None:
    for value in (body, {"resourceType": "OperationOutcome", "issue": [body]}):
        line = outcome_message(value, status)
        assert line.startswith(f"HTTP {status}: ")
        assert line.isprintable()
