"""What a patient chooses about reminders."""

from __future__ import annotations

from datetime import time
from typing import Any

from flask_babel import format_time
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SelectField, StringField
from wtforms.validators import AnyOf, InputRequired, Length, ValidationError

from app.languages import language
from rtm.reminders import Wishes


class AddressForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """An e-mail address or a mobile number, to which a code is sent."""

    channel = HiddenField(validators=[AnyOf(("email", "sms"))])
    address = StringField(
        validators=[InputRequired(_l("Please fill this in first.")), Length(max=254)]
    )


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The code that was sent."""

    channel = HiddenField(validators=[AnyOf(("email", "sms"))])
    code = StringField(
        _l("The 6 numbers that we sent you"),
        validators=[InputRequired(_l("Please fill this in first.")), Length(max=20)],
        render_kw={"inputmode": "numeric", "autocomplete": "one-time-code"},
    )


class WishesForm(FlaskForm):  # type: ignore[misc]
    """Hours are of the patient's own clock; where both of `quiet_…` are one, none is quiet."""

    exercises = BooleanField(_l("When I have not done my exercises yet"))
    message = BooleanField(_l("When I have a new message"))
    exercises_at = SelectField(_l("Remind me of my exercises at"), coerce=int)
    quiet_from = SelectField(_l("Send nothing from"), coerce=int)
    quiet_until = SelectField(_l("until"), coerce=int)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        hours = [(hour, format_time(time(hour), "short", rebase=False)) for hour in range(24)]
        for field in (self.exercises_at, self.quiet_from, self.quiet_until):
            field.choices = hours

    @classmethod
    def of(cls, wishes: Wishes) -> WishesForm:
        return cls(
            exercises="exercises" in wishes.kinds,
            message="message" in wishes.kinds,
            exercises_at=wishes.exercises_at.hour,
            quiet_from=wishes.quiet_from.hour,
            quiet_until=wishes.quiet_until.hour,
        )

    @property
    def wishes(self) -> Wishes:
        """In the language of the page that they were set on."""
        chosen = {"exercises": self.exercises.data, "message": self.message.data}
        return Wishes(
            kinds=frozenset(kind for kind in ("exercises", "message") if chosen[kind]),
            exercises_at=time(self.exercises_at.data),
            quiet_from=time(self.quiet_from.data),
            quiet_until=time(self.quiet_until.data),
            language=language(),
        )

    def validate_exercises_at(self, field: Any) -> None:
        if self.exercises.data and self.wishes.is_quiet(time(field.data)):
            raise ValidationError(_l("At this time we send nothing. Please choose another time."))
