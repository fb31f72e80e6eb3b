"""What the timer on the patient's device is told: the dose, the pace, and its words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from app.patient.pages import TodayLine

# From here on a single hold is told by its minutes, as `_dose_in_plain_words` of the pages does.
_TIMED_S = 60


def guided_page(line: TodayLine, session_id: str, address: str) -> dict[str, Any]:
    """As `app/web/src/guided/page.ts` reads it. A repetition takes as long as it is shown."""
    dose = line.dose
    return {
        "sessionId": session_id,
        "address": address,
        "exerciseId": line.name_in_url,
        "dose": {
            "sets": dose.sets,
            "repetitions": dose.repetitions,
            "holdS": dose.hold_s,
            "restS": dose.rest_s,
        },
        "paceS": line.exercise.demonstration.duration_s,
        "timed": is_timed(line),
        "words": _words(is_timed(line)),
    }


def is_timed(line: TodayLine) -> bool:
    """Whether the exercise is done for minutes, and not for repetitions."""
    return line.dose.repetitions == 1 and line.dose.hold_s >= _TIMED_S


def _words(timed: bool) -> dict[str, str]:
    return {
        "ready": _("Get ready"),
        "move": _("Move"),
        "hold": _("Keep going") if timed else _("Hold"),
        "relax": _("Let go"),
        "rest": _("Rest"),
        "set": _("Round {n} of {all}"),
        "count": _("{n} of {all}"),
        "pause": _("Pause the timer"),
        "unpause": _("Go on"),
        "sound_on": _("Sound is on"),
        "sound_off": _("Sound is off"),
        "finished": _("Well done. You did all of it."),
        "stopped": _("You stopped. That is fine."),
        "pain_now": _("How much pain do you have now?"),
        "choose_before": _("Please choose your pain, from 0 to 10, before you start."),
        "choose_after": _("Please choose your pain now, from 0 to 10."),
        "mend_numbers": _("Please check how many you did, and for how many minutes."),
        "none_done": _("Please tell us why you stopped, or how many you did."),
        "sending": _("Sending…"),
        "offline": _("There is no internet now. Your session is kept here. Press Send again."),
    }
