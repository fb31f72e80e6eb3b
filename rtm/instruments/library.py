"""Loading the outcome measures: YAML in, checked `Measure` values out.

Each has its scoring here. The words of one that is licensed do not ship: whoever holds the licence
loads them from a file of their own (`texts.schema.json`), and until then it is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonschema import Draft202012Validator

from rtm.outcomes import Instrument, Item


class UnknownInstrument(LookupError):
    """No outcome measure has this id; the message lists those there are."""


class InvalidInstrument(ValueError):
    """A file breaks its schema or does not fit its instrument; the message names file and rule."""


@dataclass(frozen=True)
class ImportantChange:
    """The least change in points that matters to patients (`mcid`), or that measuring alone does
    not explain (`mdc`). `source_checked` is False where the figure is from memory."""

    points: float
    kind: Literal["mcid", "mdc"]
    source: str
    source_checked: bool

    @property
    def name(self) -> str:
        return self.kind.upper()


@dataclass(frozen=True)
class Licence:
    """On what terms the words may be used, and where that was read."""

    terms: str
    source: str
    texts_ship: bool


@dataclass(frozen=True)
class Measure:
    """An outcome measure as it is asked. Texts are keyed by language (`en`, `es`).

    `intro` stands before the questions. `choices` are the words of each value, `ends` those of
    the first and the last where only these have any. What it `measures` is a state, or a change
    since the beginning: then each score stands for itself. Without its texts it is not `askable`.
    """

    instrument: Instrument
    measures: Literal["state", "change"]
    licence: Licence
    important_change: ImportantChange | None
    intro: Mapping[str, str]
    choices: Mapping[int, Mapping[str, str]]
    ends: tuple[Mapping[str, str], Mapping[str, str]] | None

    @property
    def id(self) -> str:
        return self.instrument.id

    @property
    def askable(self) -> bool:
        return all(item.text for item in self.instrument.items)


@dataclass(frozen=True)
class MeasureLibrary:
    """Every measure by id, iterated in the order of ids."""

    by_id: Mapping[str, Measure]

    def __getitem__(self, instrument_id: str) -> Measure:
        try:
            return self.by_id[instrument_id]
        except KeyError:
            known = ", ".join(sorted(self.by_id))
            raise UnknownInstrument(
                f"unknown outcome measure {instrument_id!r}; known: {known}"
            ) from None

    def __iter__(self) -> Iterator[Measure]:
        return iter(self.by_id[key] for key in sorted(self.by_id))

    def __len__(self) -> int:
        return len(self.by_id)


@cache
def load_measures() -> MeasureLibrary:
    """The measures shipped with this package. Raises InvalidInstrument."""
    by_id: dict[str, Measure] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml") and file.name != "schedules.yaml":
            measure = read_measure(file.name, yaml.safe_load(file.read_text("utf-8")))
            if file.name != f"{measure.id}.yaml":
                raise InvalidInstrument(f"{file.name}: holds the id {measure.id!r}")
            by_id[measure.id] = measure
    return MeasureLibrary(by_id)


def measures_with_texts(folder: Path) -> MeasureLibrary:
    """The shipped measures, with the licensed texts of every `*.yaml` in `folder` where it exists.

    Raises:
        InvalidInstrument: a file breaks the schema, or fits no measure of its id and version.
    """
    by_id = dict(load_measures().by_id)
    for path in sorted(folder.glob("*.yaml")):
        try:
            document = yaml.safe_load(path.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise InvalidInstrument(f"{path}: not YAML: {error}") from None
        _hold_to("texts.schema.json", str(path), document)
        known = by_id.get(document["instrument"])
        if known is None:
            raise InvalidInstrument(f"{path}: unknown outcome measure {document['instrument']!r}")
        by_id[known.id] = _with_texts(str(path), known, document)
    return MeasureLibrary(by_id)


def read_measure(name: str, document: Any) -> Measure:
    """The measure of a parsed document, checked against the schema. Raises InvalidInstrument."""
    _hold_to("schema.json", name, document)
    scoring = document["scoring"]
    items = tuple(
        Item(
            each["id"], each.get("text", {}), each["least"], each["most"], each.get("named", False)
        )
        for each in document["items"]
    )
    instrument = Instrument(
        id=document["id"],
        version=document["version"],
        title=document["title"],
        items=items,
        scoring=scoring["rule"],
        better=document["better"],
        source=document["source"],
        fewest=scoring.get("fewest"),
        factor=float(scoring.get("factor", 1)),
        offset=float(scoring.get("offset", 0)),
        conversion=tuple(map(float, scoring.get("conversion", ()))),
    )
    measure = Measure(
        instrument=instrument,
        measures=document["measures"],
        licence=Licence(**document["licence"]),
        important_change=ImportantChange(**document["important_change"])
        if "important_change" in document
        else None,
        intro=document.get("intro", {}),
        choices={each["value"]: each["text"] for each in document.get("choices", ())},
        ends=(document["ends"]["least"], document["ends"]["most"]) if "ends" in document else None,
    )
    for problem in _contradictions(measure):
        raise InvalidInstrument(f"{name}: {problem}")
    return measure


def _contradictions(measure: Measure) -> Iterator[str]:
    instrument = measure.instrument
    ids = [item.id for item in instrument.items]
    if len(set(ids)) != len(ids):
        yield "an item stands twice"
    if any(item.least >= item.most for item in instrument.items):
        yield "a scale is upside down"
    if instrument.fewest is not None and instrument.scoring != "mean":
        yield "only a mean can be taken of fewer answers than items"
    if instrument.fewest is not None and instrument.fewest > len(ids):
        yield "it needs more answers than it has items"
    sums = sum(item.most - item.least for item in instrument.items) + 1
    if instrument.conversion and (instrument.scoring, len(instrument.conversion)) != ("sum", sums):
        yield f"the conversion must have a score for each of the {sums} sums"
    if measure.licence.texts_ship != measure.askable:
        yield "the texts must be there just where they may ship"


def _with_texts(name: str, known: Measure, document: Mapping[str, Any]) -> Measure:
    instrument = known.instrument
    if document["version"] != instrument.version:
        raise InvalidInstrument(
            f"{name}: for version {document['version']} of {known.id}, not {instrument.version}"
        )
    if known.licence.texts_ship:
        raise InvalidInstrument(f"{name}: {known.id} has its texts already")
    texts = document["items"]
    if set(texts) != {item.id for item in instrument.items}:
        wanted = ", ".join(item.id for item in instrument.items)
        raise InvalidInstrument(f"{name}: the items of {known.id} are: {wanted}")
    values = {n for item in instrument.items for n in range(item.least, item.most + 1)}
    if values != {each["value"] for each in document["choices"]}:
        raise InvalidInstrument(f"{name}: the choices must be words for each value of a scale")
    return replace(
        known,
        instrument=replace(
            instrument,
            items=tuple(replace(item, text=texts[item.id]) for item in instrument.items),
        ),
        intro=document.get("intro", {}),
        choices={each["value"]: each["text"] for each in document["choices"]},
    )


def _hold_to(schema: str, name: str, document: Any) -> None:
    rules = json.loads(files(__package__).joinpath(schema).read_text("utf-8"))
    for error in Draft202012Validator(rules).iter_errors(document):
        raise InvalidInstrument(f"{name}: {error.json_path}: {error.message}")
