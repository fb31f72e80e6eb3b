"""The texts that the portal's scripts say: `app/web/src/words.ts` reads them from the page."""

from __future__ import annotations

from flask_babel import get_translations
from flask_babel import gettext as _

# One text, or its forms by the plural categories of CLDR.
Words = str | dict[str, str]


def page_words() -> dict[str, Words]:
    """By key, in the language of the page, with their placeholders still open."""
    return {
        "live.begin": _("Begin."),
        "live.cannot_work": _("The camera coach can't work on this device."),
        "live.choose_pain_after": _("Please choose your pain now, from 0 to 10."),
        "live.choose_pain_before": _("Please choose your pain, from 0 to 10, before you start."),
        "live.done": _("Well done. You did all of it."),
        "live.good": _("Good. Stay there."),
        "live.hold": ungettext(
            "Hold: %(held)s of %(num)s second", "Hold: %(held)s of %(num)s seconds"
        ),
        "live.how_much_pain": _("How much pain do you have now?"),
        "live.loading": _("Getting the coach ready: %(share)s"),
        "live.no_camera": _(
            "We may not use the camera. Allow it in your browser, or use the page without it."
        ),
        "live.no_connection": _("No connection. Your session is kept here."),
        "live.nothing_recorded": _("Nothing was recorded. Please try again."),
        "live.of": _("of %(count)s"),
        "live.offline": _(
            "The internet does not work. Your session is kept here. Press Send again."
        ),
        "live.part_missing": _("Some of the session is missing on this device."),
        "live.rest": ungettext(
            "Rest: %(num)s second. Then set %(set)s of %(sets)s.",
            "Rest: %(num)s seconds. Then set %(set)s of %(sets)s.",
        ),
        "live.say_next_set": _("Begin the next set."),
        "live.say_rest": _("Rest."),
        "live.set": _("Set %(set)s of %(sets)s"),
        "live.sound_off": _("Sound is off"),
        "live.sound_on": _("Sound is on"),
        "live.stopped": _("You stopped. That is fine."),
        "plot.degrees": _("degrees"),
        "plot.seconds": _("seconds"),
        "unsent.sending": _("%(exercise)s: a session of yours is being sent…"),
        "unsent.sent": _("%(exercise)s: your session was sent."),
        "unsent.waiting": _("%(exercise)s: a session waits here until there is a connection."),
        "upload.failed": _("This could not be sent. Please try again."),
        "upload.offline": _(
            "The internet does not work. Your session is still here. Please press Send again."
        ),
        "upload.sending": _("Sending…"),
        "upload.too_large": _(
            "This file has %(size)s MB. The most that can be sent is %(most)s MB."
        ),
    }


def ungettext(one: str, other: str) -> Words:
    """Both forms of a text with `%(num)s`. Babel's extraction knows it by its name."""
    translations = get_translations()
    return {
        "one": str(translations.ungettext(one, other, 1)),
        "other": str(translations.ungettext(one, other, 2)),
    }
