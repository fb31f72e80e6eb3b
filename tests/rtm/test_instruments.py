"""The library of outcome measures: published scores, licensed texts, and when each is asked."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import textstat
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtm.instruments import (
    InvalidInstrument,
    Line,
    Measure,
    UnknownInstrument,
    due,
    load_measures,
    measures_with_texts,
    schedule_of,
)
from rtm.instruments.library import read_measure
from rtm.protocols import load_protocols
from tests.rtm.test_exercise_reading import flesch_kincaid_grade

MEASURES = load_measures()
START = date(2026, 11, 2)
EVERY_TWO = (Line("nprs", 0, 2), Line("grc", 4, 4))


def score(instrument_id: str, *values: int) -> float | None:
    instrument = MEASURES[instrument_id].instrument
    ids = [item.id for item in instrument.items]
    return instrument.score(dict(zip(ids, values, strict=False)))


@pytest.mark.parametrize(
    ("raw", "interval"),
    [(0, 100.0), (1, 91.975), (7, 68.284), (14, 52.465), (15, 50.012), (27, 8.291), (28, 0.0)],
)
def test_koos_jr_converts_its_sum_by_the_published_table(raw: int, interval: float) -> None:
    values = [min(4, max(0, raw - 4 * n)) for n in range(7)]
    assert sum(values) == raw
    assert score("koos_jr", *values) == interval


def test_koos_jr_has_no_score_with_an_answer_missing() -> None:
    assert score("koos_jr", *[2] * 6) is None


def test_the_intervals_of_koos_jr_fall_with_the_sum() -> None:
    table = MEASURES["koos_jr"].instrument.conversion
    assert len(table) == 29
    assert list(table) == sorted(table, reverse=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1] * 11, 0.0), ([5] * 11, 100.0), ([3] * 11, 50.0), ([3] * 10, 50.0), ([2] * 9, None)],
)
def test_quickdash_scales_the_mean_and_needs_ten_answers(
    values: list[int], expected: float | None
) -> None:
    assert score("quickdash", *values) == expected


def test_the_oswestry_index_scores_as_its_own_example() -> None:
    """16 of 50 is 32 %; with a section missed, 16 of 45 is 35.5 %."""
    assert score("odi", 2, 2, 2, 2, 2, 2, 1, 1, 1, 1) == 32.0
    assert score("odi", 2, 2, 2, 2, 2, 2, 2, 1, 1) == pytest.approx(35.5, abs=0.06)
    assert score("odi", *[2] * 8) is None


def test_the_neck_index_takes_a_missing_answer_for_the_mean_of_the_others() -> None:
    assert score("ndi", *[2] * 10) == 20.0
    assert score("ndi", *[2] * 9) == 20.0


def test_the_generic_scales_are_their_single_answer() -> None:
    assert score("nprs", 7) == 7.0
    assert score("grc", -5) == -5.0
    assert MEASURES["grc"].instrument.score_bounds == (-5.0, 5.0)


@given(st.sampled_from(list(MEASURES)), st.data())
def test_every_score_lies_within_its_bounds(measure: Measure, data: st.DataObject) -> None:
    instrument = measure.instrument
    answers = {
        item.id: data.draw(st.integers(item.least, item.most))
        for item in instrument.items
        if data.draw(st.booleans())
    }
    least, most = instrument.score_bounds
    found = instrument.score(answers)
    assert found is None or least - 1e-9 <= found <= most + 1e-9


def test_only_texts_that_may_ship_do_and_each_says_where_that_was_read() -> None:
    assert {each.id for each in MEASURES if each.askable} == {"nprs", "psfs", "grc"}
    for measure in MEASURES:
        assert measure.licence.source
        assert measure.instrument.title["es"] != measure.instrument.title["en"]


def words(measure: Measure, language: str) -> str:
    ends = [f"{end[language]}." for end in measure.ends or ()]
    items = [item.text[language].strip("?¿") + "." for item in measure.instrument.items]
    return " ".join([measure.intro[language], *items, *ends])


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.askable], ids=lambda m: m.id)
def test_a_sixth_grader_can_read_the_questions(measure: Measure) -> None:
    assert flesch_kincaid_grade(words(measure, "en")) <= 6
    textstat.set_lang("es")
    assert textstat.szigriszt_pazos(words(measure, "es")) >= 65


def texts(instrument_id: str = "koos_jr", **changes: Any) -> dict[str, Any]:
    instrument = MEASURES[instrument_id].instrument
    return {
        "instrument": instrument_id,
        "version": instrument.version,
        "permission": "made up for this test",
        "items": {item.id: {"en": f"About {item.id}"} for item in instrument.items},
        "choices": [{"value": n, "text": {"en": str(n)}} for n in range(5)],
        **changes,
    }


def load(folder: Path, document: Any) -> Measure:
    (folder / "mine.yaml").write_text(yaml.safe_dump(document))
    return measures_with_texts(folder)["koos_jr"]


def test_loaded_texts_make_a_licensed_measure_askable(tmp_path: Path) -> None:
    assert not measures_with_texts(tmp_path / "none")["koos_jr"].askable
    measure = load(tmp_path, texts())
    assert measure.askable
    assert measure.instrument.items[0].text["en"] == "About stiffness_morning"
    assert measure.instrument.conversion == MEASURES["koos_jr"].instrument.conversion
    assert not MEASURES["koos_jr"].askable


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (texts(version="1"), "for version 1 of koos_jr"),
        (texts(items={"knee": {"en": "Knee"}}), "the items of koos_jr are: stiffness_morning"),
        (texts(choices=[{"value": 0, "text": {"en": "None"}}] * 2), "words for each value"),
        (texts("nprs"), "has its texts already"),
        (texts() | {"instrument": "womac"}, "unknown outcome measure 'womac'"),
        (texts() | {"permission": ""}, "permission"),
        (["no mapping"], "not of type 'object'"),
    ],
)
def test_texts_that_do_not_fit_are_refused_with_file_and_reason(
    tmp_path: Path, document: Any, why: str
) -> None:
    with pytest.raises(InvalidInstrument, match=why) as refused:
        load(tmp_path, document)
    assert "mine.yaml" in str(refused.value)


def test_an_unknown_measure_lists_the_known_ones() -> None:
    with pytest.raises(UnknownInstrument, match="grc, koos_jr"):
        MEASURES["womac"]


NPRS = yaml.safe_load(files("rtm.instruments").joinpath("nprs.yaml").read_text("utf-8"))
Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["items"].append(d["items"][0]), "stands twice"),
        (lambda d: d["items"][0].update(least=10, most=0), "upside down"),
        (lambda d: d["scoring"].update(fewest=1), "only a mean"),
        (lambda d: d.update(scoring={"rule": "mean", "fewest": 3}), "more answers than it has"),
        (lambda d: d["scoring"].update(conversion=[0, 1]), "each of the 11 sums"),
        (lambda d: d["licence"].update(texts_ship=False), "just where they may ship"),
        (lambda d: d.pop("licence"), "licence"),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused(change: Change, why: str) -> None:
    document = deepcopy(NPRS)
    change(document)
    with pytest.raises(InvalidInstrument, match=why):
        read_measure("nprs.yaml", document)


def test_every_program_asks_the_same_and_its_protocol_adds_what_can_be_scored() -> None:
    always = [line.instrument_id for line in schedule_of(None)]
    assert always == ["nprs", "psfs", "grc"]
    knee = schedule_of(load_protocols()["total_knee_replacement"])
    assert [line.instrument_id for line in knee] == [*always, "koos_jr"]
    for protocol in load_protocols():
        asked = [line.instrument_id for line in schedule_of(protocol)]
        assert len(set(asked)) == len(asked)
        assert set(asked) <= set(load_measures().by_id)


def asked(today: int, answered: dict[str, list[int]] | None = None) -> list[str]:
    days = {
        key: [START + timedelta(days=n) for n in value] for key, value in (answered or {}).items()
    }
    found = due(EVERY_TWO, START, days, START + timedelta(days=today))
    return [each.instrument_id for each in found]


def test_the_baseline_is_asked_from_the_first_day_until_it_is_there() -> None:
    assert asked(-1) == []
    assert asked(0) == ["nprs"]
    assert asked(13) == ["nprs"]
    assert asked(13, {"nprs": [0]}) == []


def test_every_time_asks_anew_and_an_answer_a_little_early_counts() -> None:
    assert asked(14, {"nprs": [0]}) == ["nprs"]
    assert asked(14, {"nprs": [0, 11]}) == []
    assert asked(14, {"nprs": [0, 10]}) == ["nprs"]


def test_what_was_missed_is_not_asked_twice() -> None:
    assert asked(28) == ["nprs", "grc"]
    assert asked(28, {"nprs": [28], "grc": [28]}) == []


def test_a_change_is_asked_only_when_there_was_time_for_one() -> None:
    assert "grc" not in asked(27)
    assert "grc" in asked(28)
