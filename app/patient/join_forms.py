"""Joining the portal by invitation, and signing in again."""

from __future__ import annotations

from datetime import date
from typing import Any

from babel.dates import get_month_names
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, ValidationError

from app.invitations import CODE_LENGTH, bare
from app.portal_accounts import (
    LEAST_NAME,
    LEAST_PASSWORD,
    MOST_NAME,
    MOST_PASSWORD,
    folded,
    is_easy_to_guess,
)


class JoinForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """The code and the birth date; `born` is the date once the form is valid."""

    code = StringField(
        _l("Your code"),
        description=_l("It is on the page from your clinic. It has 10 letters and numbers."),
        validators=[InputRequired(_l("Please type the code."))],
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
    month = SelectField(
        _l("Month"), coerce=int, validators=[InputRequired(_l("Please choose the month."))]
    )
    day = IntegerField(
        _l("Day"),
        validators=[InputRequired(_l("Please type the day as a number."))],
        render_kw={"inputmode": "numeric", "class": "narrow", "autocomplete": "bday-day"},
    )
    year = IntegerField(
        _l("Year"),
        validators=[
            InputRequired(_l("Please type the year as a number.")),
            NumberRange(1900, 2100, _l("Please type all 4 numbers of the year.")),
        ],
        render_kw={"inputmode": "numeric", "class": "narrow", "autocomplete": "bday-year"},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = get_month_names("wide", locale=get_locale())
        self.month.choices = [(number, names[number]) for number in range(1, 13)]

    def validate_code(self, field: Any) -> None:
        if len(bare(field.data)) != CODE_LENGTH:
            raise ValidationError(_l("The code has 10 letters and numbers. Please check it."))

    def validate_year(self, field: Any) -> None:
        if self.month.data and self.day.data and field.data and self._date() is None:
            raise ValidationError(_l("There is no such day. Please check the date."))

    @property
    def born(self) -> date:
        found = self._date()
        assert found is not None, "validated before"
        return found

    def _date(self) -> date | None:
        try:
            return date(self.year.data, self.month.data, self.day.data)
        except ValueError:
            return None


class SetSignInForm(FlaskForm):  # type: ignore[misc]
    """The name and password by which the patient comes back."""

    name = StringField(
        _l("Your sign-in name"),
        description=_l("Your e-mail address is a good choice. We send no e-mail to it."),
        validators=[
            InputRequired(_l("Please type a name.")),
            Length(LEAST_NAME, MOST_NAME, _l("The name needs 3 letters or more.")),
        ],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = PasswordField(
        _l("Your password"),
        description=_l(
            "15 letters or more. Four words in a row work well. Your phone can make one for you."
        ),
        validators=[
            InputRequired(_l("Please type a password.")),
            Length(LEAST_PASSWORD, MOST_PASSWORD, _l("The password needs 15 letters or more.")),
        ],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _l("The password once more"),
        validators=[InputRequired(_l("Please type the password once more."))],
        render_kw={"autocomplete": "new-password"},
    )

    def validate_name(self, field: Any) -> None:
        if len(folded(field.data)) < LEAST_NAME:
            raise ValidationError(_l("The name needs 3 letters or more."))

    def validate_password(self, field: Any) -> None:
        if is_easy_to_guess(field.data, self.name.data or ""):
            raise ValidationError(_l("This one is easy to guess. Please choose another."))

    def validate_again(self, field: Any) -> None:
        if field.data != self.password.data:
            raise ValidationError(_l("The two passwords are not the same."))


class OwnSignInForm(FlaskForm):  # type: ignore[misc]
    """Coming back."""

    name = StringField(
        _l("Your sign-in name"),
        validators=[InputRequired(_l("Please type your name.")), Length(max=MOST_NAME)],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = PasswordField(
        _l("Your password"),
        validators=[InputRequired(_l("Please type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
