"""Whatever the measuring says of a recording has its words for patients, in both languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise

import pytest
from flask import Flask

from app.config import Settings
from app.patient.measured_words import (
    NoWords,
    in_patients_words,
    problem_in_patients_words,
    translated,
)
from app.service import create_app
from rtm.exercises import load_library
from tests.app.portal_texts import ROOT
from vision.camera_check import messages

# Where sentences for patients are made, and by what: yielded, raised or put into these.
MAKERS = {
    "vision/score.py": {"NobodyFound", "yield"},
    "vision/movement.py": {"NotMeasurable"},
    "vision/video.py": {"UnreadableVideo"},
    "vision/estimator.py": {"UnreadableVideo", "NobodyFound"},
    "vision/range_test.py": {"_Reading", "append"},
    "rtm/range_of_motion.py": {"append"},
}

# What may stand in a sentence, by the expression that makes it.
VALUES = {
    "at": "1.2 s, 13.4 s",
    "exercise.name['en']": "Leg raise",
    "exercise.measurement_note": "The leg lies on a table. It hides the hip.",
    "refusal.requirement.cue['en']": load_library()["squat"].faults[0].cue["en"],
    "movement.region": "knee",
    "measured.mean()": "64%",
    "_STAND[movement.view]": "Please turn your side to the camera.",
    "left_out": "try was",
}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("portal")))


def reading(portal: Flask, language: str) -> AbstractContextManager[object]:
    """A patient's request in this language."""
    return portal.test_request_context("/portal", headers={"Accept-Language": language})


def made(path: str) -> Iterator[tuple[int, str]]:
    """Line and text of every sentence that the file makes for patients."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    for node in ast.walk(tree):
        name = "yield" if isinstance(node, ast.Yield) else _called(node)
        if name in MAKERS[path]:
            for part in ast.walk(node):
                if isinstance(part, (ast.JoinedStr, ast.Constant)):
                    text = _sample(part)
                    if text.endswith((".", ":")) and " " in text:
                        yield part.lineno, text


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def _sample(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        str(part.value)
        if isinstance(part, ast.Constant)
        else VALUES.get(ast.unparse(part.value), "3")  # type: ignore[attr-defined]
        for part in node.values
    )


def whole(sentences: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Without the pieces of f-strings, which stand again by themselves."""
    texts = [text for _, text in sentences]
    return [
        (line, text) for line, text in sentences if not any(text in t and text != t for t in texts)
    ]


@pytest.mark.parametrize("path", MAKERS)
def test_each_sentence_has_words_for_patients(portal: Flask, path: str) -> None:
    sentences = whole(list(made(path)))
    assert sentences, f"{path} makes none: is the test looking at the right place?"
    missing = []
    for line, text in sentences:
        try:
            with reading(portal, "en"):
                english = translated(text)
            with reading(portal, "es"):
                spanish = translated(text)
        except NoWords:
            missing.append(f"{path}:{line}: {text}")
        else:
            assert "%(" not in english + spanish
            assert english != spanish
    assert not missing, "give them words in app/patient/measured_words.py:\n" + "\n".join(missing)


def test_the_data_have_their_own_words(portal: Flask) -> None:
    with reading(portal, "es"):
        for text in messages().values():
            assert translated(text["en"]) == text["es"]
        for exercise in load_library():
            for fault in exercise.faults:
                assert translated(fault.cue["en"]) == fault.cue["es"]


def test_several_sentences_and_recordings_are_told_in_turn() -> None:
    stored = (
        "Recording 1: 2 tries were left out: much smaller than the others. "
        "Recording 2: The camera saw you from another side. Please face the camera."
    )
    assert translated(stored) == (
        "Video 1: We left out 2 tries. They were much smaller than the others. "
        "Video 2: The camera saw you from the wrong side. Please face the camera."
    )


def test_numbers_are_kept() -> None:
    told = translated("Attempts below half of the usual range: 2 (at 1.2 s, 13.4 s).")
    assert told == "Tries that were too small to count: 2 (at 1.2 s, 13.4 s)."


def test_what_only_a_program_can_send_is_told_in_general() -> None:
    told = problem_in_patients_words("The JSON is not an object with t_s, image, world, width.")
    assert told == "We can't read this file. Please record a video and send it again."
    assert problem_in_patients_words(None) is None


def test_a_note_without_words_is_left_out_and_the_others_stay() -> None:
    told = in_patients_words(["Gibberish of a later version.", "Walking was left out (2.5 s)."])
    assert told == ("We left out 2.5 seconds of walking.",)


def test_no_sentence_hides_behind_a_shorter_one() -> None:
    """A cue that begins like another is not cut in two."""
    cues = sorted(fault.cue["en"] for exercise in load_library() for fault in exercise.faults)
    for shorter, longer in pairwise(cues):
        if longer.startswith(f"{shorter} "):
            assert translated(longer) == longer
