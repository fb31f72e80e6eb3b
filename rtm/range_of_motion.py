"""Range of motion that a patient measures alone: what is measured, and what a change means.

The movements, their normal ranges and their minimal detectable changes (MDC) are data with
sources in `range_of_motion.yaml`. Values are in deg by the clinical convention (0° = anatomical
position): flexion counts upwards, and extension is the flexion that is left, so less is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import floor
from statistics import stdev
from typing import Any, Literal

from rtm.checked_yaml import check_document, shipped_document
from rtm.exercises import CameraView

BodySide = Literal["left", "right"]
Language = Literal["en", "es"]
Method = Literal["goniometer", "inclinometer", "inertial", "markerless"]

# Three trials and the best of them: the usual way in range-of-motion testing, and few enough
# that a sore joint can do them.
MOST_ATTEMPTS = 3


class UnknownMovement(LookupError):
    """No movement has this id; the message lists the ids there are."""


class InvalidMovements(ValueError):
    """The data break the schema; the message names place and rule."""


@dataclass(frozen=True)
class NormalRange:
    """What is usual in health; `low_deg` equals `high_deg` where the source gives one value."""

    low_deg: float
    high_deg: float
    source: str
    source_checked: bool

    @property
    def text(self) -> str:
        if self.low_deg == self.high_deg:
            return f"{self.high_deg:g}°"
        return f"{self.low_deg:g}–{self.high_deg:g}°"


@dataclass(frozen=True)
class DetectableChange:
    """The least change that measuring alone does not explain, at 95 % confidence.

    `method` is what it was published for: ours is a camera, so it is a yardstick, not a promise.
    `basis` says how it follows from what was published; `source_checked` is False where the
    figure is from memory.
    """

    value_deg: float
    method: Method
    source: str
    basis: str
    source_checked: bool


@dataclass(frozen=True)
class RangeMovement:
    """One joint movement to be measured. Texts are keyed by language (`en`, `es`).

    `angle` is an angle of `vision.kinematics`, and its `direction` the end that is measured.
    `counts` is `opposite` where the clinical value is the angle's opposite, as in
    plantarflexion. `bilateral` movements have a left and a right. `moves` begins the sentence
    about a change ("Your knee bends").
    """

    id: str
    name: Mapping[str, str]
    region: str
    angle: str
    direction: Literal["maximum", "minimum"]
    counts: Literal["angle", "opposite"]
    bilateral: bool
    view: CameraView
    moves: Mapping[str, str]
    instructions: Mapping[str, tuple[str, ...]]
    normal: NormalRange
    mdc: DetectableChange

    def value_deg(self, angle_deg: float) -> float:
        """The clinical value of an angle of `vision.kinematics`."""
        return -angle_deg if self.counts == "opposite" else angle_deg

    def gain_deg(self, earlier_deg: float, later_deg: float) -> float:
        """How much further the joint moves by `later_deg` than by `earlier_deg`; less is < 0."""
        higher_is_further = (self.direction == "maximum") == (self.counts == "angle")
        return later_deg - earlier_deg if higher_is_further else earlier_deg - later_deg


@dataclass(frozen=True)
class RangeResult:
    """One test of one movement.

    `attempts_deg` are the attempts that could be measured, in their order, and `best_deg` the
    one that went furthest. `standard_deviation_deg` is the sample's, None for a single attempt.
    Where nothing was measured `best_deg` is None and `not_measured` says why. `side` is None
    for a movement without sides.
    """

    movement_id: str
    side: BodySide | None
    attempts_deg: tuple[float, ...]
    best_deg: float | None
    standard_deviation_deg: float | None
    warnings: tuple[str, ...]
    not_measured: str | None = None


@dataclass(frozen=True)
class Change:
    """Between two tests of one movement; `gain_deg` > 0 where the joint moves further now."""

    earlier_deg: float
    later_deg: float
    gain_deg: float
    mdc_deg: float

    @property
    def certain(self) -> bool:
        """Whether it is at least what measuring alone can explain."""
        return abs(self.gain_deg) >= self.mdc_deg

    @property
    def shown_deg(self) -> int:
        """|gain| in whole degrees, never rounded up to an MDC that was not reached."""
        size = round(abs(self.gain_deg))
        return size if self.certain or size < self.mdc_deg else floor(abs(self.gain_deg))


@dataclass(frozen=True)
class RangeMovements:
    """Every movement by id, iterated in the order of the data: by region from head to foot."""

    by_id: Mapping[str, RangeMovement]

    def __getitem__(self, movement_id: str) -> RangeMovement:
        try:
            return self.by_id[movement_id]
        except KeyError:
            known = ", ".join(sorted(self.by_id))
            raise UnknownMovement(f"unknown joint {movement_id!r}; known: {known}") from None

    def __iter__(self) -> Iterator[RangeMovement]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)


@cache
def load_movements() -> RangeMovements:
    """The movements shipped with this package. Raises InvalidMovements."""
    return read_movements(shipped_document("range_of_motion.yaml"))


def read_movements(document: Any) -> RangeMovements:
    """The movements of a parsed document, checked against the schema. Raises InvalidMovements."""
    check_document(document, "range_of_motion.schema.json", InvalidMovements)
    by_id: dict[str, RangeMovement] = {}
    for item in document["movements"]:
        if item["id"] in by_id:
            raise InvalidMovements(f"{item['id']}: stands twice")
        movement = _movement(item)
        if movement.normal.low_deg > movement.normal.high_deg:
            raise InvalidMovements(f"{movement.id}: the normal range is upside down")
        by_id[movement.id] = movement
    return RangeMovements(by_id)


def range_result(
    movement: RangeMovement,
    side: BodySide | None,
    attempts_deg: Sequence[float],
    warnings: Sequence[str] = (),
) -> RangeResult:
    """The best of one to three attempts, with a warning where they differ by more than the MDC.

    Raises:
        ValueError: no attempt, or more than three.
    """
    if not 1 <= len(attempts_deg) <= MOST_ATTEMPTS:
        raise ValueError(f"a test has 1 to {MOST_ATTEMPTS} attempts, got {len(attempts_deg)}")
    best = attempts_deg[0]
    for attempt in attempts_deg[1:]:
        if movement.gain_deg(best, attempt) > 0:
            best = attempt
    found = list(warnings)
    if max(attempts_deg) - min(attempts_deg) > movement.mdc.value_deg:
        found.append(
            "Your tries differ more than measuring alone can explain "
            f"(MDC {movement.mdc.value_deg:g}°). Rest, and measure again."
        )
    return RangeResult(
        movement_id=movement.id,
        side=side,
        attempts_deg=tuple(attempts_deg),
        best_deg=best,
        standard_deviation_deg=stdev(attempts_deg) if len(attempts_deg) > 1 else None,
        warnings=tuple(found),
    )


def not_measured(
    movement: RangeMovement, side: BodySide | None, why: str, warnings: Sequence[str] = ()
) -> RangeResult:
    """A test that gave no value; `why` is for the patient."""
    return RangeResult(movement.id, side, (), None, None, tuple(warnings), why)


def change_between(movement: RangeMovement, earlier_deg: float, later_deg: float) -> Change:
    """The change between two tests' best values, beside the movement's MDC."""
    return Change(
        earlier_deg=earlier_deg,
        later_deg=later_deg,
        gain_deg=movement.gain_deg(earlier_deg, later_deg),
        mdc_deg=movement.mdc.value_deg,
    )


def change_in_words(
    movement: RangeMovement,
    change: Change,
    language: Language,
    earlier_on: date | None = None,
    later_on: date | None = None,
) -> str:
    """Two plain sentences: how much further than at the test before, and how sure that is.

    The day of the test before is named where it is known and another than `later_on`, with its
    year where that is another.
    """
    words = _WORDS[language]
    when = words["last_time"]
    if earlier_on is not None and earlier_on != later_on:
        month = _MONTHS[language][earlier_on.month - 1]
        when = words["day"].format(day=earlier_on.day, month=month)
        if later_on is not None and earlier_on.year != later_on.year:
            when += words["year"].format(year=earlier_on.year)
    key = "same" if change.shown_deg == 0 else "more" if change.gain_deg > 0 else "less"
    first = words[key].format(moves=movement.moves[language], size=change.shown_deg, when=when)
    second = words["certain" if change.certain else "uncertain"]
    return f"{first} {second.format(mdc=f'{change.mdc_deg:g}')}"


_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "day": "on {day} {month}",
        "year": " {year}",
        "last_time": "last time",
        "more": "{moves} {size}° more than {when}.",
        "less": "{moves} {size}° less than {when}.",
        "same": "{moves} as far as {when}.",
        "certain": "That is more than measuring alone can explain (MDC {mdc}°).",
        "uncertain": "That is within what measuring alone can explain (MDC {mdc}°).",
    },
    "es": {
        "day": "el {day} de {month}",
        "year": " de {year}",
        "last_time": "la última vez",
        "more": "{moves} {size}° más que {when}.",
        "less": "{moves} {size}° menos que {when}.",
        "same": "{moves} igual que {when}.",
        "certain": "Es más de lo que puede explicar la sola medición (MDC {mdc}°).",
        "uncertain": "La sola medición puede explicar esa diferencia (MDC {mdc}°).",
    },
}
_MONTHS: Mapping[str, Sequence[str]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "es": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
        *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ),
}


def _movement(item: dict[str, Any]) -> RangeMovement:
    steps = {language: tuple(lines) for language, lines in item["instructions"].items()}
    return RangeMovement(
        id=item["id"],
        name=item["name"],
        region=item["region"],
        angle=item["angle"],
        direction=item["direction"],
        counts=item.get("counts", "angle"),
        bilateral=item["bilateral"],
        view=item["view"],
        moves=item["moves"],
        instructions=steps,
        normal=NormalRange(**item["normal"]),
        mdc=DetectableChange(**item["mdc"]),
    )
