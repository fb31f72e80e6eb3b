"""What a channel must do, and which channels this deployment has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rtm.reminders import Channel


class NotSent(Exception):
    """The notice was not taken. The message names no address.

    `final`: trying again would not help, or might send it twice. `gone`: the address is no more.
    """

    def __init__(self, message: str, *, final: bool = False, gone: bool = False) -> None:
        super().__init__(message)
        self.final = final or gone
        self.gone = gone


@dataclass(frozen=True)
class Address:
    """Where to: an e-mail address, a number in E.164, or a push endpoint with its keys."""

    value: str
    keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """What is sent. `id` is the same at each attempt; `topic` that of a notice which replaces it.

    `stop` is where e-mails are stopped, `endings` what follows the text on channels of text.
    """

    id: str
    topic: str
    text: str
    link: str = ""
    stop: str = ""
    endings: tuple[str, ...] = ()


class Gateway(Protocol):
    """`resends` says whether a notice of which it is not known if it was sent is sent again."""

    resends: bool

    def send(self, address: Address, notice: Notice) -> None:
        """Raises NotSent."""


Gateways = Mapping[Channel, Gateway]
