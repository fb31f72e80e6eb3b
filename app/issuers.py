"""What the health systems' authorization servers say of themselves, kept for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smart_launch.access_token import IssuerUnavailable
from smart_launch.discovery import SmartConfiguration, discover
from smart_launch.errors import DiscoveryFailed
from smart_launch.key_sets import KeySets

_KEPT_FOR = timedelta(minutes=5)


@dataclass
class Issuers:
    """Discovery by `iss`, and the issuers' keys. One instance serves every thread of a process."""

    key_sets: KeySets = field(default_factory=KeySets)
    _known: dict[str, tuple[SmartConfiguration, datetime]] = field(default_factory=dict)

    def configuration(self, iss: str, now: datetime) -> SmartConfiguration:
        """Raises IssuerUnavailable."""
        known = self._known.get(iss)
        if known is not None and known[1] > now - _KEPT_FOR:
            return known[0]
        try:
            found = discover(iss)
        except DiscoveryFailed as error:
            raise IssuerUnavailable(
                f"The health system's authorization server can't be asked: {error}"
            ) from None
        self._known[iss] = (found, now)
        return found
