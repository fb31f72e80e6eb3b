"""What a server's CapabilityStatement lets us do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir.capability import Capabilities, read_capabilities

NOTHING = Capabilities(False, frozenset(), frozenset(), frozenset())


def statement(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"rest": [{"mode": "server", "resource": list(resources), **rest}]}


def test_what_is_named_may_be_done_and_nothing_else() -> None:
    found = read_capabilities(
        statement(
            {"type": "Observation", "interaction": [{"code": "create"}, {"code": "read"}]},
            {
                "type": "CarePlan",
                "interaction": [{"code": "create"}, {"code": "update"}],
                "conditionalCreate": True,
            },
            {"type": "Goal", "interaction": [{"code": "search-type"}]},
            interaction=[{"code": "transaction"}],
        )
    )
    assert found.transaction
    assert found.creates == {"Observation", "CarePlan"}
    assert found.updates == {"CarePlan"}
    assert found.conditional_creates == {"CarePlan"}
    assert found.takes("Observation", "CarePlan")
    assert not found.takes("Observation", "Goal")


def test_batch_is_no_transaction() -> None:
    assert not read_capabilities(statement(interaction=[{"code": "batch"}])).transaction


@pytest.mark.parametrize("document", [{}, {"rest": None}, {"rest": [{"mode": "client"}]}])
def test_silence_is_a_no(document: dict[str, Any]) -> None:
    assert read_capabilities(document) == NOTHING


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["code", "type", "mode"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["rest", "resource"]), _JSON), _JSON, _JSON)
def test_any_document_can_be_read(outer: dict[str, Any], resource: Any, interaction: Any) -> None:
    read_capabilities(outer)
    read_capabilities(
        {"rest": [{"mode": "server", "resource": resource, "interaction": interaction}]}
    )
    read_capabilities(statement({"type": resource, "interaction": interaction}))
