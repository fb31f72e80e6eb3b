"""Words of the patient's pages that several of them use."""

from __future__ import annotations

from flask_babel import gettext as _

from rtm.exercises import Side


def side_name(side: Side) -> str:
    match side:
        case "left":
            return _("left side")
        case "right":
            return _("right side")
        case "bilateral":
            return _("both sides")
