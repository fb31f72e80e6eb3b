"""Whether patients can read what an exercise says: sixth grade in English, easy in Spanish."""

from __future__ import annotations

import re

import pytest
import textstat

from rtm.exercises import Exercise, load_library

EXERCISES = list(load_library())

# A silent e at the end, as in "hole", but not in "table".
_SILENT_E = re.compile(r"(?<![aeiouyl])e$|(?<=[aeiouy])le$|(?<=l)le$")


def told(exercise: Exercise, language: str) -> str:
    """Every sentence that the patient reads or hears during the exercise."""
    cues = [each.cue[language] for each in (*exercise.faults, *exercise.requirements)]
    return " ".join([*exercise.steps[language], exercise.feel[language], *cues])


def syllables(word: str) -> int:
    """Groups of vowels: counts rather too many than too few."""
    return max(1, len(re.findall(r"[aeiouy]+", _SILENT_E.sub("", word.lower()))))


def flesch_kincaid_grade(text: str) -> float:
    """Kincaid et al. 1975. textstat's English wants a dictionary that it fetches when run."""
    sentences = len(re.findall(r"[.!?](?:\s|$)", text))
    words = re.findall(r"[A-Za-z'-]+", text)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


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
    """INFLESZ (Barrio-Cantalejo et al. 2008): Szigriszt-Pazos 65 and more is "bastante fácil"."""
    textstat.set_lang("es")
    assert textstat.szigriszt_pazos(told(exercise, "es")) >= 65
