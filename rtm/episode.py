"""An RTM episode of care: from consent and set-up to the goals reached or discharge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

DeviceSystem = Literal["musculoskeletal", "respiratory", "cbt"]
TherapyPlan = Literal["GP", "GO", "GN"]


@dataclass(frozen=True)
class Device:
    """What monitors. RTM asks for a medical device by FD&C Act 201(h); software counts.

    `regulatory_basis` is the deployment's own record (UDI, 510(k) or exemption): a claim is not
    exported without it.
    """

    name: str
    system: DeviceSystem
    udi: str | None = None
    version: str | None = None
    self_report: bool = False
    regulatory_basis: str | None = None


@dataclass(frozen=True)
class Consent:
    """Who asked, how, and which text the patient agreed to."""

    at: datetime
    obtained_by: str | None = None
    method: Literal["verbal", "written", "electronic"] = "verbal"
    text_version: str | None = None


@dataclass(frozen=True)
class ConsentGap:
    """The patient said no to monitoring at `since`, and yes again at `until`, None if not yet."""

    since: datetime
    until: datetime | None = None

    def contains(self, instant: datetime) -> bool:
        return self.since <= instant and (self.until is None or instant < self.until)

    def holds(self, day: date, zone: ZoneInfo) -> bool:
        """Whether `day` lies wholly in the gap: what came before the "no" of that day counts."""
        if day <= local_date(self.since, zone):
            return False
        return self.until is None or day < local_date(self.until, zone)


@dataclass(frozen=True)
class Episode:
    """One episode; a new device or a pause inside it starts no new one.

    `start` is the day monitoring began; `end` its last day. `practitioner_npi` is the
    practitioner of record, who alone bills RTM for this patient. `plan_of_care` names the
    certified plan (its id or date): a new episode has a new one. `agreements` and `consent_gaps`
    are what the patient declared about being monitored (`rtm.consent.with_declarations`).
    """

    id: str
    start: date
    end: date | None
    setup_completed: datetime | None
    consent: Consent | None
    device: Device
    therapy_plan: TherapyPlan | None
    practitioner_npi: str | None = None
    no_other_monitoring_attested_at: datetime | None = None
    plan_of_care: str | None = None
    agreements: tuple[Consent, ...] = ()
    consent_gaps: tuple[ConsentGap, ...] = ()

    def set_up_on(self, zone: ZoneInfo) -> date | None:
        """The day on which set-up and teaching were completed, in the patient's `zone`."""
        return None if self.setup_completed is None else local_date(self.setup_completed, zone)

    def monitoring_from(self, zone: ZoneInfo) -> date:
        """The first day of the first 30-day period: nothing is monitored before it is set up.

        Where no set-up is recorded, `start` is taken.
        """
        return max(self.start, self.set_up_on(zone) or self.start)

    def counts_from(self, zone: ZoneInfo) -> date:
        """The first day whose facts count: not before the start, and not before consent."""
        if self.consent is None:
            return self.start
        return max(self.start, local_date(self.consent.at, zone))

    def span(self, zone: ZoneInfo) -> tuple[date, date]:
        """First and last day whose facts count; `date.max` while the episode goes on."""
        return self.counts_from(zone), self.end or date.max

    def covers(self, day: date, zone: ZoneInfo) -> bool:
        """Whether facts of `day` count for this episode."""
        first, last = self.span(zone)
        return first <= day <= last and not self.is_withdrawn_on(day, zone)

    def is_withdrawn_on(self, day: date, zone: ZoneInfo) -> bool:
        """Whether the patient did not want to be monitored on the whole of `day`."""
        return any(gap.holds(day, zone) for gap in self.consent_gaps)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date of an aware `instant` in `zone`. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(zone).date()
