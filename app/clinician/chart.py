"""What the chart page shows, gathered in one read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import read_account
from app.alerts import Alert, alerts_of
from app.clinician.chart_request import practitioner_of
from app.clinician.outcome_lines import OutcomeLine, read_outcome_lines
from app.clinician.time_page import Row, length_text, own_waiting, time_row
from app.context import Context
from app.prescribing import Whereabouts, current_program, whereabouts
from app.range_rows import RangeLine, newest_of_each, read_range_lines
from app.session_rows import SessionLine, session_line
from app.sign_in import SignIn
from app.store import PatientRow, PractitionerRow, ProgramRow, SessionRow, Tenant
from app.time_book import time_book
from app.triage import waiting_count
from billing.account import Shortfall
from billing.attribution import attribute
from billing.device_periods import device_periods
from billing.rules import load_rules
from billing.tally import tally
from fhir.careplan import dose_text
from fhir.patient import PatientBanner
from rtm.adherence import Adherence, adherence
from rtm.episode import Episode
from rtm.exercises import load_library
from rtm.ledger import seconds_of, without_overlap
from rtm.program import Program

_SESSIONS_SHOWN = 25
_TREND_POINTS = 60


@dataclass(frozen=True)
class Trend:
    """Range of motion and pain of one exercise by session; `plot` is for the page's script."""

    exercise_name: str
    plot: dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One patient's chart on `today`, the patient's own date."""

    patient: PatientRow
    banner: PatientBanner
    today: date
    local_now: datetime
    program_row: ProgramRow | None
    sent: Whereabouts | None
    program: Program | None
    program_lines: tuple[dict[str, str], ...]
    adherence: Adherence | None
    sessions: tuple[SessionLine, ...]
    episode: Episode | None
    monitored_days: int
    period_last: date | None
    month_seconds: int
    time_rows: tuple[Row, ...]
    waiting_s: int
    shortfalls: tuple[str, ...]
    trend: Trend | None
    ranges: tuple[RangeLine, ...]
    outcomes: tuple[OutcomeLine, ...]
    alerts: tuple[Alert, ...]
    panel_count: int

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.patient.time_zone)

    @property
    def open_alerts(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.acknowledgement is None)

    @property
    def seen_alerts(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.acknowledgement is not None)

    def local(self, instant: datetime) -> str:
        """`instant` on the patient's clock, to the minute."""
        return f"{instant.astimezone(ZoneInfo(self.patient.time_zone)):%Y-%m-%d %H:%M}"

    @property
    def adherence_text(self) -> str:
        if self.adherence is None or not self.adherence.days_due:
            return "–"
        return f"{len(self.adherence.days_done)} of {len(self.adherence.days_due)}"

    @property
    def last_pain_text(self) -> str:
        measured = [item for item in self.sessions if item.pain_after is not None]
        return str(measured[0].pain_after) if measured else "–"

    @property
    def monitored_days_text(self) -> str:
        return str(self.monitored_days) if self.episode else "–"

    @property
    def minutes_text(self) -> str:
        return str(self.month_seconds // 60) if self.episode else "–"

    @property
    def waiting_text(self) -> str:
        """What waits for the signature of who is signed in."""
        return length_text(self.waiting_s)


def read_chart(context: Context, sign_in: SignIn) -> Chart:
    """Raises sqlalchemy's NoResultFound for a patient of another tenant."""
    assert sign_in.patient_id is not None, "checked before"
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, sign_in.patient_id)
        zone = ZoneInfo(patient.time_zone)
        local_now = context.now().astimezone(zone).replace(second=0, microsecond=0)
        today = local_now.date()
        current = current_program(db, patient.id)
        rows = _recent(db, patient.id)
        sent = whereabouts(db, current[0]) if current else None
        ranges = newest_of_each(read_range_lines(db, patient.id, zone))
        alerts = alerts_of(db, patient.id)
        panel_count = waiting_count(db, practitioner_of(sign_in), context.now())
        outcomes = read_outcome_lines(context, db, patient.id, zone)
        account = read_account(db, patient, today)
        me = db.get_one(PractitionerRow, sign_in.practitioner_id)
        practice = ZoneInfo(db.get_one(Tenant, sign_in.tenant_id).time_zone)
        book = time_book(db, account.episode.id, account.ledger) if account else None
    program = current[1] if current else None
    monitored, seconds = 0, 0
    period_last: date | None = None
    time_rows: tuple[Row, ...] = ()
    waiting_s = 0
    shortfalls: tuple[str, ...] = ()
    if account is not None:
        attributed = attribute(account, load_rules())
        facts = attributed.facts
        open_period = list(device_periods(account, load_rules()))[-1:]
        for period in open_period:
            monitored, period_last = len(period.days(facts.monitored_dates)), period.last
        this_month = [
            entry
            for entry in facts.time
            if (entry.local_date.year, entry.local_date.month) == (today.year, today.month)
        ]
        seconds = seconds_of(without_overlap(this_month, attributed.visits, attributed.taken_from))
        shortfalls = tuple(
            _shortfall_text(item)
            for item in tally(account).shortfalls
            if item.by >= today or item.any_time
        )
    if book is not None:
        time_rows = tuple(
            time_row(line, book, me, practice)
            for line in book.lines
            if (line.local_date.year, line.local_date.month) == (today.year, today.month)
        )
        waiting_s = sum(item.seconds for item in own_waiting(book, me, practice))
    return Chart(
        patient=patient,
        banner=banner(patient),
        today=today,
        local_now=local_now.replace(tzinfo=None),
        program_row=current[0] if current else None,
        sent=sent,
        program=program,
        program_lines=program_lines(program) if program else (),
        adherence=_adherence(program, rows, zone, today) if program else None,
        sessions=tuple(session_line(row, zone) for row in rows[:_SESSIONS_SHOWN]),
        episode=account.episode if account else None,
        monitored_days=monitored,
        period_last=period_last,
        month_seconds=seconds,
        time_rows=time_rows,
        waiting_s=waiting_s,
        shortfalls=shortfalls,
        trend=_trend(rows, zone),
        ranges=ranges,
        alerts=alerts,
        panel_count=panel_count,
        outcomes=outcomes,
    )


def banner(patient: PatientRow) -> PatientBanner:
    """The banner as the EHR gave it at the last launch."""
    return PatientBanner(**{**patient.demographics, "birth_date": patient.birth_date})


def program_lines(program: Program) -> tuple[dict[str, str], ...]:
    library = load_library()
    return tuple(
        {
            "name": library[line.exercise_id].name["en"],
            "dose": dose_text(line),
            "note": line.note,
        }
        for line in program.exercises
    )


def _recent(db: Session, patient_id: int) -> list[SessionRow]:
    return list(
        db.scalars(
            select(SessionRow)
            .where(SessionRow.patient_id == patient_id)
            .order_by(SessionRow.started_at.desc())
            .limit(400)
        )
    )


def _adherence(program: Program, rows: list[SessionRow], zone: ZoneInfo, today: date) -> Adherence:
    done = {row.started_at.astimezone(zone).date() for row in rows if row.status != "refused"}
    return adherence(program, done, min(today, program.end))


def _trend(rows: list[SessionRow], zone: ZoneInfo) -> Trend | None:
    """Of the exercise that was measured most; None without two measurements of one exercise."""
    measured = [
        (row, line)
        for row in reversed(rows)
        if (line := session_line(row, zone)).rom_deg is not None
    ]
    counts = Counter(line.exercise_name for _, line in measured)
    if not counts or counts.most_common(1)[0][1] < 2:
        return None
    exercise_name = counts.most_common(1)[0][0]
    shown = [pair for pair in measured if pair[1].exercise_name == exercise_name][-_TREND_POINTS:]
    return Trend(
        exercise_name,
        {
            "t_s": [int(row.started_at.timestamp()) for row, _ in shown],
            "rom_deg": [line.rom_deg for _, line in shown],
            "pain": [line.pain_after for _, line in shown],
            "labels": {"rom": "range of motion (°)", "pain": "pain (0–10)"},
        },
    )


def _shortfall_text(item: Shortfall) -> str:
    by = "" if item.any_time else f" by {item.by:%d %B}"
    return f"{item.code}: {item.needs}{by}"
