"""What may be a message, and which are unread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.message_templates import InvalidTemplates, load_templates, read_templates
from rtm.messages import (
    MOST_CHARACTERS,
    MOST_SUBJECT_CHARACTERS,
    Message,
    MessageRefused,
    checked_subject,
    checked_text,
    threads,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def message(number: int, side: Any, *, thread: str = "a", read: bool = False) -> Message:
    at = NOON + timedelta(minutes=number)
    return Message(str(number), thread, side, "Dana", "x", at, at if read else None)


def test_a_text_keeps_its_lines_and_loses_the_space_around_it() -> None:
    assert checked_text("  one\r\ntwo\rthree\n\n") == "one\ntwo\nthree"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * (MOST_CHARACTERS + 1), "too_long"),
        ("a\x00b", "not_text"),
        ("a\x1b[31mb", "not_text"),
        ("see \u202egpj.exe", "not_text"),
        ("half \ud83d", "not_text"),
    ],
)
def test_what_is_no_message_is_refused(text: str, problem: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        checked_text(text)
    assert refused.value.problem == problem


def test_the_longest_message_counts_a_line_end_once() -> None:
    text = "a\r\n" * (MOST_CHARACTERS // 2 - 1) + "ab"
    assert len(checked_text(text)) == MOST_CHARACTERS
    with pytest.raises(MessageRefused):
        checked_text(text + "c")


def test_other_scripts_and_signs_are_text() -> None:
    for text in ("¿Cómo está?", "Здравствуйте", "مرحبا", "😀👍🏽", "<b>&amp;</b>", "a\tb"):
        assert checked_text(text) == text


def test_a_subject_is_one_line() -> None:
    assert checked_subject(" My\n knee\t hurts ") == "My knee hurts"
    with pytest.raises(MessageRefused):
        checked_subject("x" * (MOST_SUBJECT_CHARACTERS + 1))


@given(st.text(max_size=300))
def test_a_checked_text_stays_as_it_is_when_checked_again(text: str) -> None:
    try:
        once = checked_text(text)
    except MessageRefused:
        return
    assert checked_text(once) == once


def test_only_the_other_sides_unopened_messages_are_unread() -> None:
    (thread,) = threads(
        {"a": "Knee"},
        [
            message(3, "care_team"),
            message(1, "patient", read=True),
            message(2, "care_team", read=True),
            message(4, "patient"),
        ],
    )
    assert [one.id for one in thread.messages] == ["1", "2", "3", "4"]
    assert (thread.unread_by("patient"), thread.unread_by("care_team")) == (1, 1)


def test_the_thread_with_the_newest_message_is_first() -> None:
    found = threads(
        {"a": "Knee", "b": "Time"},
        [message(1, "patient"), message(2, "patient", thread="b"), message(3, "care_team")],
    )
    assert [thread.subject for thread in found] == ["Knee", "Time"]


def test_every_template_can_be_sent_as_it_is_in_both_languages() -> None:
    assert len(load_templates()) >= 5
    for template in load_templates():
        for language in ("en", "es"):
            assert checked_text(template.text[language]) == template.text[language]
            assert checked_subject(template.subject[language]) == template.subject[language]


def test_templates_that_break_their_schema_are_refused() -> None:
    good = {
        "id": "a",
        "title": "A",
        "subject": {"en": "a", "es": "a"},
        "text": {"en": "a", "es": "a"},
    }
    with pytest.raises(InvalidTemplates, match="'es' is a required property"):
        read_templates({"templates": [{**good, "text": {"en": "a"}}]})
    with pytest.raises(InvalidTemplates, match="one id"):
        read_templates({"templates": [good, good]})
