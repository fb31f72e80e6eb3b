"""The texts that the portal's scripts say: `app/web/src/words.ts` reads them from the page."""

from __future__ import annotations

from flask_babel import get_translations
from flask_babel import gettext as _

# One text, or its forms by the plural categories of CLDR.
Words = str | dict[str, str]


def page_words() -> dict[str, Words]:
    """By key, in the language of the page, with their placeholders still open."""
    return {
        "live.away": _(
            "The coach waited while you could not see this page. Go on when you are ready."
        ),
        "live.back": _("We see you again. Go on."),
        "live.begin": _("Begin."),
        "live.camera_back": _("The camera is on again. Go on."),
        "live.camera_denied": _(
            "The camera is blocked for this page. Allow it in your browser, then try again."
        ),
        "live.camera_in_use": _(
            "Another app may be using the camera. Close that app, then try again."
        ),
        "live.camera_lost": _("The camera stopped. Turn it on again."),
        "live.camera_none": _("We found no camera on this device."),
        "live.camera_stopped": _(
            "The camera stopped. Your count is kept. Turn the camera on to go on, or stop here."
        ),
        "live.camera_unsupported": _("This browser cannot use a camera."),
        "live.cannot_work": _("The camera coach can't work on this device."),
        "live.choose_pain_after": _("Please choose your pain now, from 0 to 10."),
        "live.choose_pain_before": _("Please choose your pain, from 0 to 10, before you start."),
        "live.done": _("Well done. You did all of it."),
        "live.elsewhere": _(
            "The camera coach is open in another tab or window. Go on there, or use it here."
        ),
        "live.gone": _("We cannot see you. Your count is kept. Step back in front of the camera."),
        "live.good": _("Good. Stay there."),
        "live.hold": ungettext(
            "Hold: %(held)s of %(num)s second", "Hold: %(held)s of %(num)s seconds"
        ),
        "live.how_much_pain": _("How much pain do you have now?"),
        "live.loading": _("Getting the coach ready: %(share)s"),
        "live.no_connection": _(
            "No connection. Your session is kept on this device. You can go on."
        ),
        "live.nothing_recorded": _("Nothing was recorded. Please try again."),
        "live.of": _("of %(count)s"),
        "live.offline": _(
            "The internet does not work. Your session is kept on this device. Press Send again."
        ),
        "live.online": _("The connection is back."),
        "live.part_missing": _("Some of the session is missing on this device."),
        "live.rest": ungettext(
            "Rest: %(num)s second. Then set %(set)s of %(sets)s.",
            "Rest: %(num)s seconds. Then set %(set)s of %(sets)s.",
        ),
        "live.say_next_set": _("Begin the next set."),
        "live.say_rest": _("Rest."),
        "live.set": _("Set %(set)s of %(sets)s"),
        "live.signed_out": _(
            "You were signed out. Your session is kept on this device. "
            "Sign in again, and open Today to send it."
        ),
        "live.sound_off": _("Sound is off"),
        "live.sound_on": _("Sound is on"),
        "live.stopped": _("You stopped. That is fine."),
        "live.taken_over": _(
            "You went on in another tab or window. You can still send what you did here."
        ),
        "live.trying": _("No connection. We keep trying. Your session is kept on this device."),
        "live.without_camera": _("Or do the exercise without the camera."),
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
