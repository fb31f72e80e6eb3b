"""`homestretch tenant population`: what was read, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from app.context import Context
from app.population import PopulationRefused, Summary, last_complete
from app.store import Tenant

_OUTCOMES = {
    "created": "new candidates",
    "changed": "brought up to date",
    "unchanged": "as they were",
    "superseded": "known newer here",
}


def parse_since(
    context: Context, tenant: Tenant, group_id: str | None, text: str | None
) -> datetime | None:
    """The start of a day of the practice, or how current the last reading was (`last`).

    Raises:
        PopulationRefused: it is neither.
    """
    if text is None:
        return None
    if text == "last":
        found = last_complete(context, tenant.id, group_id)
        if found is None:
            raise PopulationRefused("--since last: this population was never read to its end")
        return found
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PopulationRefused("--since takes YYYY-MM-DD or `last`") from None
    return datetime.combine(day, time(), ZoneInfo(tenant.time_zone))


def summary_lines(summary: Summary, *, dry_run: bool, with_list: bool) -> Iterator[str]:
    """Counts first, then what was refused, by reason, and what a person should look at."""
    counted = (
        f"{summary.outcomes[outcome]} {words}"
        for outcome, words in _OUTCOMES.items()
        if summary.outcomes[outcome]
    )
    what = "; ".join([*counted, f"{summary.refused.total()} refused"])
    yield f"{summary.read} records read{', nothing kept (dry run)' if dry_run else ''}: {what}"
    for why, count in summary.refused.most_common():
        yield f"  refused {count}: {why}"
    if with_list:
        for reference, why in summary.listed:
            yield f"  {reference}: {why}"
    for problem in summary.problems:
        yield f"  look at: {problem}"


def summary_json(summary: Summary, *, with_list: bool) -> dict[str, Any]:
    return {
        "read": summary.read,
        **{outcome: summary.outcomes[outcome] for outcome in _OUTCOMES},
        "refused": dict(summary.refused),
        **({"listed": summary.listed} if with_list else {}),
        "problems": summary.problems,
        "incomplete": summary.incomplete,
    }
