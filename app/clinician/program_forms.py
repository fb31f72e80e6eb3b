"""The form in which a clinician makes a program, line by line."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from app.clinician.forms import choices
from rtm.exercises import Exercise, load_library
from rtm.program import EVERY_DAY, WEEKDAYS, Dose
from rtm.program_changes import days_in_words
from rtm.range_limit import problem_of_limit

WEEKDAY_CHOICES = {
    ",".join(WEEKDAYS): "Every day",
    "mon,tue,wed,thu,fri": "Monday to Friday",
    "mon,wed,fri": "Mon, Wed, Fri",
    "tue,thu,sat": "Tue, Thu, Sat",
    "mon,thu": "Mon, Thu",
}
_SIDES = {"left": "Left", "right": "Right", "bilateral": "Both"}


class WeekdaysField(SelectField):  # type: ignore[misc]  # wtforms has no types
    """One of the usual choices, or the days that a program has already."""

    data: str | None

    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(label, choices=choices(WEEKDAY_CHOICES), **kwargs)

    def post_validate(self, form: Any, validation_stopped: bool) -> None:
        self.data = weekdays_text(frozenset((self.data or "").split(",")))

    def pre_validate(self, form: Any) -> None:
        if not self.data or not frozenset(self.data.split(",")) <= EVERY_DAY:
            raise ValidationError("Choose the days.")

    def process_data(self, value: Any) -> None:
        super().process_data(value)
        self._offer(value)

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        self._offer(self.data)

    def _offer(self, value: str | None) -> None:
        """Else a list without the program's own days would silently choose its first."""
        known = {choice.value for choice in choices(WEEKDAY_CHOICES)}
        days = frozenset((value or "").split(","))
        if value and value not in known and days <= EVERY_DAY:
            label = days_in_words(Dose(1, 1, weekdays=days))  # type: ignore[arg-type]  # just asked
            self.choices = [*choices(WEEKDAY_CHOICES), *choices({value: label})]


class LineForm(Form):  # type: ignore[misc]
    """One exercise of the program; unticked lines are left out."""

    exercise_id = HiddenField(validators=[InputRequired()])
    include = BooleanField("Include")
    side = SelectField("Side", choices=choices(_SIDES))
    sets = IntegerField("Sets", validators=[InputRequired(), NumberRange(1, 10)])
    repetitions = IntegerField("Repetitions", validators=[InputRequired(), NumberRange(1, 50)])
    hold_s = IntegerField("Hold (s)", validators=[InputRequired(), NumberRange(0, 1800)])
    rest_s = IntegerField("Rest (s)", validators=[InputRequired(), NumberRange(0, 600)])
    times_per_day = IntegerField("Times a day", validators=[InputRequired(), NumberRange(1, 6)])
    weekdays = WeekdaysField("Days")
    limit_deg = IntegerField("Limit (°)", validators=[Optional(), NumberRange(-90, 180)])
    note = StringField("Note to the patient", validators=[Length(max=200)])

    @property
    def exercise(self) -> Exercise | None:
        return load_library().by_id.get(self.exercise_id.data)

    def validate_exercise_id(self, field: Any) -> None:
        if self.exercise is None:
            raise ValidationError(f"There is no exercise called {field.data!r}.")

    def validate_limit_deg(self, field: Any) -> None:
        problem = None
        if self.exercise is not None and field.data is not None:
            problem = problem_of_limit(self.exercise, field.data)
        if problem is not None:
            raise ValidationError(problem)

    def validate_side(self, field: Any) -> None:
        exercise = self.exercise
        if exercise and (field.data == "bilateral") != (exercise.laterality == "bilateral"):
            raise ValidationError(
                "It is done on both sides at once."
                if exercise.laterality == "bilateral"
                else "It is done on one side: choose left or right."
            )


class ProgramForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """The program to sign. `signing_key` makes a double click one signature."""

    signing_key = HiddenField(validators=[InputRequired(), Length(min=36, max=36)])
    start = DateField("Starts", validators=[InputRequired()])
    lines = FieldList(FormField(LineForm))
    template_name = StringField("Name of the template", validators=[Length(max=80)])

    def validate_lines(self, field: Any) -> None:
        ticked = [line for line in field.entries if line.include.data]
        keys = [(line.exercise_id.data, line.side.data) for line in ticked]
        twice = {
            load_library()[id_].name["en"] for id_, side in keys if keys.count((id_, side)) > 1
        }
        why = "" if ticked else "Tick at least one exercise."
        if twice:
            why = f"In the program twice for one side: {', '.join(sorted(twice))}."
        if why:
            field.errors = [*field.errors, why]
            raise ValidationError(why)


def weekdays_text(weekdays: frozenset[Any]) -> str:
    """In the order of the week, as the form's choices have them."""
    return ",".join(day for day in WEEKDAYS if day in weekdays)
