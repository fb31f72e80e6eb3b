"""The clinician's forms."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

# What counts by the rules' `activities`; an entry's activity begins with the key.
ACTIVITIES = {
    "review": "Reviewed monitoring data",
    "program": "Decided on or changed the program",
    "call": "Live talk with patient or caregiver",
    "documentation": "Documented the decision",
}
INTERACTIONS = {"phone": "Phone call", "video": "Video call", "in_person": "In person"}
_THERAPY_PLANS = {
    "GP": "Physical therapy (GP)",
    "GO": "Occupational therapy (GO)",
    "GN": "Speech-language (GN)",
    "": "None (physician)",
}


def activity_text(key: str, note: str = "") -> str:
    """What the ledger keeps of a chosen activity: its key, and a note or what it means."""
    return f"{key}: {note or ACTIVITIES[key].lower()}"


def activity_key(activity: str) -> str:
    """The choice that `activity` was made of; the first for one of another wording."""
    key = activity.partition(":")[0]
    return key if key in ACTIVITIES else next(iter(ACTIVITIES))


def choices(labels: dict[str, str]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in labels.items()]


class EpisodeForm(FlaskForm):  # type: ignore[misc]
    """Starting remote monitoring: what billing will ask for, asked once, at the start."""

    start = DateField("Monitoring starts", validators=[InputRequired()])
    consent = BooleanField(
        "The patient consents to monitoring and knows that a copay may apply",
        validators=[InputRequired("Monitoring needs the patient's consent.")],
    )
    setup_completed = BooleanField("The patient was set up and taught how to use it today")
    other_monitoring = BooleanField(
        "I asked: nobody else bills remote monitoring for this patient",
        validators=[InputRequired("Ask whether somebody else bills remote monitoring.")],
    )
    therapy_plan = SelectField("Therapy plan of care", choices=choices(_THERAPY_PLANS))


class TimeForm(FlaskForm):  # type: ignore[misc]
    """A manual time entry."""

    date = DateField("Date", validators=[InputRequired()])
    minutes = IntegerField("Minutes", validators=[InputRequired(), NumberRange(1, 240)])
    activity = SelectField("What for", choices=choices(ACTIVITIES))
    reason = StringField(
        "Why by hand",
        validators=[InputRequired("Say why the timer did not log it."), Length(max=200)],
    )


class InteractionForm(FlaskForm):  # type: ignore[misc]
    """A live talk with the patient or caregiver."""

    at = DateTimeLocalField("When (patient's time)", validators=[InputRequired()])
    kind = SelectField("How", choices=choices(INTERACTIONS))
    minutes = IntegerField("Minutes", validators=[Optional(), NumberRange(1, 240)])


class AlertForm(FlaskForm):  # type: ignore[misc]
    """An alert taken over."""

    note = StringField("What was done", validators=[Length(max=200)])


class SnoozeForm(FlaskForm):  # type: ignore[misc]
    """An alert put off."""

    until = DateField("Until", validators=[InputRequired()])
    note = StringField("Why", validators=[Length(max=200)])


class HandOnForm(FlaskForm):  # type: ignore[misc]
    """An alert given to a colleague."""

    to = SelectField("To", coerce=int, validators=[InputRequired()])
    note = StringField("Word to the colleague", validators=[Length(max=200)])


class StretchForm(Form):  # type: ignore[misc]
    """One stretch of chart time to sign; `entries` are the ids of what was shown."""

    entries = HiddenField(validators=[InputRequired()])
    activity = SelectField("Spent on", choices=choices(ACTIVITIES))
    leave_out = BooleanField("Leave this stretch out")
    shorten_to = IntegerField("Shorten to (minutes)", validators=[Optional(), NumberRange(1, 1440)])
    reason = StringField("Why", validators=[Length(max=200)])


class ConfirmForm(FlaskForm):  # type: ignore[misc]
    """The stretches that wait for the signature of who is signed in."""

    stretches = FieldList(FormField(StretchForm))


class CorrectTimeForm(FlaskForm):  # type: ignore[misc]
    """A correction of one line of time; `entries` are the ids of what was shown."""

    entries = HiddenField(validators=[InputRequired()])
    minutes = IntegerField("Minutes", validators=[Optional(), NumberRange(1, 1440)])
    activity = SelectField("Spent on", choices=choices(ACTIVITIES))
    date = DateField("Date", validators=[Optional()])
    retract = BooleanField("Take it back: it does not count at all")
    reason = StringField(
        "Why it is corrected", validators=[InputRequired("Say why."), Length(max=200)]
    )


class CorrectTalkForm(FlaskForm):  # type: ignore[misc]
    """A correction of a live talk; `talk` is the id of what was shown."""

    talk = HiddenField(validators=[InputRequired()])
    at = DateTimeLocalField("When (patient's time)", validators=[InputRequired()])
    kind = SelectField("How", choices=choices(INTERACTIONS))
    minutes = IntegerField("Minutes", validators=[Optional(), NumberRange(0, 240)])
    retract = BooleanField("Take it back: it did not happen")
    reason = StringField(
        "Why it is corrected", validators=[InputRequired("Say why."), Length(max=200)]
    )


def text_of(field: Any) -> str | None:
    """What was typed, if anything but spaces."""
    return (field.data or "").strip() or None


def back_with_errors(form: Any, to: str = "clinician.chart") -> Response:
    """To the chart, or another page, which says what was wrong."""
    for field, errors in form.errors.items():
        label = getattr(form, field).label.text if field else "Form"
        flash(f"{label}: {' '.join(str(error) for error in errors)}", "error")
    return redirect(url_for(to))
