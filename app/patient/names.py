"""What patients call sides."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

# Of a line of the program, a session or a test.
SIDES: Mapping[str, LazyString] = {
    "left": _l("left side"),
    "right": _l("right side"),
    "bilateral": _l("both sides"),
}
