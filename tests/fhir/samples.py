"""Programs and sessions to send: hypothesis strategies and fixed ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from rtm.exercises import load_library
from rtm.feedback import Feedback
from rtm.outcomes import Instrument, Item
from rtm.program import WEEKDAYS, Dose, Goal, PrescribedExercise, Program
from rtm.session import (
    AngleRange,
    ExerciseResult,
    Pain,
    Quality,
    Repetition,
    ScoreParts,
    Session,
)

NAMES = load_library().names()

text = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cs"]),
    min_size=1,
    max_size=40,
).filter(lambda value: value.strip() == value)

doses = st.builds(
    Dose,
    sets=st.integers(1, 10),
    repetitions=st.integers(1, 50),
    hold_s=st.integers(0, 600).map(float),
    rest_s=st.integers(0, 600).map(float),
    times_per_day=st.integers(1, 6),
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS), min_size=1),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    exercises = draw(st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=6, unique=True))
    start = draw(st.dates(date(2026, 1, 1), date(2026, 12, 1)))
    return Program(
        id=str(draw(st.uuids())),
        version=draw(st.integers(1, 40)),
        title=draw(text),
        protocol_id="shoulder_pain",
        phase_id="motion_strength",
        condition_code="M25.519",
        condition_display="Pain in unspecified shoulder",
        exercises=tuple(
            PrescribedExercise(
                exercise_id,
                draw(st.sampled_from(["left", "right", "bilateral"])),
                draw(doses),
                draw(st.one_of(st.just(""), text)),
                draw(st.none() | st.integers(-90, 180).map(float)),
            )
            for exercise_id in exercises
        ),
        goals=tuple(
            Goal(
                id=f"goal_{n}",
                description=draw(text),
                measure=measure,
                comparison=draw(st.sampled_from(["at_least", "at_most"])),
                target_value=float(draw(st.integers(0, 180))),
                unit=unit,  # type: ignore[arg-type]
                due=start + timedelta(days=30),
            )
            for n, (measure, unit) in enumerate(
                draw(
                    st.lists(
                        st.sampled_from(
                            [
                                ("knee_flexion", "deg"),
                                ("pain_severity", "score"),
                                ("adherence", "percent"),
                            ]
                        ),
                        max_size=3,
                    )
                )
            )
        ),
        start=start,
        end=start + timedelta(days=draw(st.integers(0, 90))),
    )


STARTED = datetime(2026, 10, 5, 23, 30, tzinfo=UTC)


def measured_session(session_id: str = "7a1d3f60-0000-4000-8000-000000000001") -> Session:
    result = ExerciseResult(
        exercise_id="shoulder_abduction",
        side="bilateral",
        duration_s=12.4,
        frames=300,
        frames_measured=290,
        repetitions=(Repetition(0.4, 1.2, 2.1, 148.3, 130.2, 91.0, ()),),
        primary_angle=AngleRange("shoulder_abduction", 12.1, 148.3),
        score=ScoreParts(88.2, 95.0, 90.1, None, 97.0, 100.0),
        faults=(),
        quality=Quality(0.9, 25.0, ()),
    )
    return Session(
        session_id, "shoulder_abduction", "bilateral", "video", STARTED, 12.4, Pain(4, 3), result
    )


def reported_session(session_id: str = "7a1d3f60-0000-4000-8000-000000000002") -> Session:
    return Session(session_id, "quad_set", "right", "manual", STARTED, 300.0, Pain(2, 2), None, 20)


def as_stored(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources as a server would hold them: with ids, and references to them."""
    references = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/r{n}"
        for n, entry in enumerate(bundle["entry"])
    }
    text = json.dumps([{**e["resource"], "id": f"r{n}"} for n, e in enumerate(bundle["entry"])])
    for url, reference in references.items():
        text = text.replace(url, reference)
    resources: list[dict[str, Any]] = json.loads(text)
    return resources


KNEE_SUM = Instrument(
    id="knee_sum",
    version="1",
    title={"en": "Two knee questions"},
    items=(Item("stairs", {"en": "Stairs"}, 0, 4), Item("pain", {"en": "Pain"}, 0, 4)),
    scoring="sum",
    better="lower",
    source="Made up for tests",
)


def answered_session(session_id: str = "7a1d3f60-0000-4000-8000-000000000003") -> Session:
    """With all that a patient can say after an exercise."""
    return replace(
        reported_session(session_id), feedback=Feedback(7, "too_hard", "It <b>hurts</b>.", "dizzy")
    )
