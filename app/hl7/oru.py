"""A home session as results: HL7 v2.5.1 ORU^R01, one OBR, and one OBX for each measurement.

The codes are those of the FHIR Observations (`fhir.observation`). What was not measured has no
OBX, for a result without a value is read as zero by more than one receiver.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

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
from rtm.session import Session

_SOURCES = {
    "video": "Measured from video",
    "landmarks": "Measured from body landmarks",
    "manual": "Reported by the patient",
}
_UNITS = {
    "deg": "degree",
    "s": "second",
    "{repetitions}": "repetitions",
    "{score}": "score",
}


@dataclass(frozen=True)
class _Measurement:
    """`code` is OBX-3 in its wire form, `unit` UCUM; `value` goes with one decimal at most."""

    code: str
    value: float
    unit: str


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
    lines = [msh("ORU^R01^ORU_R01", envelope), pid(subject), segment("OBR", order)]
    method = components(f"source_{session.source}", _SOURCES[session.source], OWN_CODES)
    side_code, side = LATERALITY[session.side]
    lines.append(
        segment(
            "OBX",
            {
                1: "1",
                2: "CE",
                3: _own("side", "Body side"),
                5: components(side_code, side, "SCT"),
                11: "F",
                14: start,
                17: method,
            },
        )
    )
    for number, measured in enumerate(_measurements(session), start=2):
        lines.append(
            segment(
                "OBX",
                {
                    1: str(number),
                    2: "NM",
                    3: measured.code,
                    5: f"{measured.value:.1f}".removesuffix(".0"),
                    6: components(measured.unit, _UNITS[measured.unit], "UCUM"),
                    11: "F",
                    14: start,
                    17: method,
                },
            )
        )
    return require_valid("".join(lines))


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
