"""A proposal as the clinician reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.proposals import OpenProposal
from rtm.exercises import load_library
from rtm.progression import Reason, Rule
from rtm.protocols import Criterion

_TITLES = {
    "call": "Call the patient",
    "regress": "Step back",
    "hold": "Stay with the program",
    "progress": "Go on",
}
_TONES = {"call": "bad", "regress": "wait", "hold": "wait", "progress": "good"}
_UNITS = {"deg": "°", "percent": " %", "weeks": " weeks", "repetitions": "", "score": "", "": ""}
_SIGNS = {True: "✓", False: "✗", None: "?"}


@dataclass(frozen=True)
class ProposalText:
    """`reasons` with the sign of each: for going on, against it, or not known."""

    title: str
    tone: str
    what: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]


def proposal_text(found: OpenProposal) -> ProposalText:
    proposal = found.proposal
    what: list[str] = []
    if proposal.to_phase_id is not None:
        what.append(f"To the phase: {found.protocol.phase(proposal.to_phase_id).title['en']}")
    what += [
        f"{_name(change.to_id)} in the place of {_name(change.from_id)}"
        for change in proposal.changes
    ]
    if proposal.level == "discharge":
        what.append("Every criterion of the last phase is met: discharge?")
    if proposal.level == "dose":
        what.append("Less of the same: fewer sets or repetitions")
    return ProposalText(
        _TITLES[proposal.kind],
        _TONES[proposal.kind],
        tuple(what),
        tuple((_SIGNS[reason.met], reason_text(reason)) for reason in proposal.reasons),
    )


def reason_text(reason: Reason) -> str:
    """“Pain after exercise 2, at most 3 (2026-10-28)”."""
    if reason.criterion is not None:
        return f"{_criterion_name(reason.criterion)}: {_against(reason)}"
    return _FACTS[reason.rule](reason)


def _against(reason: Reason) -> str:
    assert reason.criterion is not None, "just asked"
    criterion = reason.criterion
    bound = "at least" if criterion.comparison == "at_least" else "at most"
    needed = f"{bound} {_number(criterion.value, criterion.unit)} is asked for"
    if reason.measured is None:
        return f"not measured yet; {needed}"
    return f"{_number(reason.measured, criterion.unit)}; {needed}{_day(reason)}"


def _criterion_name(criterion: Criterion) -> str:
    name = _MEASURES.get(criterion.measure, criterion.measure.replace("_", " ").capitalize())
    if criterion.exercise_id:
        return f"{name}, {_name(criterion.exercise_id)}"
    return f"{name}, {criterion.instrument_id}" if criterion.instrument_id else name


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.3g}{_UNITS[unit]}"


def _day(reason: Reason) -> str:
    return "" if reason.on is None else f" ({reason.on})"


def _name(exercise_id: str) -> str:
    return load_library()[exercise_id].name["en"]


_MEASURES = {
    "time_since_surgery": "Time since surgery",
    "time_since_onset": "Time since onset",
    "time_in_phase": "Time in this phase",
    "pain_before": "Pain at rest",
    "pain_severity": "Pain after exercise",
    "adherence": "Exercise on the days asked, of two weeks",
    "score_total": "Score",
    "repetitions_in_30_s": "Repetitions in 30 s",
    "outcome_score": "Outcome score",
}

_FACTS: Mapping[Rule, Callable[[Reason], str]] = {
    "red_flag": lambda r: f"{r.about}{_day(r)}",
    "severe_pain": lambda r: f"Pain {_number(r.measured, '')} of 10{_day(r)}",
    "pain_jump": lambda r: f"Pain jumped to {_number(r.measured, '')} of 10{_day(r)}",
    "outcome_worse": lambda r: (
        f"{r.about}: worse by {_number(r.measured, '')}, which matters from "
        f"{_number(r.needed, '')}{_day(r)}"
    ),
    "flare_up": lambda r: f"Pain over {_number(r.needed, '')} on several days{_day(r)}",
    "range_loss": lambda r: (
        f"{r.about.replace('_', ' ').capitalize()}: {_number(r.measured, 'deg')}, "
        f"was {_number(r.needed, 'deg')}{_day(r)}"
    ),
    "mastered": lambda r: f"{_name(r.about)} is mastered: score {_number(r.measured, '')}{_day(r)}",
}
