"""A dose in the words of the patient's pages."""

from __future__ import annotations

from flask_babel import format_decimal, get_locale, ngettext
from flask_babel import gettext as _

from app.patient.names import SIDES
from rtm.program import EVERY_DAY, WEEKDAYS, PrescribedExercise


def dose_in_plain_words(line: PrescribedExercise) -> str:
    dose = line.dose
    if dose.repetitions == 1 and dose.hold_s >= 60:
        minutes = dose.hold_s / 60
        parts = [
            ngettext(
                "%(minutes)s minute",
                "%(minutes)s minutes",
                1 if minutes == 1 else 2,
                minutes=format_decimal(minutes),
            )
        ]
    else:
        parts = [ngettext("%(num)s time", "%(num)s times", dose.repetitions)]
        if dose.sets > 1:
            parts.append(ngettext("%(num)s round", "%(num)s rounds", dose.sets))
        if dose.hold_s:
            parts.append(
                ngettext(
                    "hold for %(seconds)s second",
                    "hold for %(seconds)s seconds",
                    1 if dose.hold_s == 1 else 2,
                    seconds=format_decimal(dose.hold_s),
                )
            )
    if dose.times_per_day > 1:
        parts.append(ngettext("%(num)s time a day", "%(num)s times a day", dose.times_per_day))
    if line.limit_deg is not None:
        parts.append(_("no further than %(deg)s°", deg=format_decimal(line.limit_deg)))
    return ", ".join([*parts, str(SIDES[line.side])])


def days_in_plain_words(line: PrescribedExercise) -> str:
    """On which days of the week."""
    if line.dose.weekdays == EVERY_DAY:
        return _("every day")
    locale = get_locale()
    assert locale is not None, "words are made in somebody's language"
    names = locale.days["format"]["wide"]
    return ", ".join(names[n] for n, day in enumerate(WEEKDAYS) if day in line.dose.weekdays)
