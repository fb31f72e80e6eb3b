"""The patient's forms: after an exercise, and to measure a range of motion."""

from __future__ import annotations

from datetime import datetime

from flask import abort
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from rtm.feedback import LONGEST_NOTE, load_scales

# More than any program asks for at once: what is beyond is a slip of the finger.
MOST_REPETITIONS, MOST_MINUTES = 500, 240


def _between(least: int, most: int) -> NumberRange:
    return NumberRange(
        least, most, _l("Please give a number from %(least)s to %(most)s.", least=least, most=most)
    )


_SCALE = [SelectChoice(str(value)) for value in range(11)]


class SessionForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`session_id` is made with the page, so that sending it twice is one session."""

    session_id = HiddenField(validators=[InputRequired(_l("The session id is missing."))])
    started_at = HiddenField()
    pain_before = RadioField(
        _l("How much pain did you have before?"),
        choices=_SCALE,
        coerce=int,
        validators=[InputRequired(_l("Please choose your pain before, from 0 to 10."))],
    )
    pain_after = RadioField(
        _l("How much pain do you have now?"),
        choices=_SCALE,
        coerce=int,
        validators=[InputRequired(_l("Please choose your pain now, from 0 to 10."))],
    )
    repetitions = IntegerField(
        _l("How many did you do?"), validators=[Optional(), _between(1, MOST_REPETITIONS)]
    )
    minutes = IntegerField(
        _l("For how many minutes?"), validators=[Optional(), _between(1, MOST_MINUTES)]
    )
    effort = RadioField(choices=_SCALE, coerce=int, validators=[Optional()])
    difficulty = RadioField(
        choices=[SelectChoice(one.id, one.text["en"]) for one in load_scales().difficulties],
        validators=[Optional()],
    )
    note = TextAreaField(
        validators=[Length(max=LONGEST_NOTE, message=_l("Your note is too long. Please cut it."))],
        # A browser counts the end of a line as one character, and sends two.
        filters=[lambda note: note and note.replace("\r\n", "\n")],
    )


class RangeForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`test_id` is made with the page, so that sending it twice is one test.

    `side` is asked for only where the joint has sides.
    """

    test_id = HiddenField(validators=[InputRequired(_l("The test id is missing."))])
    started_at = HiddenField()
    side = RadioField(
        _l("Which side do you measure?"),
        choices=[SelectChoice("left", _l("Left")), SelectChoice("right", _l("Right"))],
        validators=[Optional()],
    )


def what_is_wrong(form: FlaskForm) -> str:
    """Every error of the form, in the language of the page."""
    return " ".join(str(message) for errors in form.errors.values() for message in errors)


def started_at(given: str | None, now: datetime) -> datetime:
    """The instant that the browser gave; a page without script gives none: then it is now."""
    if not given:
        return now
    try:
        started = datetime.fromisoformat(given)
    except ValueError:
        abort(422, _("The start time is not an ISO 8601 instant."))
    if started.tzinfo is None:
        abort(422, _("The start time must carry a time zone."))
    return started
