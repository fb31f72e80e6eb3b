"""Tally cases as JSON: the stable form that scripts rely on.

Beyond the fields of the blueprint a case may give (each may be left out):

- `days`: instead of a date, `{"date" or "at", "kind"}`; `at` is an instant, dated in `time_zone`;
  `kind` is session, self_report, prom, message or log_in.
- `time[].npi`, `time[].start` and `end`, `time[].supervised_by`; `interactions[].npi` and `by`.
- `time[].source`: manual, which is signed by logging it, or timer, which counts once confirmed;
  `time[].author`: the name of the person whose time it is.
- `confirmations`: `[{"entries", "author", "npi", "at", "activity"}]`; `entries` are ids: `time[0]`
  is the first of `time`, and `corrections[0]` what the first correction put in its place.
- `corrections` of time: `[{"corrects", "author", "npi", "at", "reason", "replacement"}]`, where
  `replacement` has the form of an item of `time`, or is null to retract.
- `episode.practitioner_npi`, `practitioner_kind`, `plan_of_care`; `episode.device.version`,
  `regulatory_basis`.
- `billed[].status`: sent, paid, denied, rejected or voided; the last two may be billed again.
- `other_services[].start` and `end`; `distinct_because` (the recorded justification) and
  `distinct_modifier` (59, XE, XP, XS or XU), for an NCCI edit that allows one.
- `earlier_episodes`: `[{"start", "end", "plan_of_care"}]` of the same patient.
- `busy`: `[{"id", "npi", "start", "end"}]`, a practitioner's time entries for other patients.
- `surgeries`: `[{"npi", "first", "last", "diagnoses"}]`, paid by a global fee; `diagnoses`: those
  that monitoring treats.
- `entity`: private_practice, physician_office, hospital_outpatient, rehab_agency, corf, fqhc or
  rhc (an older name of the field is `facility`, where `office` is a private practice).
- `ordered_on`: a date; `therapy_allowed_to_date`: the therapy discipline's allowed amount in the
  year of `as_of`.

`payer` is the id of a profile of `billing/payers`; any other text is a payer without one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from billing.account import (
    Account,
    Billed,
    BilledStatus,
    BusyTime,
    DistinctModifier,
    EarlierEpisode,
    Entity,
    GlobalSurgery,
    OtherService,
    Tally,
)
from rtm.episode import Consent, Device, DeviceSystem, Episode, TherapyPlan, local_date
from rtm.ledger import (
    Confirmation,
    Correction,
    DataKind,
    Interaction,
    InteractionKind,
    Ledger,
    MonitoredDay,
    ProviderKind,
    TimeEntry,
)

_FIRST_YEAR, _LAST_YEAR = 1990, 2199


class InvalidCase(ValueError):
    """The case is not of the documented form; the message names the field."""


def _not_a_number(value: object) -> object:
    """A bare number would be read as seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("needs text such as 2026-03-31, not a number")
    return value


def _in_living_memory(value: date) -> date:
    """Periods are counted from the start, and instants moved between time zones."""
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year {value.year} is not from {_FIRST_YEAR} to {_LAST_YEAR}")
    return value


Day = Annotated[date, BeforeValidator(_not_a_number), AfterValidator(_in_living_memory)]
Instant = Annotated[datetime, BeforeValidator(_not_a_number), AfterValidator(_in_living_memory)]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{5}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Device(_Model):
    udi: str | None = None
    name: str | None = None
    version: str | None = None
    system: DeviceSystem = "musculoskeletal"
    self_report: bool = False
    regulatory_basis: str | None = None


class _Episode(_Model):
    start: Day
    end: Day | None = None
    setup_completed: Instant | None = None
    consent: Instant | None = None
    device: _Device = _Device(name="unnamed")
    practitioner_npi: str | None = None
    practitioner_kind: ProviderKind | None = None
    plan_of_care: str | None = None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> _Episode:
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        return self


class _MonitoredDay(_Model):
    date: Day | None = None
    at: Instant | None = None
    kind: DataKind | None = None

    @model_validator(mode="after")
    def _has_one_date(self) -> _MonitoredDay:
        if (self.date is None) == (self.at is None):
            raise ValueError("needs either date or at")
        return self


class _Time(_Model):
    date: Day
    minutes: float | None = Field(default=None, allow_inf_nan=False, ge=-100_000, le=100_000)
    by: ProviderKind
    activity: str = ""
    start: Instant | None = None
    end: Instant | None = None
    npi: str | None = None
    supervised_by: str | None = None
    source: Literal["manual", "timer"] = "manual"
    author: str | None = None

    @model_validator(mode="after")
    def _has_a_length(self) -> _Time:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end come together")
        if self.minutes is None and self.start is None:
            raise ValueError("needs minutes, or start and end")
        return self


class _Confirmation(_Model):
    entries: tuple[str, ...]
    author: str
    npi: str | None = None
    by: ProviderKind = "pt"
    at: Instant
    activity: str | None = None


class _Correction(_Model):
    corrects: str
    author: str
    npi: str | None = None
    at: Instant
    reason: str
    replacement: _Time | None = None


class _Interaction(_Model):
    at: Instant
    kind: InteractionKind
    minutes: float = Field(default=0, allow_inf_nan=False, ge=-10_000, le=10_000)
    npi: str | None = None
    by: ProviderKind | None = None


class _OtherService(_Model):
    date: Day
    code: Code
    npi: str | None = None
    start: Instant | None = None
    end: Instant | None = None
    distinct_because: str | None = None
    distinct_modifier: DistinctModifier = "59"


class _Billed(_Model):
    date: Day
    code: Code
    units: int = Field(default=1, ge=1)
    status: BilledStatus = "sent"


class _EarlierEpisode(_Model):
    start: Day
    end: Day | None = None
    plan_of_care: str | None = None


class _Busy(_Model):
    id: str
    npi: str
    start: Instant
    end: Instant


class _Surgery(_Model):
    npi: str
    first: Day
    last: Day
    diagnoses: tuple[str, ...] = ()


class _Case(_Model):
    time_zone: str
    as_of: Day
    payer: str = "medicare"
    therapy_plan: TherapyPlan | None = None
    therapy_allowed_to_date: Decimal | None = None
    episode: _Episode
    days: tuple[Day | _MonitoredDay, ...] = ()
    time: tuple[_Time, ...] = ()
    confirmations: tuple[_Confirmation, ...] = ()
    corrections: tuple[_Correction, ...] = ()
    interactions: tuple[_Interaction, ...] = ()
    other_services: tuple[_OtherService, ...] = ()
    billed: tuple[_Billed, ...] = ()
    earlier_episodes: tuple[_EarlierEpisode, ...] = ()
    busy: tuple[_Busy, ...] = ()
    surgeries: tuple[_Surgery, ...] = ()
    diagnoses: tuple[str, ...] = ()
    entity: Entity = Field("private_practice", validation_alias=AliasChoices("entity", "facility"))
    ordered_on: Day | None = None

    @field_validator("entity", mode="before")
    @classmethod
    def _office(cls, value: Any) -> Any:
        return "private_practice" if value == "office" else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not an IANA time zone") from None
        return value


def read_case(document: Any) -> Account:
    """The account that a case describes. An instant without an offset is local to `time_zone`.

    Raises:
        InvalidCase: a missing, unknown or ill-formed field; the message is one line.
    """
    try:
        case = _Case.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "case"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        what = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidCase(f"{place}: {what}{more}") from None
    zone = ZoneInfo(case.time_zone)

    def instant(value: datetime | None) -> datetime | None:
        if value is None:
            return None
        aware = value.replace(tzinfo=zone) if value.tzinfo is None else value
        return aware.astimezone(UTC)  # wall clocks subtract wrongly over a change of clocks

    return Account(
        time_zone=zone,
        as_of=case.as_of,
        payer=case.payer.lower(),
        episode=_episode(
            case, instant(case.episode.setup_completed), instant(case.episode.consent)
        ),
        ledger=Ledger(
            days=tuple(_monitored_day(n, day, zone) for n, day in enumerate(case.days)),
            time=tuple(
                _time_entry(f"time[{n}]", entry, instant(entry.start), instant(entry.end))
                for n, entry in enumerate(case.time)
            ),
            confirmations=tuple(
                Confirmation(
                    f"confirmations[{n}]",
                    signed.entries,
                    signed.author,
                    signed.by,
                    instant(signed.at) or signed.at,
                    "confirmed in the case",
                    signed.npi,
                    signed.activity,
                )
                for n, signed in enumerate(case.confirmations)
            ),
            corrections=tuple(
                Correction(
                    f"corrections[{n}]",
                    change.corrects,
                    change.author,
                    change.reason,
                    instant(change.at) or change.at,
                    None
                    if (new := change.replacement) is None
                    else _time_entry(
                        f"corrections[{n}]", new, instant(new.start), instant(new.end)
                    ),
                    change.npi,
                )
                for n, change in enumerate(case.corrections)
            ),
            interactions=tuple(
                Interaction(
                    f"interactions[{n}]",
                    instant(talk.at) or talk.at,
                    talk.kind,
                    round(talk.minutes * 60),
                    talk.npi,
                    talk.by,
                )
                for n, talk in enumerate(case.interactions)
            ),
        ),
        other_services=tuple(
            OtherService(
                s.date,
                s.code,
                s.npi,
                instant(s.start),
                instant(s.end),
                s.distinct_because,
                s.distinct_modifier,
            )
            for s in case.other_services
        ),
        billed=tuple(Billed(line.date, line.code, line.units, line.status) for line in case.billed),
        therapy_allowed_to_date=case.therapy_allowed_to_date,
        earlier_episodes=tuple(
            EarlierEpisode(e.start, e.end, e.plan_of_care) for e in case.earlier_episodes
        ),
        busy=tuple(
            BusyTime(b.id, b.npi, instant(b.start) or b.start, instant(b.end) or b.end)
            for b in case.busy
        ),
        surgeries=tuple(GlobalSurgery(s.npi, s.first, s.last, s.diagnoses) for s in case.surgeries),
        diagnoses=case.diagnoses,
        entity=case.entity,
        practitioner_kind=case.episode.practitioner_kind,
        ordered_on=case.ordered_on,
    )


def _monitored_day(n: int, day: date | _MonitoredDay, zone: ZoneInfo) -> MonitoredDay:
    if isinstance(day, date):
        return MonitoredDay(f"days[{n}]", day)
    if day.at is None:
        assert day.date is not None, "checked by the model"
        return MonitoredDay(f"days[{n}]", day.date, kind=day.kind)
    at = day.at.replace(tzinfo=zone) if day.at.tzinfo is None else day.at
    return MonitoredDay(f"days[{n}]", local_date(at, zone), captured_at=at, kind=day.kind)


def _episode(case: _Case, setup: datetime | None, consent: datetime | None) -> Episode:
    device = case.episode.device
    return Episode(
        id="episode",
        start=case.episode.start,
        end=case.episode.end,
        setup_completed=setup,
        consent=Consent(consent) if consent else None,
        device=Device(
            name=device.name or device.udi or "unnamed",
            system=device.system,
            udi=device.udi,
            version=device.version,
            self_report=device.self_report,
            regulatory_basis=device.regulatory_basis,
        ),
        therapy_plan=case.therapy_plan,
        practitioner_npi=case.episode.practitioner_npi,
        plan_of_care=case.episode.plan_of_care,
    )


def _time_entry(
    entry_id: str, entry: _Time, start: datetime | None, end: datetime | None
) -> TimeEntry:
    if entry.minutes is not None:
        seconds = round(entry.minutes * 60)
    else:
        assert start is not None, "checked by the model"
        assert end is not None, "checked by the model"
        seconds = int((end - start).total_seconds())
    return TimeEntry(
        entry_id,
        entry.date,
        seconds,
        entry.by,
        entry.activity,
        start,
        end,
        entry.npi,
        entry.source,
        entry.supervised_by,
        entry.author,
    )


def tally_json(tally: Tally) -> dict[str, Any]:
    """JSON-ready; amounts are decimal text, null where no amount is loaded."""
    return {
        "charges": [
            {
                "code": charge.code,
                "units": charge.units,
                "modifiers": list(charge.modifiers),
                "from": charge.first.isoformat(),
                "to": charge.last.isoformat(),
                "amount": None if charge.amount is None else str(charge.amount),
                "reasons": [
                    {"rule": reason.rule, "facts": dict(reason.facts), "source": reason.source}
                    for reason in charge.reasons
                ],
            }
            for charge in tally.charges
        ],
        "shortfalls": [
            {"code": shortfall.code, "needs": shortfall.needs, "by": shortfall.by.isoformat()}
            for shortfall in tally.shortfalls
        ],
        "blocked": [
            {"code": block.code, "rule": block.rule, "why": block.why} for block in tally.blocked
        ],
    }
