"""A clinician's panel: the alerts that are theirs, put off, handed on and taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from app.context import Context
from app.store import (
    AlertAcknowledgementRow,
    AlertRow,
    AlertStepRow,
    PatientRow,
    PractitionerRow,
    SignInRow,
    Tenant,
    from_document,
    newest_alert_step,
)
from rtm.alerts import AlertFacts, AlertKind, load_alert_kinds

Sort = Literal["gravest", "oldest", "newest", "patient"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Shown = Literal["now", "snoozed"]
SHOWN: tuple[Shown, ...] = get_args(Shown)

PAGE_SIZE = 50


class BadPanelFilter(ValueError):
    """Something that the panel does not offer; the message names it."""


class NotOnPanel(LookupError):
    """The alert is not this clinician's, or somebody has acknowledged it."""


class CannotWait(ValueError):
    """An alert of this kind is not put off, or not until then; the message says why."""


class NobodyToTake(LookupError):
    """There is no such clinician here to hand an alert to."""


@dataclass(frozen=True)
class PanelFilter:
    """What of the panel is asked for. `page` counts from 1; `kind` None is every kind.

    Raises:
        BadPanelFilter: an unknown kind, sort or part of the panel, or a page below 1.
    """

    shown: Shown = "now"
    kind: str | None = None
    sort: Sort = "gravest"
    page: int = 1

    def __post_init__(self) -> None:
        if self.shown not in SHOWN:
            raise BadPanelFilter(f"there is no {self.shown} on the panel; there is now, snoozed")
        if self.kind is not None and self.kind not in load_alert_kinds():
            raise BadPanelFilter(f"there is no kind of alert {self.kind}")
        if self.sort not in SORTS:
            raise BadPanelFilter(f"there is no sorting by {self.sort}; there is {', '.join(SORTS)}")
        if self.page < 1:
            raise BadPanelFilter("pages count from 1")


@dataclass(frozen=True)
class PanelLine:
    """One open alert. `snoozed_until` is past or None where it waits for nobody."""

    id: int
    kind: AlertKind
    facts: AlertFacts
    raised_at: datetime
    patient: PatientRow
    snoozed_until: datetime | None
    handed_on_by: str | None
    note: str | None

    def local(self, instant: datetime) -> str:
        """On the patient's clock, to the minute."""
        return f"{instant.astimezone(ZoneInfo(self.patient.time_zone)):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Panel:
    """One page; `counts` is over all pages, by kind id, of what is `shown` and any kind."""

    lines: tuple[PanelLine, ...]
    matches: int
    pages: int
    counts: dict[str, int]


# The newest step of each sort, of one alert.
_SNOOZE, _HANDED = aliased(AlertStepRow), aliased(AlertStepRow)


def read_panel(db: Session, practitioner_id: int, wanted: PanelFilter, now: datetime) -> Panel:
    """The alerts of that clinician which nobody has acknowledged; a page past the end is empty."""
    shown = and_(_is_of(practitioner_id), _is_shown(wanted.shown, now))
    by_kind = _with_steps(select(AlertRow.kind, func.count(AlertRow.id)), practitioner_id)
    grouped = db.execute(by_kind.where(shown).group_by(AlertRow.kind))
    counts = {row[0]: row[1] for row in grouped}
    matches = sum(n for kind, n in counts.items() if wanted.kind in (None, kind))
    handed_by = aliased(PractitionerRow)
    query = (
        _with_steps(select(AlertRow, PatientRow, _SNOOZE, _HANDED, handed_by.name), practitioner_id)
        .join_from(AlertRow, PatientRow, PatientRow.id == AlertRow.patient_id)
        .outerjoin_from(_HANDED, handed_by, handed_by.id == _HANDED.made_by)
        .where(shown)
    )
    if wanted.kind is not None:
        query = query.where(AlertRow.kind == wanted.kind)
    query = query.order_by(*_order(wanted.sort), AlertRow.id)
    query = query.limit(PAGE_SIZE).offset((wanted.page - 1) * PAGE_SIZE)
    kinds = load_alert_kinds()
    lines = tuple(
        PanelLine(
            alert.id,
            kinds[alert.kind],
            from_document(AlertFacts, alert.facts),
            alert.raised_at,
            patient,
            None if snooze is None else snooze.until,
            name,
            _newest_note(snooze, handed),
        )
        for alert, patient, snooze, handed, name in db.execute(query)
    )
    return Panel(lines, matches, max(1, ceil(matches / PAGE_SIZE)), counts)


def _newest_note(*steps: AlertStepRow | None) -> str | None:
    made = sorted((step for step in steps if step is not None), key=lambda step: step.id)
    return made[-1].note if made else None


def waiting_count(db: Session, practitioner_id: int, now: datetime) -> int:
    """How many alerts wait for that clinician now."""
    query = _with_steps(select(func.count(AlertRow.id)), practitioner_id)
    return db.scalar(query.where(_is_of(practitioner_id), _is_shown("now", now))) or 0


def snooze(
    context: Context,
    tenant_id: str,
    practitioner_id: int,
    alert_id: int,
    *,
    until: date,
    note: str | None,
) -> None:
    """Puts an alert off until the morning of `until`, a day after today, on the patient's clock.

    Raises:
        NotOnPanel: it is not on this clinician's panel.
        CannotWait: it is of a kind that is not put off, or the day is not after today.
    """
    with context.database.begin(tenant_id) as db:
        alert, patient = _on_panel(db, practitioner_id, alert_id)
        kind = load_alert_kinds()[alert.kind]
        zone = ZoneInfo(patient.time_zone)
        if not kind.can_wait:
            raise CannotWait(f"“{kind.title}” can't wait: acknowledge it, or hand it on.")
        if until <= context.now().astimezone(zone).date():
            raise CannotWait("Choose a day after today.")
        morning = datetime.combine(until, time.min, zone)
        _add_step(context, db, alert_id, practitioner_id, "snoozed", until=morning, note=note)


def hand_on(
    context: Context,
    tenant_id: str,
    practitioner_id: int,
    alert_id: int,
    *,
    to_practitioner_id: int,
    note: str | None,
) -> None:
    """Makes an alert another clinician's; it leaves this panel for theirs.

    Raises:
        NotOnPanel: it is not on this clinician's panel.
        NobodyToTake: no clinician of this health system who has opened a chart here has that id.
    """
    with context.database.begin(tenant_id) as db:
        _on_panel(db, practitioner_id, alert_id)
        if to_practitioner_id not in dict(colleagues(db, practitioner_id)):
            raise NobodyToTake("There is no such clinician here.")
        _add_step(
            context,
            db,
            alert_id,
            practitioner_id,
            "handed_on",
            to_practitioner_id=to_practitioner_id,
            note=note,
        )


def patient_on_panel(db: Session, practitioner_id: int, alert_id: int) -> PatientRow:
    """Whom an alert of that clinician is about. Raises NotOnPanel."""
    return _on_panel(db, practitioner_id, alert_id)[1]


def colleagues(db: Session, practitioner_id: int) -> list[tuple[int, str]]:
    """Id and name of the other clinicians who have opened a chart here, by name."""
    opened = exists().where(
        SignInRow.practitioner_id == PractitionerRow.id, SignInRow.role == "clinician"
    )
    named = select(PractitionerRow.id, PractitionerRow.name).where(
        opened, PractitionerRow.id != practitioner_id
    )
    return [(row[0], row[1]) for row in db.execute(named.order_by(PractitionerRow.name))]


def tomorrow(context: Context, db: Session) -> date:
    """The practice's, for a form to begin with."""
    tenant = db.get_one(Tenant, db.info["tenant_id"])
    return tenant.local(context.now()).date() + timedelta(days=1)


def _is_of(practitioner_id: int) -> ColumnElement[bool]:
    """That an alert, read with its steps, is open and that clinician's."""
    acknowledged = exists().where(AlertAcknowledgementRow.alert_id == AlertRow.id)
    whose = func.coalesce(_HANDED.to_practitioner_id, AlertRow.practitioner_id)
    return and_(whose == practitioner_id, ~acknowledged)


def _is_shown(shown: Shown, now: datetime) -> ColumnElement[bool]:
    """What one clinician put off is not put off for whom it is handed to afterwards."""
    own = or_(_HANDED.id.is_(None), _SNOOZE.id > _HANDED.id)
    snoozed = func.coalesce(and_(_SNOOZE.until > now, own), false())
    return snoozed if shown == "snoozed" else not_(snoozed)


def _with_steps(query: Select, practitioner_id: int) -> Select:  # type: ignore[type-arg]
    """Joins the newest step of each sort to the alerts that ever were that clinician's."""
    for step, name in ((_SNOOZE, "snoozed"), (_HANDED, "handed_on")):
        query = query.outerjoin_from(AlertRow, step, step.id == newest_alert_step(name))
    handed = select(AlertStepRow.alert_id).where(AlertStepRow.to_practitioner_id == practitioner_id)
    return query.where(or_(AlertRow.practitioner_id == practitioner_id, AlertRow.id.in_(handed)))


def _order(sort: Sort) -> tuple[ColumnElement[Any], ...]:
    ranks: dict[Any, Any] = {kind: rank for rank, kind in enumerate(load_alert_kinds())}
    return {
        "gravest": (case(ranks, value=AlertRow.kind), AlertRow.raised_at.asc()),
        "oldest": (AlertRow.raised_at.asc(),),
        "newest": (AlertRow.raised_at.desc(),),
        "patient": (PatientRow.name.asc(), AlertRow.patient_id.asc()),
    }[sort]


def _on_panel(db: Session, practitioner_id: int, alert_id: int) -> tuple[AlertRow, PatientRow]:
    query = _with_steps(select(AlertRow, PatientRow), practitioner_id).join_from(
        AlertRow, PatientRow, PatientRow.id == AlertRow.patient_id
    )
    found = db.execute(query.where(AlertRow.id == alert_id, _is_of(practitioner_id))).one_or_none()
    if found is None:
        raise NotOnPanel("This alert is not on your panel any more.")
    return found[0], found[1]


def _add_step(
    context: Context,
    db: Session,
    alert_id: int,
    made_by: int,
    step: Literal["snoozed", "handed_on"],
    *,
    note: str | None,
    until: datetime | None = None,
    to_practitioner_id: int | None = None,
) -> None:
    db.add(
        AlertStepRow(
            alert_id=alert_id,
            step=step,
            until=until,
            to_practitioner_id=to_practitioner_id,
            note=note,
            made_by=made_by,
            made_at=context.now(),
        )
    )
