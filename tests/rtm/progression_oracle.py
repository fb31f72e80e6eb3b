"""The rules of proposals said a second time, from the protocols' YAML and raw day sheets.

Written apart from `rtm.progression`, by the sentences of docs/clinical/protocols.md, and sharing
no code with it: no Protocol, Course, Reading or Criterion, and its own look at windows.
"""

from __future__ import annotations

import statistics
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tests.rtm.simulated_patients import DaySheet, Patient

Verdict = tuple[str, str | None, str | None]


@cache
def document(protocol_id: str) -> dict[str, Any]:
    """The protocol as its file says it."""
    text = files("rtm.protocols").joinpath(f"{protocol_id}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def verdict(
    protocol: dict[str, Any],
    phase_id: str,
    patient: Patient,
    today: date,
    *,
    surgery: date | None,
    onset: date | None,
) -> Verdict:
    """Kind, level and the phase proposed; a change of exercises counts as what it stands in for:
    `regress`/`hold` with level None, because the oracle does not know the exercises' links."""
    past = [sheet for sheet in patient.sheets if sheet.on <= today]
    if alarming(protocol, past, today):
        return ("call", None, None)
    if flaring(protocol, past, today) or losing(past, today):
        return ("regress", None, None)
    ids = [phase["id"] for phase in protocol["phases"]]
    here = ids.index(phase_id)
    last = here == len(ids) - 1
    asked = list(protocol["phases"][here]["exit_criteria"])
    if not last:
        asked += protocol["phases"][here + 1]["entry_criteria"]
    limit = protocol["pain"]["limit"]
    asked.append({"measure": "pain_severity", "comparison": "at_most", "value": limit})
    dates = {
        "time_since_surgery": surgery,
        "time_since_onset": onset,
        "time_in_phase": patient.began,
    }
    for one in asked:
        value = measured(one, patient, past, today, dates)
        if value is None:
            return ("hold", None, None)
        enough = value >= one["value"] if one["comparison"] == "at_least" else value <= one["value"]
        if not enough:
            return ("hold", None, None)
    return ("progress", "discharge", None) if last else ("progress", "phase", ids[here + 1])


def alarming(protocol: dict[str, Any], past: list[DaySheet], today: date) -> bool:
    """Severe pain or a jump of pain, today or yesterday."""
    fresh, usual = [], []
    for sheet in past:
        age = (today - sheet.on).days
        if sheet.pain:
            worst = max(max(pair) for pair in sheet.pain.values())
            if age <= 1:
                fresh.append(worst)
            elif age <= 15:
                usual.append(worst)
    if not fresh:
        return False
    if max(fresh) >= protocol["pain"]["severe"]:
        return True
    return len(usual) >= 3 and max(fresh) - statistics.median(usual) >= protocol["pain"]["jump"]


def flaring(protocol: dict[str, Any], past: list[DaySheet], today: date) -> bool:
    """Three days of the last week above the limit."""
    bad = 0
    for sheet in past:
        if (today - sheet.on).days <= 6 and sheet.pain:
            bad += max(max(pair) for pair in sheet.pain.values()) > protocol["pain"]["limit"]
    return bad >= 3


def losing(past: list[DaySheet], today: date) -> bool:
    """This week's best test of a movement is worse than the best before by more than the MDC."""
    for movement in movements():
        upwards = (movement["direction"] == "maximum") == (movement.get("counts") != "opposite")
        new, old = [], []
        for sheet in past:
            if movement["id"] in sheet.tests_deg:
                value = sheet.tests_deg[movement["id"]] * (1 if upwards else -1)
                (new if (today - sheet.on).days <= 6 else old).append(value)
        if new and old and max(old) - max(new) > movement["mdc"]["value_deg"]:
            return True
    return False


@cache
def movements() -> list[dict[str, Any]]:
    """The movements that can be tested, as their file says them."""
    text = files("rtm").joinpath("range_of_motion.yaml").read_text("utf-8")
    loaded: list[dict[str, Any]] = yaml.safe_load(text)["movements"]
    return loaded


def measured(
    one: dict[str, Any],
    patient: Patient,
    past: list[DaySheet],
    today: date,
    dates: dict[str, date | None],
) -> float | None:
    """What counts for one criterion; None where there is not enough."""
    name = one["measure"]
    if name in dates:
        since = dates[name]
        return None if since is None else (today - since).days / 7
    if name == "adherence":
        return patient.adherence(today)
    week = [sheet for sheet in past if (today - sheet.on).days < 7 and sheet.pain]
    if name in ("pain_before", "pain_severity"):
        which = 0 if name == "pain_before" else 1
        if len(week) < 3:
            return None
        return max(pair[which] for sheet in week for pair in sheet.pain.values())
    fortnight = [sheet for sheet in past if (today - sheet.on).days < 14]
    if name == "score_total":
        scores = [s.score[one["exercise"]] for s in fortnight if one["exercise"] in s.score]
        return statistics.fmean(scores) if len(scores) >= 3 else None
    if name == "repetitions_in_30_s":
        counts = [s.stands[one["exercise"]] for s in fortnight if one["exercise"] in s.stands]
        return max(counts) if counts else None
    tests = [s.tests_deg[name] for s in fortnight if name in s.tests_deg]
    if not tests:
        return None
    return max(tests) if one["comparison"] == "at_least" else min(tests)
