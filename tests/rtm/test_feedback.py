"""What a patient says after an exercise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store import from_document, to_document
from rtm.feedback import LONGEST_NOTE, Feedback, InvalidScales, load_scales, read_scales
from rtm.session import Pain, Session

AT = datetime(2026, 11, 3, 15, 0, tzinfo=UTC)
# As sessions were stored before anything but pain was asked.
OLD = {
    "id": "s",
    "exercise_id": "squat",
    "side": "bilateral",
    "source": "manual",
    "started_at": "2026-05-01T10:00:00Z",
    "duration_s": 60.0,
    "pain": {"before": 2, "after": 3},
    "result": None,
    "repetitions_reported": 10,
}


def test_a_session_stored_before_it_was_asked_reads_as_not_asked() -> None:
    session = from_document(Session, OLD)
    assert session.feedback == Feedback()
    assert session.repetition_count == 10


@given(
    st.builds(
        Feedback,
        st.none() | st.integers(0, 10),
        st.sampled_from([None, "too_easy", "just_right", "too_hard"]),
        st.none() | st.text(min_size=1, max_size=LONGEST_NOTE),
        st.sampled_from([None, "pain", "chest_pain"]),
    )
)
def test_a_session_comes_back_as_it_was_stored(feedback: Feedback) -> None:
    session = Session("s", "squat", "left", "manual", AT, 60.0, Pain(1, 2), None, 5, feedback)
    assert from_document(Session, to_document(session)) == session


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"effort": 11}, "between 0 and 10"),
        ({"effort": -1}, "between 0 and 10"),
        ({"difficulty": "fine"}, "too_easy, just_right, too_hard"),
        ({"note": ""}, "1 to 500 characters"),
        ({"note": "x" * 501}, "got 501"),
        ({"stopped_reason": "Ow!"}, "id in lower case"),
    ],
)
def test_what_is_off_a_scale_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Feedback(**values)  # type: ignore[arg-type]


def test_both_ends_of_the_scale_of_effort_have_words_in_both_languages() -> None:
    scales = load_scales()
    assert {0, 10} <= set(scales.effort)
    for text in (*scales.effort.values(), *(choice.text for choice in scales.difficulties)):
        assert text["en"] != text["es"]
    assert scales.difficulty_text("too_hard", "es") == "Muy difícil"


def test_no_words_of_the_licensed_scale_are_shown() -> None:
    words = " ".join(text["en"].lower() for text in load_scales().effort.values())
    for anchor in ("nothing at all", "extremely", "weak", "moderate", "strong", "absolute maximum"):
        assert anchor not in words


def test_damaged_scales_are_refused_with_the_place() -> None:
    with pytest.raises(InvalidScales, match="effort"):
        read_scales({"effort": {}, "difficulties": []})
