"""What the questionnaire's page shows, and what it sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from werkzeug.datastructures import MultiDict

from app.context import Context
from app.languages import Language
from app.outcomes import Answers, Asked, NotAsked, asked_of, draft_of, names_last_time
from app.sign_in import SignIn
from app.store import PatientRow
from rtm.instruments import Measure


@dataclass(frozen=True)
class Question:
    """One item with the values to choose from and their words, in the patient's language."""

    id: str
    text: str
    named: bool
    name: str
    values: tuple[tuple[int, str], ...]
    chosen: int | None


@dataclass(frozen=True)
class QuestionnairePage:
    """A measure to answer; `ends` are the words of the first and the last value."""

    id: str
    response_id: str
    title: str
    intro: str
    questions: tuple[Question, ...]
    ends: tuple[str, str] | None
    is_due: bool


def read_due(context: Context, sign_in: SignIn) -> tuple[Asked, ...]:
    """What the patient is asked for now."""
    return tuple(asked for asked in _asked(context, sign_in) if asked.since is not None)


def read_questionnaire(
    context: Context, sign_in: SignIn, instrument_id: str, language: Language
) -> QuestionnairePage:
    """With the draft's answers, if there is one. Raises NotAsked."""
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    asked = next((a for a in _asked(context, sign_in) if a.measure.id == instrument_id), None)
    if asked is None:
        raise NotAsked(instrument_id)
    with context.database.begin(sign_in.tenant_id) as db:
        draft = draft_of(db, sign_in.patient_id, instrument_id)
        names = names_last_time(db, sign_in.patient_id, instrument_id)
    answers = (
        Answers(draft.response_id, draft.answers, draft.names)
        if draft
        else Answers(str(uuid4()), {}, names)
    )
    return filled(asked, answers, language)


def filled(asked: Asked, answers: Answers, language: Language) -> QuestionnairePage:
    """The page with `answers` in it."""
    measure = asked.measure
    return QuestionnairePage(
        id=measure.id,
        response_id=answers.response_id,
        title=_in(measure.instrument.title, language),
        intro=_in(measure.intro, language) if measure.intro else "",
        questions=tuple(
            Question(
                id=item.id,
                text=_in(item.text, language),
                named=item.named,
                name=answers.names.get(item.id, ""),
                values=tuple(
                    (value, _value_words(measure, value, language))
                    for value in range(item.least, item.most + 1)
                ),
                chosen=answers.values.get(item.id),
            )
            for item in measure.instrument.items
        ),
        ends=(_in(measure.ends[0], language), _in(measure.ends[1], language))
        if measure.ends
        else None,
        is_due=asked.since is not None,
    )


def answers_in(form: MultiDict[str, str], measure: Measure) -> Answers:
    """What the page sent.

    Raises:
        ValueError: a value that is no whole number.
    """
    items = measure.instrument.items
    return Answers(
        response_id=form.get("response_id", ""),
        values={item.id: int(form[item.id]) for item in items if form.get(item.id)},
        names={
            item.id: form[f"{item.id}.name"].strip()
            for item in items
            if item.named and form.get(f"{item.id}.name", "").strip()
        },
    )


def _asked(context: Context, sign_in: SignIn) -> tuple[Asked, ...]:
    with context.database.begin(sign_in.tenant_id) as db:
        return asked_of(context, db, db.get_one(PatientRow, sign_in.patient_id))


def _value_words(measure: Measure, value: int, language: Language) -> str:
    return _in(measure.choices[value], language) if measure.choices else str(value)


def _in(text: Mapping[str, str], language: Language) -> str:
    """Licensed texts may be there in English only."""
    return text.get(language, text["en"])
