"""A protocol's checked document as a `Protocol`."""

from __future__ import annotations

from typing import Any

from rtm.program import EVERY_DAY, Dose, InvalidDose
from rtm.protocols.definition import (
    Criterion,
    GoalTemplate,
    MovementRule,
    OutcomeSchedule,
    PainBounds,
    Phase,
    Precaution,
    Protocol,
    ProtocolLine,
    Source,
    Variant,
)


def protocol_from(document: dict[str, Any], variant: Variant | None) -> Protocol:
    """`document` keeps to the schema. Raises InvalidDose, naming phase and exercise."""
    return Protocol(
        id=document["id"],
        title=document["title"],
        region=document["region"],
        condition_code=document["condition"]["code"],
        condition_display=document["condition"]["display"],
        sources=tuple(Source(**item) for item in document["sources"]),
        note=document["note"],
        pain=PainBounds(**document["pain"]),
        precautions=tuple(_precaution(item) for item in document["precautions"]),
        red_flags=tuple(document["red_flags"]),
        phases=tuple(_phase(item) for item in document["phases"]),
        outcomes=tuple(
            OutcomeSchedule(item["instrument"], item["every_weeks"])
            for item in document["outcomes"]
        ),
        education=tuple(document.get("education", ())),
        variant=variant,
    )


def _phase(document: dict[str, Any]) -> Phase:
    return Phase(
        id=document["id"],
        title=document["title"],
        weeks=document["weeks"],
        exercises=tuple(_line(document["id"], item) for item in document["exercises"]),
        goals=tuple(GoalTemplate(**item) for item in document["goals"]),
        exit_criteria=tuple(_criterion(item) for item in document["exit_criteria"]),
        entry_criteria=tuple(_criterion(item) for item in document["entry_criteria"]),
        precautions=tuple(_precaution(item) for item in document.get("precautions", ())),
        education=tuple(document.get("education", ())),
    )


def _line(phase_id: str, item: dict[str, Any]) -> ProtocolLine:
    try:
        dose = Dose(
            sets=item["sets"],
            repetitions=item["repetitions"],
            hold_s=float(item.get("hold_s", 0)),
            times_per_day=item.get("times_per_day", 1),
            weekdays=frozenset(item["weekdays"]) if "weekdays" in item else EVERY_DAY,
        )
    except InvalidDose as error:
        raise InvalidDose(f"phase {phase_id}: {item['exercise']}: {error}") from None
    limits = tuple(_rule(rule) for rule in item.get("limits", ()))
    return ProtocolLine(item["exercise"], dose, limits, item.get("note"))


def _criterion(item: dict[str, Any]) -> Criterion:
    return Criterion(
        measure=item["measure"],
        comparison=item["comparison"],
        value=item["value"],
        unit=item["unit"],
        exercise_id=item.get("exercise"),
        instrument_id=item.get("instrument"),
    )


def _precaution(item: dict[str, Any]) -> Precaution:
    return Precaution(
        id=item["id"],
        text=item["text"],
        forbids=tuple(item.get("forbids", ())),
        rules=tuple(_rule(rule) for rule in item.get("rules", ())),
    )


def _rule(item: dict[str, Any]) -> MovementRule:
    named = dict(item)
    deg = named.pop("deg", None)
    kind, subject = next(iter(named.items()))
    return MovementRule(kind, subject, deg)  # type: ignore[arg-type]  # the schema names the kinds
