"""JSON in and out without loss: digits, order, depth, and what is no FHIR JSON."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir.wire import ExactDecimal, NotFhirJson, parse, serialise

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(values)
def test_whatever_json_holds_comes_back(value: Any) -> None:
    assert parse(serialise(value)) == value
    assert json.loads(serialise(value)) == value


@pytest.mark.parametrize(
    "text", ["1.10", "0.0", "-0.00", "1E3", "1e+3", "0.1234567890123456789", "3.1400000000000001"]
)
def test_a_decimal_keeps_its_digits(text: str) -> None:
    number = parse(text)
    assert serialise({"value": number}) == f'{{"value":{text}}}'.encode()
    assert number == float(text)
    assert serialise(copy.deepcopy(number)) == text.encode()
    assert serialise(pickle.loads(pickle.dumps(number))) == text.encode()


def test_a_number_that_a_float_writes_the_same_stays_a_plain_float() -> None:
    assert not isinstance(parse("1.5"), ExactDecimal)
    assert isinstance(parse("1.50"), ExactDecimal)


def test_a_large_integer_keeps_every_digit() -> None:
    assert serialise(parse("123456789012345678901234567890")) == b"123456789012345678901234567890"


def test_a_lone_surrogate_survives_as_it_was_escaped() -> None:
    assert serialise(parse(r'"\ud800"')) == rb'"\ud800"'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "not JSON"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":1,"a":2}', "twice"),
        (b"[" * 200_000, "too deeply"),
        (b"\xff\xfe\xfa", "not JSON"),
    ],
)
def test_what_is_no_fhir_json_is_refused_in_one_line(content: bytes, why: str) -> None:
    with pytest.raises(NotFhirJson, match=why):
        parse(content)


def test_what_json_has_no_form_for_is_not_written() -> None:
    with pytest.raises(ValueError, match="no such number"):
        serialise({"a": float("inf")})
    with pytest.raises(TypeError):
        serialise({"a": object()})
