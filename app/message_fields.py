"""Checking what is written into a message's form, in the words of the page it is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from wtforms.validators import ValidationError

from rtm.messages import MessageRefused, Problem


def check_with(
    check: Callable[[str], str], words: Mapping[Problem, Any]
) -> Callable[[Any, Any], None]:
    """A validator by one of `rtm.messages`' checks; `words` say what is wrong."""

    def validate(_form: Any, field: Any) -> None:
        try:
            check(field.data or "")
        except MessageRefused as error:
            raise ValidationError(words[error.problem]) from None

    return validate


def made_with_the_page(_form: Any, field: Any) -> None:
    """That the id is a UUID, written as ours are."""
    try:
        sound = str(UUID(field.data or "")) == field.data
    except ValueError:
        sound = False
    if not sound:
        raise ValidationError("The message has no id. Reload the page.")
