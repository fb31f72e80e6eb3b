"""One access token for many threads: renewed once, by whoever first finds it refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock


@dataclass(frozen=True)
class AccessToken:
    """A token and when it ends, as the authorization server said."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass
class SharedToken:
    """The token of one client at one server; call it for the token to use.

    `fetch` gets a new one and may raise what it likes. `now` is the clock. A token is not given
    out in its last `margin`: it would end in flight.
    """

    fetch: Callable[[], AccessToken]
    now: Callable[[], datetime]
    margin: timedelta = timedelta(seconds=30)
    _kept: AccessToken | None = None
    _renewing: Lock = field(default_factory=Lock)

    def __call__(self, refused: str | None = None) -> str:
        """The token to use; `refused` is one that a server did not take (401).

        Threads that were refused the same token wait for one renewal and share what it brings.
        """
        with self._renewing:
            kept = self._kept
            if kept is None or kept.value == refused or kept.expires_at - self.margin <= self.now():
                kept = self._kept = self.fetch()
            return kept.value
