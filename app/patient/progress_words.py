"""The patient's progress in sentences: honest, kind, and no surer than the facts."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from app.languages import Language
from rtm.progress import PainChange, RangeChange, WeekDone


def week_sentence(week: WeekDone) -> str:
    if week.due == 0:
        return _("No exercise was planned in the last 7 days.")
    if week.done == 0:
        return _("No exercise in the last 7 days. Today is a good day to start again.")
    if week.done == week.due:
        return ngettext(
            "In the last 7 days you did your %(num)s exercise day. Well done!",
            "In the last 7 days you did all %(num)s of your exercise days. Well done!",
            week.due,
        )
    return _(
        "In the last 7 days you did %(done)s of your %(due)s exercise days.",
        done=week.done,
        due=week.due,
    )


def streak_sentence(days: int) -> str | None:
    """None below two days: one day is no row."""
    if days < 2:
        return None
    return ngettext(
        "You have done %(num)s exercise day in a row.",
        "You have done %(num)s exercise days in a row.",
        days,
    )


def range_sentence(change: RangeChange, language: Language) -> str:
    """No change is called one that measuring alone can explain."""
    if change.movement is None:
        return _(
            "First day: %(first)s degrees. Last time: %(latest)s degrees.",
            first=round(change.first.reach_deg),
            latest=round(change.latest.reach_deg),
        )
    moves = change.movement.moves[language]
    match change.direction:
        case "better":
            return ngettext(
                "%(moves)s %(num)s degree further than when you began.",
                "%(moves)s %(num)s degrees further than when you began.",
                change.shown_deg,
                moves=moves,
            )
        case "worse":
            return ngettext(
                "%(moves)s %(num)s degree less than when you began. Please tell your care team.",
                "%(moves)s %(num)s degrees less than when you began. Please tell your care team.",
                change.shown_deg,
                moves=moves,
            )
        case _unsure:
            mdc = format(change.movement.mdc.value_deg, "g")
            return _(
                "%(moves)s about as far as when you began. We can be sure only of a change of "
                "%(mdc)s degrees or more.",
                moves=moves,
                mdc=mdc,
            )


def pain_sentence(change: PainChange) -> str:
    first, latest = round(change.first), round(change.latest)
    match change.direction:
        case "better":
            return _(
                "You have less pain: about %(latest)s of 10 now, %(first)s when you began.",
                latest=latest,
                first=first,
            )
        case "worse":
            return _(
                "You have more pain: about %(latest)s of 10 now, %(first)s when you began. "
                "Please tell your care team.",
                latest=latest,
                first=first,
            )
        case _unsure:
            return _("Your pain is about the same as when you began.")
