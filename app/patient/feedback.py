"""What a patient says after an exercise, as a form or a page's JSON sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtm.feedback import Feedback


def feedback_of(values: Mapping[str, Any]) -> Feedback:
    """What was left out, skipped or left empty is None.

    Raises:
        TypeError: a value of another kind. ValueError: as `Feedback`.
    """
    effort, note = values.get("effort"), values.get("note")
    if note is not None and not isinstance(note, str):
        raise TypeError("the note is no text")
    if isinstance(effort, bool | float):
        raise TypeError("effort is no whole number")
    return Feedback(
        effort=None if effort in (None, "") else int(effort),
        difficulty=_text(values.get("difficulty")),  # type: ignore[arg-type]  # checked by Feedback
        note=_plain(note or "") or None,
        stopped_reason=_text(values.get("stopped_reason")),
    )


def _plain(note: str) -> str:
    """Without what no keyboard writes, as control characters, which not every database keeps."""
    lines = note.replace("\r\n", "\n")
    return "".join(c for c in lines if c == "\n" or c.isprintable()).strip()


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value or None
