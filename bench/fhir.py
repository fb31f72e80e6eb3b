"""How fast Observations are built, validated and written, beside fhir.resources' bare construct.

    python -m bench.fhir [--seconds 4]

Ours is all that a session costs before it is sent: the transaction with its Observations, Device
and Provenance is built, each resource is validated, and the JSON is written. The bare construct
makes fhir.resources' models of the same Observations from dicts that are ready. Both take turns,
so that a busy machine slows them alike; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from fhir.resources.R4B.observation import Observation

from fhir.bundle import Resource
from fhir.device import SoftwareDevice
from fhir.observation import session_bundle
from fhir.wire import serialise
from rtm.session import AngleRange, ExerciseResult, Pain, Quality, Repetition, ScoreParts, Session

ROUNDS = 8
AT = datetime(2026, 10, 5, 23, 30, tzinfo=UTC)
DEVICE = SoftwareDevice("Homestretch", "0.1.0", "Homestretch")


def sessions(count: int) -> list[Session]:
    """Measured sessions of ten repetitions, no two alike."""
    return [_session(number) for number in range(count)]


def built(session: Session) -> Resource:
    """The session's transaction, every resource validated."""
    return session_bundle(
        session,
        patient="Patient/1",
        careplan="CarePlan/1",
        program_id="program",
        exercise_name="Arm raise to the side",
        device=DEVICE,
        recorded=AT,
    )


def observations(bundle: Resource) -> list[Resource]:
    return [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    ]


def per_second(work: Callable[[], int], seconds: float) -> float:
    """How many things a second `work` does; each call returns how many it did."""
    begun = time.perf_counter()
    done = 0
    while (spent := time.perf_counter() - begun) < seconds:
        done += work()
    return done / spent


def measure(seconds: float) -> tuple[float, float, float]:
    """Observations a second, ours and bare, and the ratio; `seconds` in all for each."""
    of = sessions(50)
    ready = [observation for session in of for observation in observations(built(session))]

    def ours() -> int:
        bundles = [built(session) for session in of]
        assert all(serialise(bundle) for bundle in bundles)
        return sum(len(observations(bundle)) for bundle in bundles)

    def bare() -> int:
        return len([Observation(**observation) for observation in ready])

    turns = [
        (per_second(ours, seconds / ROUNDS), per_second(bare, seconds / ROUNDS))
        for _ in range(ROUNDS)
    ]
    mine, theirs = (statistics.median(rates) for rates in zip(*turns, strict=True))
    return mine, theirs, mine / theirs


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fhir")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of the two")
    options = parser.parse_args(arguments)
    mine, theirs, ratio = measure(options.seconds)
    print(f"built, validated and written   {mine:8.0f} Observations/s")
    print(f"fhir.resources' bare construct {theirs:8.0f} Observations/s")
    print(f"ratio                          {ratio:8.2f}")


def _session(number: int) -> Session:
    started = AT + timedelta(minutes=number)
    result = ExerciseResult(
        exercise_id="shoulder_abduction",
        side="left",
        duration_s=40.0 + number,
        frames=1_000,
        frames_measured=980,
        repetitions=tuple(
            Repetition(4.0 * n, 4.0 * n + 2, 4.0 * n + 4, 140.0, 128.0, 90.0, ()) for n in range(10)
        ),
        primary_angle=AngleRange("shoulder_abduction", 10.0, 140.0 + number / 10),
        score=ScoreParts(88.2, 95.0, 90.1, 86.5, None, 100.0),
        faults=(),
        quality=Quality(0.9, 25.0, ()),
    )
    return Session(
        f"session-{number}",
        "shoulder_abduction",
        "left",
        "landmarks",
        started,
        40.0 + number,
        Pain(4, 3),
        result,
    )


if __name__ == "__main__":
    main()
