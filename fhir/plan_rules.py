"""What a protocol asks before and forbids while: its criteria and precautions in FHIR.

A criterion is a condition of the phase's action (`start` or `stop`), as a FHIRPath over what is
measured for people and engines of others, and in our extension for an exact reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from fhir import codes
from fhir.activity_definition import activity_url, exercise_of
from fhir.meaning import needed
from fhir.translation import texts, translated
from rtm.protocols import Criterion, MovementRule, PainBounds, Precaution

Moment = Literal["start", "stop"]
_SIGNS = {"at_least": ">=", "at_most": "<="}
_WORDS = {"at_least": "at least", "at_most": "at most"}


def conditions(moment: Moment, criteria: Iterable[Criterion]) -> Iterator[dict[str, Any]]:
    """The conditions on which a phase starts or stops: all of them must hold."""
    for criterion in criteria:
        name = criterion.key.replace(":", "_")
        yield {
            "extension": [_criterion(criterion)],
            "kind": moment,
            "expression": {
                "description": f"{name.replace('_', ' ')} {_WORDS[criterion.comparison]} "
                f"{criterion.value:g} {criterion.unit}",
                "language": "text/fhirpath",
                "expression": f"%{name} {_SIGNS[criterion.comparison]} {criterion.value:g}",
            },
        }


def read_conditions(moment: Moment, action: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """The inverse of `conditions`. Raises KeyError for a condition that is not ours."""
    return tuple(
        _read_criterion(
            needed(
                (
                    extension
                    for extension in condition["extension"]
                    if extension["url"] == codes.CRITERION_EXTENSION
                ),
                "our phase-criterion",
            )
        )
        for condition in action.get("condition", ())
        if condition["kind"] == moment
    )


def precaution_extension(precaution: Precaution) -> dict[str, Any]:
    """A precaution, with the exercises and movements that it rules out."""
    return {
        "url": codes.PRECAUTION_EXTENSION,
        "extension": [
            {"url": "id", "valueCode": precaution.id},
            {"url": "text", **translated("valueString", precaution.text)},
            *(
                {"url": "forbids", "valueCanonical": activity_url(exercise_id)}
                for exercise_id in precaution.forbids
            ),
            *map(rule_extension, precaution.rules),
        ],
    }


def read_precautions(extensions: Iterable[Mapping[str, Any]]) -> tuple[Precaution, ...]:
    """The precautions among `extensions`. Raises KeyError where one lacks a part."""
    return tuple(
        _read_precaution(extension["extension"])
        for extension in extensions
        if extension["url"] == codes.PRECAUTION_EXTENSION
    )


def rule_extension(rule: MovementRule) -> dict[str, Any]:
    """A rule of a movement."""
    degrees = [] if rule.deg is None else [{"url": "deg", "valueDecimal": rule.deg}]
    return {
        "url": codes.MOVEMENT_RULE_EXTENSION,
        "extension": [
            {"url": "kind", "valueCode": rule.kind},
            {"url": "subject", "valueCode": rule.subject},
            *degrees,
        ],
    }


def read_rules(extensions: Iterable[Mapping[str, Any]]) -> tuple[MovementRule, ...]:
    """The rules of movements among `extensions`. Raises KeyError where one lacks a part."""
    found = []
    for extension in extensions:
        if extension["url"] == codes.MOVEMENT_RULE_EXTENSION:
            parts = {part["url"]: part for part in extension["extension"]}
            deg = parts["deg"]["valueDecimal"] if "deg" in parts else None
            kind, subject = parts["kind"]["valueCode"], parts["subject"]["valueCode"]
            found.append(MovementRule(kind, subject, deg))
    return tuple(found)


def pain_extension(pain: PainBounds) -> dict[str, Any]:
    """The bounds of pain, 0–10."""
    return {
        "url": codes.PAIN_BOUNDS_EXTENSION,
        "extension": [
            {"url": "limit", "valueInteger": pain.limit},
            {"url": "jump", "valueInteger": pain.jump},
            {"url": "severe", "valueInteger": pain.severe},
        ],
    }


def read_pain(extensions: Iterable[Mapping[str, Any]]) -> PainBounds:
    """The inverse of `pain_extension`. Raises KeyError where there is none."""
    found = needed(
        (e for e in extensions if e["url"] == codes.PAIN_BOUNDS_EXTENSION), "pain bounds"
    )
    parts = {part["url"]: part["valueInteger"] for part in found["extension"]}
    return PainBounds(parts["limit"], parts["jump"], parts["severe"])


def _criterion(criterion: Criterion) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"url": "measure", "valueCode": criterion.measure},
        {"url": "comparison", "valueCode": criterion.comparison},
        {"url": "value", "valueDecimal": criterion.value},
        {"url": "unit", "valueCode": criterion.unit},
    ]
    if criterion.exercise_id is not None:
        parts.append({"url": "exercise", "valueCanonical": activity_url(criterion.exercise_id)})
    if criterion.instrument_id is not None:
        parts.append({"url": "instrument", "valueCode": criterion.instrument_id})
    return {"url": codes.CRITERION_EXTENSION, "extension": parts}


def _read_criterion(extension: Mapping[str, Any]) -> Criterion:
    parts = {part["url"]: part for part in extension["extension"]}
    return Criterion(
        measure=parts["measure"]["valueCode"],
        comparison=parts["comparison"]["valueCode"],
        value=parts["value"]["valueDecimal"],
        unit=parts["unit"]["valueCode"],
        exercise_id=exercise_of(parts["exercise"]["valueCanonical"])
        if "exercise" in parts
        else None,
        instrument_id=parts["instrument"]["valueCode"] if "instrument" in parts else None,
    )


def _read_precaution(parts: list[Mapping[str, Any]]) -> Precaution:
    return Precaution(
        id=needed((part["valueCode"] for part in parts if part["url"] == "id"), "its id"),
        text=needed(
            (texts(part, "valueString") for part in parts if part["url"] == "text"), "its text"
        ),
        forbids=tuple(
            exercise_of(part["valueCanonical"]) for part in parts if part["url"] == "forbids"
        ),
        rules=read_rules(parts),
    )
