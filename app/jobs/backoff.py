"""When to try again what another system did not take."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

_FIRST_DELAY_S, _MOST_DELAY_S = 5.0, 3600.0


def next_attempt(now: datetime, attempts: int) -> datetime:
    """Exponential with jitter, so that what was held back together does not return together."""
    ceiling = min(_MOST_DELAY_S, _FIRST_DELAY_S * 2 ** (attempts - 1))
    return now + timedelta(seconds=random.uniform(ceiling / 2, ceiling))
