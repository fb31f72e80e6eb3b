"""Results: HL7 v2.5.1 ORU^R01 for a home session or a range-of-motion test.

One OBR, and one OBX for each measurement. The codes are those of the FHIR Observations
(`fhir.observation`, `fhir.range_observation`). What was not measured has no OBX, for a result
without a value is read as zero by more than one receiver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from app.hl7.er7 import escape
from app.hl7.writing import (
    APPLICATION,
    OWN_CODES,
    Envelope,
    Subject,
    components,
    msh,
    pid,
    require_valid,
    segment,
    timestamp,
)
from fhir.codes import LATERALITY, PAIN_SEVERITY
from rtm.range_of_motion import Change, RangeMovement, RangeResult
from rtm.session import Session

_SOURCES = {
    "video": "Measured from video",
    "landmarks": "Measured from body landmarks",
    "manual": "Reported by the patient",
}
# OBX-7.
_LONGEST_NORMAL = 60

_UNITS = {
    "deg": "degree",
    "s": "second",
    "{repetitions}": "repetitions",
    "{score}": "score",
}


@dataclass(frozen=True)
class _Measurement:
    """`code` is OBX-3 in its wire form, `unit` UCUM, `normal` the reference range in words; `value`
    goes with one decimal at most."""

    code: str
    value: float
    unit: str
    normal: str = ""


@dataclass(frozen=True)
class RangeTest:
    """A test that was measured, from `video` or from `landmarks`."""

    id: str
    measured_at: datetime
    source: Literal["video", "landmarks"]
    result: RangeResult


def oru_r01(session: Session, exercise_name: str, subject: Subject, envelope: Envelope) -> str:
    """The message, every segment ended by CR. OBR-3 is the session's id, whenever it is sent.

    Raises:
        NotValid: a text in it breaks HL7's grammar.
    """
    start, end = timestamp(session.started_at), timestamp(session.ended_at)
    order = {
        1: "1",
        3: components(session.id, APPLICATION),
        4: components(
            "exercise_session",
            "Home exercise session",
            OWN_CODES,
            session.exercise_id,
            exercise_name,
            OWN_CODES,
        ),
        7: start,
        8: end,
        22: timestamp(envelope.written_at),
        24: "PHT",
        25: "F",
    }
    return _report(
        order, _measurements(session), session.source, session.side, start, subject, envelope
    )


def range_oru_r01(
    test: RangeTest,
    movement: RangeMovement,
    change: Change | None,
    subject: Subject,
    envelope: Envelope,
) -> str:
    """As `oru_r01`, for one range-of-motion test; `change` is against the test before, if any.

    Raises:
        NotValid: a text in it breaks HL7's grammar.
        ValueError: nothing was measured.
    """
    if test.result.best_deg is None:
        raise ValueError("a test without a value is no result")
    title = f"Range of motion, {movement.id.replace('_', ' ')}"
    at = timestamp(test.measured_at)
    order = {
        1: "1",
        3: components(test.id, APPLICATION),
        4: components(
            "range_of_motion_test",
            "Range of motion test",
            OWN_CODES,
            movement.id,
            title,
            OWN_CODES,
        ),
        7: at,
        8: at,
        22: timestamp(envelope.written_at),
        24: "PHT",
        25: "F",
    }
    found = _range_measurements(test.result, test.result.best_deg, title, movement, change)
    return _report(order, found, test.source, test.result.side, at, subject, envelope)


def _report(
    order: Mapping[int, str],
    measurements: Sequence[_Measurement],
    source: str,
    side: str | None,
    at: str,
    subject: Subject,
    envelope: Envelope,
) -> str:
    """One OBR, the side as the first OBX where there is one, and an OBX a measurement."""
    method = components(f"source_{source}", _SOURCES[source], OWN_CODES)
    every = {11: "F", 14: at, 17: method}
    results: list[dict[int, str]] = []
    if side is not None:
        code, words = LATERALITY[side]
        side_is = {2: "CE", 3: _own("side", "Body side"), 5: components(code, words, "SCT")}
        results.append(side_is)
    results += [
        {
            2: "NM",
            3: measured.code,
            5: f"{measured.value:.1f}".removesuffix(".0"),
            6: components(measured.unit, _UNITS[measured.unit], "UCUM"),
            7: escape(measured.normal),
        }
        for measured in measurements
    ]
    lines = [msh("ORU^R01^ORU_R01", envelope), pid(subject), segment("OBR", order)]
    for number, fields in enumerate(results, start=1):
        lines.append(segment("OBX", {1: str(number), **fields, **every}))
    return require_valid("".join(lines))


def _range_measurements(
    result: RangeResult,
    best_deg: float,
    title: str,
    movement: RangeMovement,
    change: Change | None,
) -> list[_Measurement]:
    best = _own(f"range_of_motion_{movement.id}", f"{title}, best of {len(result.attempts_deg)}")
    found = [_Measurement(best, best_deg, "deg", movement.normal.text[:_LONGEST_NORMAL])]
    found += [
        _plain(f"attempt_{number}", value, "deg")
        for number, value in enumerate(result.attempts_deg, start=1)
    ]
    if result.standard_deviation_deg is not None:
        found.append(_plain("standard_deviation", result.standard_deviation_deg, "deg"))
    found.append(_plain("minimal_detectable_change", movement.mdc.value_deg, "deg"))
    if change is not None:
        certainty = "certain" if change.certain else "within measurement error"
        words = f"Further than at the test before ({certainty}), less below 0"
        found.append(_Measurement(_own("gain", words), change.gain_deg, "deg"))
    return found


def _measurements(session: Session) -> list[_Measurement]:
    found = [
        _plain("repetitions", session.repetition_count, "{repetitions}"),
        _plain("duration", session.duration_s, "s"),
    ]
    if session.result is not None:
        for part, value in asdict(session.result.score).items():
            if value is not None:
                found.append(_plain(f"score_{part}", value, "{score}"))
        angle = session.result.primary_angle
        if angle is not None:
            words = angle.name.replace("_", " ")
            found += [
                _Measurement(_own(angle.name, f"Range of motion, {words}"), angle.rom_deg, "deg"),
                _plain("angle_minimum", angle.min_deg, "deg"),
                _plain("angle_maximum", angle.max_deg, "deg"),
            ]
    if session.feedback.effort is not None:
        found.append(_plain("perceived_exertion", session.feedback.effort, "{score}"))
    loinc, display = PAIN_SEVERITY
    for when, pain in (("before", session.pain.before), ("after", session.pain.after)):
        code = components(
            loinc, display, "LN", f"pain_{when}", f"Pain {when} the session", OWN_CODES
        )
        found.append(_Measurement(code, pain, "{score}"))
    return found


def _plain(name: str, value: float, unit: str) -> _Measurement:
    return _Measurement(_own(name, name.replace("_", " ").capitalize()), value, unit)


def _own(code: str, text: str) -> str:
    return components(code, text, OWN_CODES)
