"""Which facts of the ledger may count for this account, and why the others may not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache

from billing.account import Account, Block, BusyTime, OtherService
from billing.rules import ExcludedActivity, Rules, RuleSet
from rtm.ledger import (
    CountableFacts,
    Interaction,
    ProviderKind,
    TimeEntry,
)

# Their work is therapy and needs a therapy plan of care; without one, the month is blocked whole.
THERAPISTS: frozenset[ProviderKind] = frozenset({"pt", "ot", "slp", "pta", "ota"})


@dataclass(frozen=True)
class Attributed:
    """The facts that count, those that don't as blocks, and the time already taken.

    `facts.unconfirmed` would count if it were signed. `visits` are spans paid by other services;
    `taken_from` gives for the id of a time entry the spans in which its author worked for another
    patient.
    """

    facts: CountableFacts
    blocked: tuple[Block, ...]
    visits: tuple[tuple[datetime, datetime], ...]
    taken_from: dict[str, tuple[tuple[datetime, datetime], ...]]


def attribute(account: Account, rules: Rules) -> Attributed:
    """The facts inside the episode, of the right people and of work that counts."""
    local, facts = account.talk_days, account.countable
    blocked = [_unusable("ledger", p.fact_id, p.why) for p in facts.problems]
    facts, outside = _inside_the_episode(account, facts, local)
    time, not_counted = _counted_time(account, rules, facts.time)
    unconfirmed, never_counted = _counted_time(account, rules, facts.unconfirmed)
    talks, not_ours = _counted_talks(account, rules, facts.interactions, local)
    visits, unclear = _visits(account.other_services)
    busy, unclear_busy = _usable(account.busy)
    return Attributed(
        facts=replace(facts, time=time, unconfirmed=unconfirmed, interactions=talks),
        blocked=(
            *blocked,
            *outside,
            *not_counted,
            *never_counted,
            *not_ours,
            *unclear,
            *unclear_busy,
        ),
        visits=visits,
        taken_from={entry.id: _elsewhere(account, entry, busy) for entry in (*time, *unconfirmed)},
    )


def _inside_the_episode(
    account: Account, facts: CountableFacts, talk_day: Mapping[str, date]
) -> tuple[CountableFacts, list[Block]]:
    episode, zone = account.episode, account.time_zone
    first, last = episode.span(zone)
    recorded = {day.local_date for day in facts.days}
    recorded |= {entry.local_date for entry in (*facts.time, *facts.unconfirmed)}
    recorded |= {talk_day[talk.id] for talk in facts.interactions}
    outside = {day for day in recorded if not first <= day <= last}
    withdrawn = {day for day in recorded - outside if episode.is_withdrawn_on(day, zone)}
    blocked = []
    if outside:
        days = sorted(day.isoformat() for day in outside)
        why = f"recorded before consent and start ({first}) or after the end: {', '.join(days)}"
        source = "house policy: consent precedes monitoring, and an episode ends at discharge"
        blocked.append(Block("RTM", "outside_episode", why, {"days": days}, source))
    if withdrawn:
        days = sorted(day.isoformat() for day in withdrawn)
        why = f"recorded while the patient had withdrawn the consent: {', '.join(days)}"
        source = "house policy: nothing counts without the patient's consent"
        blocked.append(Block("RTM", "consent_withdrawn", why, {"days": days}, source))
    left_out = outside | withdrawn
    if left_out:
        facts = replace(
            facts,
            days=tuple(day for day in facts.days if day.local_date not in left_out),
            time=tuple(entry for entry in facts.time if entry.local_date not in left_out),
            unconfirmed=tuple(e for e in facts.unconfirmed if e.local_date not in left_out),
            interactions=tuple(t for t in facts.interactions if talk_day[t.id] not in left_out),
        )
    return facts, blocked


def _counted_time(
    account: Account, rules: Rules, entries: Iterable[TimeEntry]
) -> tuple[tuple[TimeEntry, ...], list[Block]]:
    counted, blocked = [], []
    for entry in entries:
        rule_set = rules.on(entry.local_date)
        # Without rules the whole month is blocked as such: nothing more to say of one entry.
        block = None if rule_set is None else _not_counted(account, rule_set, entry)
        if block is None:
            counted.append(entry)
        else:
            blocked.append(block)
    return tuple(counted), blocked


def _not_counted(account: Account, rule_set: RuleSet, entry: TimeEntry) -> Block | None:
    activity = excluded_activity(rule_set, entry.activity)
    why = _wrong_person(account, rule_set, entry.by, entry.npi, entry.supervised_by)
    plan = account.episode.therapy_plan
    outside_plan = plan is None and entry.by in THERAPISTS
    counts = entry.by in rule_set.providers.minutes_count[plan] or outside_plan
    if activity is None and why is None and counts:
        return None
    facts = {"entry": entry.id, "date": entry.local_date.isoformat(), "seconds": entry.seconds}
    if activity is not None:
        rule_id = f"{rule_set.id}.activities.{activity.id}"
        return Block("RTM", rule_id, f"{entry.id}: {activity.why}", facts, activity.source)
    rule, source = f"{rule_set.id}.providers", rule_set.providers.source
    why = why or f"minutes of {entry.by} do not count under a {plan} plan"
    return Block("RTM", rule, f"{entry.id}: {why}", facts, source)


def _wrong_person(
    account: Account,
    rule_set: RuleSet,
    by: ProviderKind | None,
    npi: str | None,
    supervised_by: str | None = None,
) -> str | None:
    """Why this work is not the practitioner's of record, or None.

    Assistants and staff work under somebody: where nobody else is named, the practitioner of
    record (house policy, as the entry was made in that practitioner's episode).
    """
    ours = account.episode.practitioner_npi
    if ours is None:
        return None
    if by in rule_set.providers.incident_to:
        if supervised_by is None or supervised_by == ours:
            return None
        return f"done under NPI {supervised_by}, not the practitioner of record"
    if npi is None or npi == ours:
        return None
    return f"by NPI {npi}, who is not the practitioner of record and works under nobody here"


def _counted_talks(
    account: Account, rules: Rules, talks: Iterable[Interaction], talk_day: Mapping[str, date]
) -> tuple[tuple[Interaction, ...], list[Block]]:
    counted, blocked = [], []
    for talk in talks:
        rule_set = rules.on(talk_day[talk.id])
        why = None if rule_set is None else _wrong_person(account, rule_set, talk.by, talk.npi)
        if rule_set is None or why is None:
            counted.append(talk)
            continue
        facts = {"interaction": talk.id, "date": talk_day[talk.id].isoformat()}
        rule, source = f"{rule_set.id}.providers", rule_set.providers.source
        blocked.append(Block("RTM", rule, f"{talk.id}: {why}", facts, source))
    return tuple(counted), blocked


def excluded_activity(rule_set: RuleSet, activity: str) -> ExcludedActivity | None:
    """The excluded kind of work that `activity` begins with, word by word, or None."""
    words = _words(activity)
    for excluded in rule_set.excluded_activities:
        if words.startswith(excluded.openings):
            return excluded
    return None


@lru_cache(maxsize=1024)
def _words(activity: str) -> str:
    """The words in lower case, each followed by one space."""
    return f"{' '.join(re.findall('[a-z]+', activity.lower()))} "


def _visits(
    services: Iterable[OtherService],
) -> tuple[tuple[tuple[datetime, datetime], ...], list[Block]]:
    visits, blocked = [], []
    for service in services:
        # Two clock times of one zone compare as wall clocks, so instants are compared in UTC.
        if service.start is None and service.end is None:
            continue
        what = f"{service.code} of {service.date}"
        if service.start is None or service.end is None:
            blocked.append(_unusable("other_services", what, "has only one clock time"))
        elif service.start.tzinfo is None or service.end.tzinfo is None:
            blocked.append(_unusable("other_services", what, "an instant without a time zone"))
        elif service.end.astimezone(UTC) <= service.start.astimezone(UTC):
            blocked.append(_unusable("other_services", what, "ends before it starts"))
        else:
            visits.append((service.start, service.end))
    return tuple(visits), blocked


def _unusable(rule: str, fact: str, why: str) -> Block:
    source = "house policy: what can't be counted is named, not guessed, and stops nothing else"
    return Block("RTM", rule, f"{fact}: {why}", {"fact": fact}, source)


def _usable(busy: Iterable[BusyTime]) -> tuple[list[BusyTime], list[Block]]:
    good, blocked = [], []
    for item in busy:
        if item.start.tzinfo is None or item.end.tzinfo is None:
            blocked.append(_unusable("busy", item.id, "an instant without a time zone"))
        elif item.end.astimezone(UTC) <= item.start.astimezone(UTC):
            blocked.append(_unusable("busy", item.id, "ends before it starts"))
        else:
            good.append(item)
    return good, blocked


def _elsewhere(
    account: Account, entry: TimeEntry, busy: Iterable[BusyTime]
) -> tuple[tuple[datetime, datetime], ...]:
    """When the author of `entry` had begun work for another patient first.

    Of two patients' entries over one minute the one begun earlier has it, by id at a tie (house
    policy): both patients' tallies come to the same answer, and the minute counts once.
    """
    author = entry.npi
    if author is None and entry.by not in ("pta", "ota", "clinical_staff"):
        author = account.episode.practitioner_npi
    if author is None or entry.start is None:
        return ()
    return tuple(
        (item.start, item.end)
        for item in busy
        if item.npi == author
        and (item.start.astimezone(UTC), item.id) < (entry.start.astimezone(UTC), entry.id)
    )
