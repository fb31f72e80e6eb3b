"""What a patient writes to the care team."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField, TextAreaField

from app.message_fields import check_with, made_with_the_page
from rtm.messages import (
    MOST_CHARACTERS,
    MOST_SUBJECT_CHARACTERS,
    Problem,
    checked_subject,
    checked_text,
)

_CANNOT_SHOW = _l("There is a sign in it that we cannot show. Please type it again.")
_TEXT: dict[Problem, Any] = {
    "empty": _l("Please write your message first."),
    "too_long": _l("This is too long. Please use at most %(most)s letters.", most=MOST_CHARACTERS),
    "not_text": _CANNOT_SHOW,
}
_SUBJECT: dict[Problem, Any] = {
    "empty": _l("Please say what it is about."),
    "too_long": _l(
        "This is too long. Please use at most %(most)s letters.", most=MOST_SUBJECT_CHARACTERS
    ),
    "not_text": _CANNOT_SHOW,
}


class ReplyForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`message_id` is made with the page, so that sending it twice is one message."""

    message_id = HiddenField(validators=[made_with_the_page])
    text = TextAreaField(
        _l("Your message"),
        validators=[check_with(checked_text, _TEXT)],
        render_kw={"rows": 6, "maxlength": MOST_CHARACTERS, "required": True},
    )


class MessageForm(ReplyForm):
    """A message that begins a thread."""

    subject = StringField(
        _l("What is it about?"),
        validators=[check_with(checked_subject, _SUBJECT)],
        render_kw={"maxlength": MOST_SUBJECT_CHARACTERS, "required": True},
    )
