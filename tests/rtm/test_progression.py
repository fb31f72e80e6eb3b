"""Proposals for the plan: exact against an oracle, monotone, and never past a gate or in pain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm.exercises import load_library
from rtm.program import Program
from rtm.progression import Proposal, propose
from rtm.progression_evidence import Course, OutcomeChange, RedFlag
from rtm.protocols import Phase, Protocol, draft_program, load_protocols
from rtm.protocols.heed import breaches
from rtm.protocols.measures import PAINS, TIMES
from rtm.readings import Reading, adherence_reading, most_in_30_s, session_readings
from rtm.session import Pain, Repetition, Session
from tests.rtm.progression_oracle import document, verdict
from tests.rtm.simulated_patients import (
    KINDS,
    START,
    DaySheet,
    Kind,
    Patient,
    course_on,
    simulate,
)

LIBRARY = load_library()
PROTOCOLS = list(load_protocols())
PHASES = [(protocol, phase) for protocol in PROTOCOLS for phase in protocol.phases]
GATES = ("time_since_surgery", "time_since_onset")


def starts(phase: Phase) -> date:
    """Surgery or onset, so that the phase begins when its own gate opens."""
    gates = [c.value for c in phase.entry_criteria if c.measure in GATES]
    return START - timedelta(weeks=max(gates, default=0))


def checked(protocol: Protocol, phase: Phase, kind: Kind, seed: int) -> list[tuple[date, Proposal]]:
    """The proposals of every third day of a simulated patient."""
    weeks = min(phase.weeks, 12) + 3
    patient = Patient(kind, simulate(protocol, phase, kind, seed, weeks), START)
    since = starts(phase)
    found = []
    for day in range(2, 7 * weeks, 3):
        today = START + timedelta(days=day)
        course = course_on(patient, today, surgery_on=since, onset_on=since)
        proposal = propose(protocol, phase.id, course, LIBRARY)
        expected = verdict(
            document(protocol.id), phase.id, patient, today, surgery=since, onset=since
        )
        assert comparable(proposal) == expected, (protocol.id, phase.id, kind, seed, today)
        found.append((today, proposal))
    return found


def comparable(proposal: Proposal) -> tuple[str, str | None, str | None]:
    """As the oracle says it: a change of exercises while the time runs is its hold."""
    if proposal.kind == "regress":
        return ("regress", None, None)
    if proposal.level == "exercise":
        return ("hold", None, None)
    return (proposal.kind, proposal.level, proposal.to_phase_id)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.id)
def test_proposals_agree_with_the_oracle_on_every_simulated_patient(
    protocol: Protocol, kind: Kind
) -> None:
    kinds: Counter[str] = Counter()
    for phase in protocol.phases:
        kinds.update(proposal.kind for _, proposal in checked(protocol, phase, kind, seed=0))
    if kind == "responder":
        assert kinds["progress"]
    if kind in ("plateau", "non_adherer"):
        assert kinds["hold"] > kinds["progress"]
    if kind == "flare_up":
        assert kinds["call"]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.id)
def test_a_responder_whose_proposals_are_signed_goes_through_every_phase(
    protocol: Protocol,
) -> None:
    surgery = START
    began, phase = START, protocol.phases[0]
    path = [phase.id]
    while True:
        weeks = phase.weeks + 10
        patient = Patient(
            "responder", simulate(protocol, phase, "responder", 7, weeks, began), began
        )
        for day in range(7 * weeks):
            today = began + timedelta(days=day)
            course = course_on(patient, today, surgery_on=surgery, onset_on=surgery)
            proposal = propose(protocol, phase.id, course, LIBRARY)
            if proposal.level in ("phase", "discharge"):
                break
        else:
            pytest.fail(f"{protocol.id} never leaves {phase.id}: {proposal}")
        if proposal.level == "discharge":
            break
        assert proposal.to_phase_id is not None
        began, phase = today, protocol.phase(proposal.to_phase_id)
        path.append(phase.id)
    assert path == [each.id for each in protocol.phases]


def fine(protocol: Protocol, phase: Phase, as_of: date = date(2027, 6, 1)) -> Course:
    """A course on which everything is met, with nothing to spare but time."""
    readings = []
    _, after = protocol.neighbours(phase)
    for criterion in (*phase.exit_criteria, *(after.entry_criteria if after else ())):
        if criterion.measure in TIMES:
            continue
        for days in range(6):
            readings.append(
                Reading(
                    *(criterion.measure, criterion.value, as_of - timedelta(days=days)),
                    exercise_id=criterion.exercise_id or phase.exercises[0].exercise_id,
                    instrument_id=criterion.instrument_id,
                )
            )
    begun = as_of - timedelta(weeks=60)
    return Course(as_of, begun, tuple(readings), surgery_on=begun, onset_on=begun)


@pytest.mark.parametrize(
    ("protocol", "phase"), PHASES, ids=[f"{protocol.id}.{phase.id}" for protocol, phase in PHASES]
)
def test_every_phase_can_be_left_and_each_of_its_criteria_alone_keeps_one_in_it(
    protocol: Protocol, phase: Phase
) -> None:
    course = fine(protocol, phase)
    assert propose(protocol, phase.id, course, LIBRARY).level in ("phase", "discharge")
    for criterion in phase.exit_criteria:
        worse = _short_of(course, criterion.measure, criterion.value, criterion.comparison)
        proposal = propose(protocol, phase.id, worse, LIBRARY)
        assert proposal.kind != "progress" or proposal.level == "exercise", criterion.key
        if proposal.kind in ("hold", "progress"):
            told = [r for r in proposal.reasons if r.criterion == criterion]
            assert told
            assert told[0].met is False
            assert told[0].needed == criterion.value
            assert told[0].measured is not None
            assert told[0].on is not None


def _short_of(course: Course, measure: str, value: float, comparison: str) -> Course:
    if measure in TIMES:
        begun = course.as_of - timedelta(days=int(value * 7) - 1)
        return replace(
            course,
            **{
                "time_since_surgery": {"surgery_on": begun},
                "time_since_onset": {"onset_on": begun},
                "time_in_phase": {"phase_started_on": begun},
            }[measure],
        )
    step = -1 if comparison == "at_least" else 1
    return replace(
        course,
        readings=tuple(
            replace(r, value=value + step) if r.measure == measure else r for r in course.readings
        ),
    )


ORDER = {"call": 0, "regress": 1, "hold": 2, "progress": 3}


def rank(proposal: Proposal) -> tuple[int, int]:
    return ORDER[proposal.kind], int(proposal.level != "exercise")


DAYS = st.integers(0, 25)


@st.composite
def courses(draw: st.DrawFn) -> tuple[Protocol, Phase, Course]:
    protocol, phase = draw(st.sampled_from(PHASES))
    as_of = date(2026, 9, 1)
    readings = [Reading("adherence", draw(st.integers(50, 100)), as_of)]
    prescribed = [line.exercise_id for line in phase.exercises]
    for days in draw(st.lists(DAYS, max_size=12, unique=True)):
        on, exercise = as_of - timedelta(days=days), draw(st.sampled_from(prescribed))
        readings.append(Reading("pain_before", draw(st.integers(0, 7)), on, exercise))
        readings.append(Reading("pain_severity", draw(st.integers(0, 8)), on, exercise))
        readings.append(Reading("score_total", draw(st.integers(60, 100)), on, exercise))
    for criterion in phase.exit_criteria:
        if criterion.unit in ("deg", "repetitions"):
            for days in draw(st.lists(DAYS, max_size=3)):
                value = criterion.value + draw(st.integers(-15, 15))
                on = as_of - timedelta(days=days)
                readings.append(
                    Reading(criterion.measure, value, on, exercise_id=criterion.exercise_id)
                )
    begun = as_of - timedelta(days=draw(st.integers(0, 100)))
    since = begun - timedelta(days=draw(st.integers(0, 100)))
    return protocol, phase, Course(as_of, begun, tuple(readings), surgery_on=since, onset_on=since)


@settings(max_examples=400, deadline=None)
@given(courses(), st.data())
def test_a_better_result_never_gives_a_worse_proposal(
    drawn: tuple[Protocol, Phase, Course], data: st.DataObject
) -> None:
    """Pain of the latest two days, and of the week what is no baseline: an older value that was
    better makes today's look like a jump or a loss, and it is meant to."""
    protocol, phase, course = drawn
    before = propose(protocol, phase.id, course, LIBRARY)
    sign = {c.measure: 1 if c.comparison == "at_least" else -1 for c in phase.exit_criteria}
    better = []
    for reading in course.readings:
        age = (course.as_of - reading.on).days
        if reading.measure in PAINS and age < 2:
            reading = replace(reading, value=max(0, reading.value - data.draw(st.integers(0, 8))))
        elif reading.measure in ("adherence", "score_total"):
            reading = replace(
                reading, value=min(100, reading.value + data.draw(st.integers(0, 40)))
            )
        elif reading.measure not in PAINS and age < 7:
            step = data.draw(st.integers(0, 30)) * sign[reading.measure]
            reading = replace(reading, value=reading.value + step)
        better.append(reading)
    after = propose(protocol, phase.id, replace(course, readings=tuple(better)), LIBRARY)
    assert rank(after) >= rank(before)


@settings(max_examples=400, deadline=None)
@given(courses())
def test_no_phase_is_left_before_its_time_or_with_pain_above_the_limit(
    drawn: tuple[Protocol, Phase, Course],
) -> None:
    protocol, phase, course = drawn
    proposal = propose(protocol, phase.id, course, LIBRARY)
    if proposal.kind != "progress":
        return
    week = [r for r in course.within(7, "pain_severity")]
    assert max(r.value for r in week) <= protocol.pain.limit
    if proposal.level == "exercise":
        return
    for criterion in phase.exit_criteria:
        begun = {"time_in_phase": course.phase_started_on}.get(criterion.measure, course.surgery_on)
        if criterion.measure in TIMES:
            assert begun is not None
            assert (course.as_of - begun).days >= 7 * criterion.value


@settings(max_examples=200, deadline=None)
@given(courses())
def test_an_exercise_that_is_proposed_is_allowed_in_the_phase(
    drawn: tuple[Protocol, Phase, Course],
) -> None:
    protocol, phase, course = drawn
    for change in propose(protocol, phase.id, course, LIBRARY).changes:
        exercise = LIBRARY[change.to_id]
        assert not list(breaches(exercise, protocol.precautions_in(phase)))
        own = {line.exercise_id for line in phase.exercises}
        assert change.from_id in own
        assert change.to_id not in own


def waiting(phase_id: str = "weeks_2_6") -> tuple[Protocol, Course]:
    """Everything met but the time since surgery."""
    protocol = load_protocols()["total_knee_replacement"]
    course = fine(protocol, protocol.phase(phase_id))
    return protocol, replace(course, surgery_on=course.as_of - timedelta(weeks=5))


def mastered(course: Course, exercise_id: str) -> Course:
    scores = [
        Reading("score_total", 92, course.as_of - timedelta(days=days), exercise_id)
        for days in (1, 3, 5)
    ]
    return replace(course, readings=(*course.readings, *scores))


def test_while_the_time_runs_a_mastered_exercise_is_made_harder_by_its_own_link() -> None:
    protocol, course = waiting()
    proposal = propose(protocol, "weeks_2_6", mastered(course, "heel_raise"), LIBRARY)
    assert (proposal.kind, proposal.level) == ("progress", "exercise")
    assert [(c.from_id, c.to_id) for c in proposal.changes] == [
        ("heel_raise", "heel_raise_single_leg")
    ]
    assert [r.about for r in proposal.reasons if r.rule == "mastered"] == ["heel_raise"]


def test_what_is_forbidden_or_kept_for_a_later_phase_is_not_proposed() -> None:
    """Sit to stand leads to the squat, which is forbidden, and to the step up of the next phase."""
    protocol, course = waiting()
    assert LIBRARY["sit_to_stand"].progressions == ("squat", "step_up")
    assert propose(protocol, "weeks_2_6", mastered(course, "sit_to_stand"), LIBRARY).kind == "hold"


def flared(protocol: Protocol, phase_id: str, exercise_id: str) -> Course:
    course = fine(protocol, protocol.phase(phase_id))
    over = protocol.pain.limit + 1
    return replace(
        course,
        readings=tuple(
            Reading("pain_severity", over, course.as_of - timedelta(days=days), exercise_id)
            for days in range(1, 10)
        ),
    )


def test_a_flare_up_makes_the_exercise_that_hurts_easier() -> None:
    protocol = load_protocols()["knee_strengthening"]
    course = flared(protocol, "function", "single_leg_stance")
    proposal = propose(protocol, "function", course, LIBRARY)
    assert (proposal.kind, proposal.level) == ("regress", "exercise")
    assert [(c.from_id, c.to_id) for c in proposal.changes] == [
        ("single_leg_stance", "tandem_stance")
    ]
    assert [(r.rule, r.measured, r.needed) for r in proposal.reasons] == [("flare_up", 6, 5)]


def test_without_an_easier_exercise_a_flare_up_leads_back_a_phase_and_at_the_first_to_less() -> (
    None
):
    protocol = load_protocols()["knee_strengthening"]
    course = flared(protocol, "function", "hip_hinge")
    back = propose(protocol, "function", course, LIBRARY)
    assert (back.level, back.to_phase_id) == ("phase", "strength")
    first = propose(protocol, "strength", flared(protocol, "strength", "hip_hinge"), LIBRARY)
    assert (first.kind, first.level) == ("regress", "dose")


def test_a_range_lost_beyond_its_detectable_change_is_a_setback_and_within_it_is_not() -> None:
    protocol, course = waiting()
    before = Reading("knee_flexion", 118.0, course.as_of - timedelta(days=20))
    for lost, kind in ((10.0, "regress"), (9.0, "hold")):
        now = tuple(
            replace(r, value=118.0 - lost, exercise_id=None) if r.measure == "knee_flexion" else r
            for r in course.readings
        )
        proposal = propose(protocol, "weeks_2_6", replace(course, readings=(before, *now)), LIBRARY)
        assert proposal.kind == kind
        if kind == "regress":
            reason = proposal.reasons[0]
            assert (reason.rule, reason.about) == ("range_loss", "knee_flexion")
            assert (reason.measured, reason.needed) == (108.0, 118.0)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"red_flags": (RedFlag(date(2027, 5, 30), "new calf pain"),)}, "red_flag"),
        (
            {"outcome_changes": (OutcomeChange("koos_jr", 10, 8, date(2027, 5, 30)),)},
            "outcome_worse",
        ),
    ],
)
def test_a_red_flag_or_a_clearly_worse_outcome_is_a_call_however_good_the_rest(
    change: dict[str, object], rule: str
) -> None:
    protocol = load_protocols()["knee_strengthening"]
    course = fine(protocol, protocol.phase("strength"))
    proposal = propose(protocol, "strength", replace(course, **change), LIBRARY)
    assert (proposal.kind, proposal.level) == ("call", None)
    assert [reason.rule for reason in proposal.reasons] == [rule]


@pytest.mark.parametrize(("today", "kind"), [(3, "progress"), (4, "progress"), (5, "call")])
def test_a_jump_of_pain_is_a_call(today: int, kind: str) -> None:
    protocol = load_protocols()["knee_strengthening"]
    course = fine(protocol, protocol.phase("strength"))
    usual = [
        Reading("pain_severity", 2, course.as_of - timedelta(days=days), "squat")
        for days in range(1, 9)
    ]
    kept = tuple(r for r in course.readings if r.measure not in PAINS)
    now = Reading("pain_severity", today, course.as_of, "squat")
    proposal = propose(
        protocol, "strength", replace(course, readings=(*kept, *usual, now)), LIBRARY
    )
    assert proposal.kind == kind
    if kind == "call":
        assert [(r.rule, r.measured, r.needed) for r in proposal.reasons] == [("pain_jump", 5, 5)]


def test_too_little_data_holds_and_says_what_is_missing() -> None:
    protocol = load_protocols()["total_knee_replacement"]
    as_of = date(2026, 9, 1)
    empty = Course(as_of, as_of - timedelta(weeks=4), ())
    proposal = propose(protocol, "weeks_2_6", empty, LIBRARY)
    assert proposal.kind == "hold"
    assert proposal.missing == (
        *("knee_flexion", "time_since_surgery", "pain_severity", "adherence"),
    )


def test_what_an_exercise_did_not_ask_for_is_missing_rather_than_lost() -> None:
    protocol, course = waiting()
    kept = tuple(r for r in course.readings if r.measure != "knee_flexion")
    seated = Reading("knee_flexion", 88, course.as_of, "knee_extension_seated", asked_for=85)
    held = propose(protocol, "weeks_2_6", replace(course, readings=(*kept, seated)), LIBRARY)
    assert held.missing == ("knee_flexion",)


def test_readings_from_before_the_phase_do_not_count() -> None:
    protocol, course = waiting()
    fresh = replace(course, phase_started_on=course.as_of + timedelta(days=1))
    assert set(propose(protocol, "weeks_2_6", fresh, LIBRARY).missing) == {
        *("knee_flexion", "pain_severity", "adherence"),
    }


def repetition(start_s: float, end_s: float) -> Repetition:
    return Repetition(start_s, (start_s + end_s) / 2, end_s, 90, 80, None, ())


def test_stands_in_30_s_are_the_most_whole_ones_in_any_such_stretch() -> None:
    slow = [repetition(t, t + 4) for t in range(0, 40, 5)]
    quick = [repetition(60 + t, 60 + t + 1.9) for t in range(0, 40, 2)]
    assert most_in_30_s(slow) == 6
    assert most_in_30_s([*slow, *quick]) == 15
    assert most_in_30_s([]) == 0


def test_a_manual_session_reports_pain_and_nothing_that_was_not_measured() -> None:
    at = datetime(2026, 9, 1, 3, 0, tzinfo=UTC)
    session = Session("s", "squat", "bilateral", "manual", at, 300, Pain(2, 4), None, 10)
    readings = session_readings(session, LIBRARY["squat"], ZoneInfo("America/Chicago"))
    assert readings == (
        Reading("pain_before", 2, date(2026, 8, 31), "squat"),
        Reading("pain_severity", 4, date(2026, 8, 31), "squat"),
    )


def test_adherence_is_of_the_latest_two_weeks() -> None:
    protocol = load_protocols()["knee_strengthening"]
    program: Program = draft_program(
        protocol, protocol.phases[0], id="p", start=date(2026, 8, 3), side="left"
    )
    days = [date(2026, 8, 3) + timedelta(days=n) for n in range(28)]
    reading = adherence_reading(program, days[21:], days[-1])
    assert reading is not None
    assert reading.value == 50
    assert adherence_reading(program, [], date(2026, 8, 2)) is None


@st.composite
def sparse_sheets(draw: st.DrawFn) -> tuple[Protocol, Phase, Patient]:
    """Few and uneven days about every bound, so that each edge of each window is met."""
    protocol, phase = draw(st.sampled_from(PHASES))
    prescribed = [line.exercise_id for line in phase.exercises]
    limit = protocol.pain.limit
    sheets = [DaySheet(START + timedelta(days=day)) for day in range(22)]
    for day in draw(st.lists(st.integers(0, 21), min_size=1, max_size=14, unique=True)):
        sheet = sheets[day]
        for exercise_id in draw(st.lists(st.sampled_from(prescribed), min_size=1, max_size=2)):
            pain = st.integers(max(0, limit - 2), limit + 1)
            sheet.pain[exercise_id] = (draw(pain) // 2, draw(pain))
        for criterion in phase.exit_criteria:
            near = criterion.value + draw(st.sampled_from((-12, -1, 0, 1, 12)))
            if criterion.unit == "deg":
                sheet.tests_deg[criterion.measure] = near
            elif criterion.measure == "repetitions_in_30_s" and criterion.exercise_id:
                sheet.stands[criterion.exercise_id] = int(near)
            elif criterion.measure == "score_total" and criterion.exercise_id:
                sheet.score[criterion.exercise_id] = near
    return protocol, phase, Patient("responder", sheets, START)


@settings(max_examples=150, deadline=None)
@given(sparse_sheets(), st.integers(0, 40))
def test_proposals_agree_with_the_oracle_at_the_edges_of_every_window(
    drawn: tuple[Protocol, Phase, Patient], earlier: int
) -> None:
    protocol, phase, patient = drawn
    since = START - timedelta(weeks=earlier)
    for day in range(8, 22):
        today = START + timedelta(days=day)
        course = course_on(patient, today, surgery_on=since, onset_on=since)
        expected = verdict(
            document(protocol.id), phase.id, patient, today, surgery=since, onset=since
        )
        assert comparable(propose(protocol, phase.id, course, LIBRARY)) == expected


@pytest.mark.parametrize(("age", "missing"), [(13, ()), (14, ("knee_flexion",))])
def test_a_range_test_counts_for_two_weeks(age: int, missing: tuple[str, ...]) -> None:
    protocol, course = waiting()
    kept = tuple(r for r in course.readings if r.measure != "knee_flexion")
    test = Reading("knee_flexion", 115, course.as_of - timedelta(days=age))
    proposal = propose(protocol, "weeks_2_6", replace(course, readings=(*kept, test)), LIBRARY)
    assert proposal.missing == missing
