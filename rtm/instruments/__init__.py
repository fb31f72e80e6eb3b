"""The library of outcome measures: scoring, texts where they may ship, and when each is asked."""

from rtm.instruments.library import (
    ImportantChange,
    InvalidInstrument,
    Measure,
    MeasureLibrary,
    UnknownInstrument,
    load_measures,
    measures_with_texts,
)
from rtm.instruments.schedule import Due, Line, due, schedule_of

__all__ = [
    "Due",
    "ImportantChange",
    "InvalidInstrument",
    "Line",
    "Measure",
    "MeasureLibrary",
    "UnknownInstrument",
    "due",
    "load_measures",
    "measures_with_texts",
    "schedule_of",
]
