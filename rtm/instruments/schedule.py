"""When a patient is asked for an outcome measure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

import yaml
from jsonschema import Draft202012Validator

from rtm.instruments.library import InvalidInstrument, load_measures
from rtm.protocols import Protocol

# An answer a few days early is the answer of that time; a house choice.
_EARLY = timedelta(days=3)


@dataclass(frozen=True)
class Line:
    """Asked for first in week `from_week` of the program (0: before it), then `every_weeks`."""

    instrument_id: str
    from_week: int
    every_weeks: int


@dataclass(frozen=True)
class Due:
    """An instrument that is asked for now, since `since`."""

    instrument_id: str
    since: date


def schedule_of(protocol: Protocol | None) -> tuple[Line, ...]:
    """What every program asks for, then what `protocol` adds.

    Measures that the library can't score are left out: nobody could read their answers.
    """
    outcomes = protocol.outcomes if protocol else ()
    known = load_measures().by_id
    added = tuple(
        Line(outcome.instrument_id, 0, outcome.every_weeks)
        for outcome in outcomes
        if outcome.instrument_id in known
    )
    return (*_of_every_program(), *added)


@cache
def _of_every_program() -> tuple[Line, ...]:
    """Raises InvalidInstrument."""
    folder = files(__package__)
    document = yaml.safe_load(folder.joinpath("schedules.yaml").read_text("utf-8"))
    schema = json.loads(folder.joinpath("schedules.schema.json").read_text("utf-8"))
    for error in Draft202012Validator(schema).iter_errors(document):
        raise InvalidInstrument(f"schedules.yaml: {error.json_path}: {error.message}")
    lines = document["every_program"]
    for line in lines:
        if line["instrument"] not in load_measures().by_id:
            raise InvalidInstrument(f"schedules.yaml: unknown measure {line['instrument']}")
    return tuple(Line(line["instrument"], line["from_week"], line["every_weeks"]) for line in lines)


def due(
    schedule: Sequence[Line],
    start: date,
    answered: Mapping[str, Collection[date]],
    today: date,
) -> tuple[Due, ...]:
    """What is asked for on `today`, in the order of the schedule.

    `start` is the first day of the patient's first program, `answered` the days of answers by
    instrument id. Only the newest time counts: what was missed before it is not asked twice. An
    answer from three days before counts for it.
    """
    found = []
    for line in schedule:
        first = start + timedelta(weeks=line.from_week)
        if today < first:
            continue
        times = (today - first) // timedelta(weeks=line.every_weeks)
        since = first + times * timedelta(weeks=line.every_weeks)
        if not any(since - _EARLY <= day <= today for day in answered.get(line.instrument_id, ())):
            found.append(Due(line.instrument_id, since))
    return tuple(found)
