"""An outcome measure scores by its rule, and nothing that was not answered."""

from __future__ import annotations

from datetime import datetime

import pytest

from fhir.guide.examples import FUNCTION
from rtm.outcomes import InvalidAnswers, OutcomeResponse
from tests.fhir.samples import KNEE_SUM


def test_a_mean_and_a_sum_are_scored_on_their_scales() -> None:
    assert FUNCTION.score({"activity_1": 3, "activity_2": 4, "activity_3": 8}) == 5.0
    assert FUNCTION.score_bounds == (0.0, 10.0)
    assert KNEE_SUM.score({"stairs": 4, "pain": 0}) == 4.0
    assert KNEE_SUM.score_bounds == (0.0, 8.0)


def test_a_missing_answer_leaves_the_score_open() -> None:
    assert KNEE_SUM.score({"stairs": 3}) is None
    assert KNEE_SUM.score({}) is None


def test_a_score_of_fewer_answers_is_their_mean_where_the_measure_allows_it() -> None:
    assert FUNCTION.score({"activity_2": 3}) == 3.0
    assert FUNCTION.score({}) is None


@pytest.mark.parametrize(
    ("answers", "why"),
    [({"activity_9": 1}, "no item 'activity_9'"), ({"activity_1": 11}, "between 0 and 10")],
)
def test_answers_that_the_measure_does_not_have_are_refused(
    answers: dict[str, int], why: str
) -> None:
    with pytest.raises(InvalidAnswers, match=why):
        FUNCTION.score(answers)


def test_a_response_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        OutcomeResponse("r", "f", "1", datetime(2026, 1, 1), "en", {})
