"""When to try again what another system did not take."""

from __future__ import annotations

import random
from datetime import datetime, timedelta


def next_attempt(
    now: datetime, attempts: int, *, first_s: float = 5.0, most_s: float = 3600.0
) -> datetime:
    """After the first failure in `first_s`, then each time twice as long, up to `most_s`.

    With jitter, so that what was held back together does not return together.
    """
    ceiling = min(most_s, first_s * 2 ** (attempts - 1))
    return now + timedelta(seconds=random.uniform(ceiling / 2, ceiling))
