"""Whether patients can read the portal: sixth grade in English, fairly easy in Spanish.

Measured are whole texts, as each measure asks for: all sentences that one template or module
says, put together. Labels are left out: they are no sentences, and would make any text look easy.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from rtm.range_of_motion import Change, change_in_words, load_movements
from tests.app.portal_texts import forms, marked_texts, spanish
from tests.reading import flesch_kincaid_grade, szigriszt_pazos
from vision.camera_check import messages

HARDEST_GRADE = 6.0
LEAST_SZIGRISZT_PAZOS = 65.0

# Fewer words than this are no text: one long word would decide.
FEWEST_WORDS = 25

# A value as it will stand there, one short word or number.
_VALUES = re.compile(r"%\(\w+\)s")

# Said to programs only, when what they send is broken; in the words of its format.
FOR_PROGRAMS = {"app/live_sessions.py"}


def texts_by_file(language: str) -> dict[str, str]:
    """What each file says in `language`, as running text."""
    told: dict[str, dict[str, None]] = defaultdict(dict)
    catalogue = spanish()
    for text in marked_texts():
        said = [text.plural or text.singular]
        if language == "es":
            message = catalogue.get(text.singular)
            assert message is not None, f"{text.place}: {text.singular} is not in the catalogue"
            said = [forms(message)[-1]]
        for each in said:
            if each.endswith((".", "?", "!", "…")):
                told[text.file][_VALUES.sub("4", each)] = None
    return {file: " ".join(texts) for file, texts in told.items() if file not in FOR_PROGRAMS}


def is_text(text: str) -> bool:
    return len(text.split()) >= FEWEST_WORDS


ENGLISH = [(f, t) for f, t in texts_by_file("en").items() if is_text(t)]
SPANISH = [(f, t) for f, t in texts_by_file("es").items() if is_text(t)]


@pytest.mark.parametrize(("file", "text"), ENGLISH, ids=[file for file, _ in ENGLISH])
def test_a_sixth_grader_can_read_the_english(file: str, text: str) -> None:
    grade = flesch_kincaid_grade(text)
    assert grade <= HARDEST_GRADE, f"{file} is of grade {grade:.1f}: {text}"


@pytest.mark.parametrize(("file", "text"), SPANISH, ids=[file for file, _ in SPANISH])
def test_the_spanish_is_fairly_easy_by_inflesz(file: str, text: str) -> None:
    ease = szigriszt_pazos(text)
    assert ease >= LEAST_SZIGRISZT_PAZOS, f"{file} has {ease:.0f}: {text}"


def test_no_sentence_stands_out() -> None:
    """An average hides a single hard sentence: none of eight words or more is above ninth grade."""
    hard = []
    for file, text in texts_by_file("en").items():
        for sentence in re.split(r"(?<=[.?!])\s+", text):
            if len(sentence.split()) >= 8 and (grade := flesch_kincaid_grade(sentence)) > 9:
                hard.append(f"{file}: grade {grade:.1f}: {sentence}")
    assert not hard, "\n".join(hard)


def test_the_camera_check_can_be_read() -> None:
    said = messages().values()
    assert flesch_kincaid_grade(" ".join(each["en"] for each in said)) <= HARDEST_GRADE
    assert szigriszt_pazos(" ".join(each["es"] for each in said)) >= LEAST_SZIGRISZT_PAZOS


@pytest.mark.parametrize("movement", load_movements(), ids=lambda movement: movement.id)
def test_how_a_range_is_measured_and_what_a_change_means_can_be_read(movement) -> None:  # type: ignore[no-untyped-def]
    told = {
        language: " ".join(
            [
                *movement.instructions[language],
                change_in_words(movement, Change(80.0, 91.0, 11.0, 9.0), language),
                change_in_words(movement, Change(80.0, 76.0, -4.0, 9.0), language),
            ]
        )
        for language in ("en", "es")
    }
    assert flesch_kincaid_grade(told["en"]) <= HARDEST_GRADE
    assert szigriszt_pazos(told["es"]) >= LEAST_SZIGRISZT_PAZOS
