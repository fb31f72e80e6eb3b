"""The program on paper: readable text, figures as lines, and a code that a phone can read."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import cv2
import numpy as np
import pytest
import requests
from pypdf import PdfReader

from app.demo import walk
from app.demo.browser import DemoFailed
from app.demo.history import STORIES, write_history
from app.program_pdf import PaperExercise, PaperProgram, program_pdf
from rtm.exercises import Exercise, load_library
from rtm.exercises.drawing import draw, start_and_end
from rtm.protocols import ProtocolLine, load_protocols
from tests.app.test_range_tests import sign_in
from tests.conftest import World

STORY = next(story for story in STORIES if story.patient == "samuel-brandt")
PORTAL = "https://clinic.example/portal"


def paper(count: int = 1, **changes: object) -> PaperProgram:
    exercises = [
        PaperExercise(
            exercise.name["en"],
            "10 times",
            exercise.steps["en"],
            "",
            [("Feel", [exercise.feel["en"]])],
            draw(exercise),
        )
        for exercise in list(load_library())[:count]
    ]
    values = {
        "language": "en",
        "title": "My exercises at home",
        "subtitle": "Samuel Brandt",
        "lines": (),
        "exercises": exercises,
        "captions": ("Start", "Then"),
        "warnings": (("Safety", ["Stop if it hurts."]),),
        "portal_url": PORTAL,
        "portal_words": "Scan this.",
        "foot": "Homestretch",
        "foot_page": "page {page} of {pages}",
        "made_at": datetime(2026, 11, 1, 9, tzinfo=UTC),
        **changes,
    }
    return PaperProgram(**values)  # type: ignore[arg-type]


def text_of(pdf: bytes) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def code_of(pdf: bytes) -> str:
    """What a phone's camera reads in the picture of the first page."""
    (picture,) = PdfReader(BytesIO(pdf)).pages[0].images
    pixels = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return cv2.QRCodeDetector().detectAndDecode(pixels)[0]


def test_the_code_leads_to_the_portal() -> None:
    assert code_of(program_pdf(paper())) == PORTAL


def test_the_same_program_gives_the_same_bytes() -> None:
    assert program_pdf(paper(3)) == program_pdf(paper(3))


def test_every_exercise_stays_whole_on_one_page_of_letter_size() -> None:
    many = paper(len(load_library()))
    pdf = program_pdf(many)
    pages = text_of(pdf)
    for number, exercise in enumerate(many.exercises, 1):
        (page,) = [page for page in pages if f"{number}. {exercise.name} " in page]
        for step in exercise.steps:
            assert step in page
    assert {tuple(page.mediabox) for page in PdfReader(BytesIO(pdf)).pages} == {(0, 0, 612, 792)}
    assert pages[0].endswith(f"page 1 of {len(pages)}")


def test_figures_are_lines_of_their_own_colours() -> None:
    drawn = PdfReader(BytesIO(program_pdf(paper()))).pages[0].get_contents()
    assert drawn is not None
    strokes = drawn.get_data().decode("latin-1")
    assert "0.0431 0.3608 0.4784 RG" in strokes  # the near limbs
    assert strokes.count(" c") >= 8, "two heads, each of four curves"


def test_fonts_are_embedded() -> None:
    fonts = PdfReader(BytesIO(program_pdf(paper()))).pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    for font in fonts.values():
        descriptor = font["/DescendantFonts"][0]["/FontDescriptor"]
        assert "/FontFile2" in descriptor


@pytest.mark.parametrize("exercise", list(load_library()), ids=lambda exercise: exercise.id)
def test_the_second_picture_shows_the_movement(exercise: Exercise) -> None:
    start, end = start_and_end(draw(exercise))
    assert start.frame != end.frame


def of_patient(world: World, patient: walk.Browser, path: str) -> requests.Response:
    return patient.get(f"{world.places.app}{path}")


def test_a_patient_without_a_program_has_no_paper(world: World) -> None:
    with pytest.raises(DemoFailed, match="404"):
        of_patient(world, sign_in(world), "/portal/program.pdf")


def test_patient_and_clinician_get_the_paper_in_their_languages(world: World) -> None:
    patient = sign_in(world)
    write_history(world.context, [STORY])
    answer = of_patient(world, patient, "/portal/program.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    english = " ".join(text_of(answer.content))
    assert "Samuel" in english
    assert "Stop if you feel sharp pain" in english
    assert "What you should feel" in english
    assert all(load_library()[e.exercise_id].name["en"] in english for e in exercises())
    assert code_of(answer.content) == f"{world.places.app}/portal"
    clinician = walk.launch_chart(world.places, STORY.patient)
    chart = clinician.get(f"{world.places.app}/chart").text
    assert "/chart/program.es.pdf" in chart
    spanish = clinician.get(f"{world.places.app}/chart/program.es.pdf")
    words = " ".join(text_of(spanish.content))
    assert "Mis ejercicios en casa" in words
    assert "todos los días" in words
    assert all(load_library()[e.exercise_id].name["es"] in words for e in exercises())
    with pytest.raises(DemoFailed, match="404"):
        clinician.get(f"{world.places.app}/chart/program.fr.pdf")


def exercises() -> tuple[ProtocolLine, ...]:
    return load_protocols()[STORY.protocol].phase(STORY.phase).exercises
