"""A month of synthetic history, made by the use cases of real work with the clock set back."""

from __future__ import annotations

import tempfile
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import rtm_book
from app.context import Context
from app.demo.figure import arm_raises
from app.demo.tenant import TENANT_ID
from app.jobs.score import score_session
from app.prescribing import current_program, sign
from app.safety import answer
from app.sessions import SessionReport, accept_manual_log, accept_recording
from app.store import EpisodeRow, PatientRow, PractitionerRow
from app.time_book import StretchChoice, confirm_time, read_time_book
from billing.rules import load_rules
from rtm.exercises import Side
from rtm.protocols import draft_program, load_protocols
from rtm.safety import load_safety
from rtm.session import Pain
from vision.series_files import write_npz


@dataclass(frozen=True)
class Story:
    """One patient's month: on which of the 30 days there was a session, and the care given."""

    patient: str
    protocol: str
    phase: str
    side: Side
    exercise: str
    session_days: tuple[int, ...]
    minutes: tuple[int, ...]
    talk_day: int | None
    pain_from: int
    pain_to: int
    first_peak_deg: float = 0.0
    last_peak_deg: float = 0.0


_MOST_DAYS = tuple(day for day in range(30) if day % 3 != 2)
STORIES = (
    Story(
        "samuel-brandt",
        "shoulder_pain",
        "motion_strength",
        "right",
        "shoulder_abduction",
        _MOST_DAYS,
        (9, 8, 7),
        9,
        6,
        3,
        105.0,
        148.0,
    ),
    Story(
        "ada-okafor",
        "knee_strengthening",
        "strength",
        "right",
        "straight_leg_raise",
        tuple(range(0, 30, 3)),
        (12,),
        14,
        5,
        4,
    ),
    Story(
        "walter-lindqvist",
        "total_knee_replacement",
        "weeks_0_2",
        "right",
        "heel_slide",
        _MOST_DAYS,
        (10, 12),
        None,
        7,
        4,
    ),
    Story(
        "rosa-delgado",
        "rotator_cuff_repair",
        "weeks_6_12",
        "right",
        "shoulder_abduction",
        tuple(range(0, 30, 2)),
        (22, 21),
        5,
        5,
        2,
        70.0,
        120.0,
    ),
)


def history_month(today: date) -> tuple[date, date]:
    """First and last day of the newest finished month whose billing rules are loaded."""
    first = today.replace(day=1)
    while True:
        first = (first - timedelta(days=1)).replace(day=1)
        last = first.replace(day=monthrange(first.year, first.month)[1])
        if load_rules().on(last) is not None:
            return first, last


def write_history(context: Context, stories: Sequence[Story] = STORIES) -> None:
    """Writes the stories of patients who were launched once and have no episode yet."""
    _, last = history_month(context.now().date())
    for number, story in enumerate(stories):
        with context.database.begin(TENANT_ID) as db:
            patient = db.scalar(select(PatientRow).where(PatientRow.fhir_id == story.patient))
            therapist = db.scalar(
                select(PractitionerRow).where(PractitionerRow.provider_kind == "pt")
            )
            if patient is None or therapist is None:
                raise LookupError(f"launch {story.patient} with a physical therapist first")
            known = db.scalar(select(EpisodeRow.id).where(EpisodeRow.patient_id == patient.id))
        if known is None:
            rng = np.random.default_rng(number)
            # The therapist works on one chart after the other.
            begins = time(9 + number)
            _write(context, story, patient, therapist, last - timedelta(days=29), begins, rng)


def _write(
    context: Context,
    story: Story,
    patient: PatientRow,
    therapist: PractitionerRow,
    start: date,
    visits_at: time,
    rng: np.random.Generator,
) -> None:
    zone = ZoneInfo(patient.time_zone)

    def at(day: int, hour: int) -> Context:
        instant = datetime.combine(start + timedelta(days=day), time(hour), zone)
        return replace(context, now=lambda: instant)

    protocol = load_protocols()[story.protocol]
    draft = draft_program(
        protocol,
        protocol.phase(story.phase),
        id=str(_uuid(story.patient, "program")),
        start=start,
        side=story.side,
    )
    sign(
        at(0, 9),
        TENANT_ID,
        patient_id=patient.id,
        practitioner_id=therapist.id,
        # The month that the visitor is in still has exercises to do.
        draft=replace(draft, end=context.now().date() + timedelta(weeks=4)),
        signing_key=str(_uuid(story.patient, "signing")),
    )
    answer_no(at(0, 10), patient.id, screen_id=str(_uuid(story.patient, "screen")))
    with context.database.begin(TENANT_ID) as db:
        rtm_book.start_episode(
            db, patient, therapist, start=start, set_up=True, therapy_plan="GP", now=at(0, 9).now()
        )
        *by_timer, by_hand = story.minutes
        for index, minutes in enumerate(by_timer):
            begins = datetime.combine(start + timedelta(days=4 + 7 * index), visits_at, zone)
            _work_on_the_chart(db, patient, therapist, begins, minutes)
        rtm_book.record_manual_time(
            db,
            patient.id,
            therapist,
            day=start + timedelta(days=4 + 7 * len(by_timer)),
            minutes=by_hand,
            activity="review: monitoring data and program, on paper",
            now=at(4 + 7 * len(by_timer), 15).now(),
        )
        if story.talk_day is not None:
            rtm_book.record_interaction(
                db,
                patient,
                therapist,
                local_at=datetime.combine(start + timedelta(days=story.talk_day), time(16)),
                kind="phone",
                minutes=6,
                now=at(story.talk_day, 16).now(),
            )
    for index, day in enumerate(story.session_days):
        share = index / max(1, len(story.session_days) - 1)
        _session(at(day, 18), at(day, 17).now(), story, patient, share, rng)


def answer_no(context: Context, patient_id: int, *, screen_id: str) -> None:
    """The patient answers each safety question of the current program with no."""
    with context.database.begin(TENANT_ID) as db:
        current = current_program(db, patient_id)
    assert current is not None, "signed before"
    answers = {question.id: False for question in load_safety().questions_for(current[1])}
    answer(context, TENANT_ID, patient_id, screen_id=screen_id, answers=answers, language="en")


def _work_on_the_chart(
    db: Session, patient: PatientRow, therapist: PractitionerRow, begins: datetime, minutes: int
) -> None:
    """The timer counts so many minutes, and the therapist confirms them at the end."""
    for first in range(0, minutes, 5):
        start = begins + timedelta(minutes=first)
        end = begins + timedelta(minutes=min(first + 5, minutes))
        interval = rtm_book.Interval(str(_uuid(str(patient.id), start.isoformat())), start, end)
        rtm_book.record_timer_interval(db, patient.id, therapist, interval, now=end)
    book = read_time_book(db, patient.id)
    assert book is not None, "the episode has just begun"
    shown = [
        StretchChoice(line.entry_ids, "review: reviewed monitoring data")
        for line in book.lines
        if line.waits
    ]
    confirm_time(db, patient.id, therapist, shown, begins + timedelta(minutes=minutes))


def _session(
    context: Context,
    started: datetime,
    story: Story,
    patient: PatientRow,
    share: float,
    rng: np.random.Generator,
) -> None:
    pain = round(story.pain_from + share * (story.pain_to - story.pain_from))
    report = SessionReport(
        session_id=str(_uuid(story.patient, started.isoformat())),
        line=story.exercise,
        started_at=started,
        pain=Pain(pain, max(0, pain - int(rng.integers(0, 2)))),
        repetitions_reported=20,
        duration_reported_s=480.0,
    )
    if not story.last_peak_deg:
        accept_manual_log(context, TENANT_ID, patient.id, report)
        return
    peak = story.first_peak_deg + share * (story.last_peak_deg - story.first_peak_deg)
    series = arm_raises([float(p) for p in peak + rng.normal(0, 4, 8)], rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.npz"
        write_npz(series, path)
        with path.open("rb") as stream:
            recording = replace(report, repetitions_reported=None, duration_reported_s=None)
            row = accept_recording(context, TENANT_ID, patient.id, recording, path.name, stream)
    score_session(context, TENANT_ID, row.id)


def _uuid(*parts: str) -> UUID:
    return uuid5(NAMESPACE_URL, "/".join(("homestretch-demo", *parts)))
