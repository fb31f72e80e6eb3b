"""The patient's progress over HTTP: own days only, and a month that exists."""

from __future__ import annotations

import pytest

from app.demo.browser import DemoFailed
from app.demo.history import STORIES, history_month, write_history
from tests.app.test_range_tests import sign_in
from tests.conftest import World

STORY = next(story for story in STORIES if story.patient == "samuel-brandt")


def test_without_a_program_the_page_says_so(world: World) -> None:
    text = sign_in(world).get(f"{world.places.app}/portal/progress").text
    assert "has not given you a program yet" in text
    assert "No exercise was planned" in text


def test_the_articles_of_the_own_program_come_first(world: World) -> None:
    patient = sign_in(world)
    learn = f"{world.places.app}/portal/learn"
    assert "More to read" in patient.get(learn).text
    write_history(world.context, [STORY])
    text = patient.get(learn).text
    assert text.index("/learn/shoulder_pain") < text.index("More to read")
    assert text.index("/learn/pain_during_exercise") < text.index("More to read")
    assert text.index("More to read") < text.index("/learn/low_back_pain")
    article = patient.get(f"{learn}/shoulder_pain").text
    assert "Rotator Cuff Tendinopathy" in article
    assert "2025" in article
    with pytest.raises(DemoFailed, match="404"):
        patient.get(f"{learn}/gout")


@pytest.mark.parametrize("month", ["1999-01", "2999-01", "13", "2026-13", "soon"])
def test_a_month_outside_the_program_is_not_found(world: World, month: str) -> None:
    patient = sign_in(world)
    write_history(world.context, [STORY])
    with pytest.raises(DemoFailed, match="404"):
        patient.get(f"{world.places.app}/portal/progress?month={month}")


def test_a_past_month_shows_what_was_done_and_the_table_every_session(world: World) -> None:
    patient = sign_in(world)
    write_history(world.context, [STORY])
    _, last = history_month(world.context.now().date())
    text = patient.get(f"{world.places.app}/portal/progress?month={last:%Y-%m}").text
    key = text.index("month__key")
    assert "partly done" in text[:key]
    assert "not done" in text[:key]
    pain_rows = text[text.index('id="pain"') :].count('<th scope="row">')
    assert pain_rows == len(STORY.session_days)
