"""Whether patients can read what an exercise says: sixth grade in English, easy in Spanish."""

from __future__ import annotations

import pytest

from rtm.exercises import Exercise, load_library
from tests.reading import flesch_kincaid_grade, syllables, szigriszt_pazos

EXERCISES = list(load_library())


def told(exercise: Exercise, language: str) -> str:
    """Every sentence that the patient reads or hears during the exercise."""
    cues = [each.cue[language] for each in (*exercise.faults, *exercise.requirements)]
    return " ".join([*exercise.steps[language], exercise.feel[language], *cues])


@pytest.mark.parametrize(
    ("word", "count"), [("hip", 1), ("knee", 1), ("table", 2), ("side", 1), ("shoulder", 2)]
)
def test_syllables_are_counted(word: str, count: int) -> None:
    assert syllables(word) == count


def test_a_textbook_sentence_is_not_of_sixth_grade() -> None:
    assert flesch_kincaid_grade("Initiate concentric glenohumeral abduction bilaterally.") > 12


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_a_sixth_grader_can_read_the_english(exercise: Exercise) -> None:
    assert flesch_kincaid_grade(told(exercise, "en")) <= 6


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_spanish_is_fairly_easy_by_inflesz(exercise: Exercise) -> None:
    assert szigriszt_pazos(told(exercise, "es")) >= 65
