"""A surgeon's variant: laid over a shipped protocol, checked whole, refused by file and path."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir.plan_definition import plan_definition, read_plan_definition
from rtm.exercises import load_library
from rtm.protocols import InvalidProtocol, load_protocols, with_variants
from rtm.protocols.heed import breaches_in
from rtm.protocols.variants import read_variant

LARGE_TEAR = """
id: rotator_cuff_repair_large_tear
of: rotator_cuff_repair
title: {en: "Rotator cuff repair, large tear", es: "Reparación del manguito, desgarro grande"}
author: Dr. Imogen Vale, Prairie Orthopedics
reason: Large and massive tears keep the sling for six weeks in this practice.
phases:
  weeks_0_2:
    weeks: 6
    title: {en: "Weeks 0 to 6", es: "Semanas 0 a 6"}
    exit_criteria:
      put:
        - {measure: time_since_surgery, comparison: at_least, value: 6, unit: weeks}
  weeks_2_6: remove
  weeks_6_12:
    exercises:
      remove: [shoulder_abduction]
      put:
        - {exercise: table_slide, sets: 3, repetitions: 10, hold_s: 10, times_per_day: 3}
        - {exercise: forearm_rotation, sets: 2, repetitions: 10}
    exit_criteria:
      remove: [adherence]
"""


def written(folder: Path, text: str = LARGE_TEAR) -> Path:
    path = folder / "rotator_cuff_repair_large_tear.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_variant_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    variant = read_variant(written(tmp_path))
    shipped = load_protocols()["rotator_cuff_repair"]
    assert [phase.id for phase in variant.phases] == ["weeks_0_2", "weeks_6_12", "weeks_12_20"]
    first = variant.phase("weeks_0_2")
    assert first.weeks == 6
    assert {c.key: c.value for c in first.exit_criteria}["time_since_surgery"] == 6
    assert first.exercises == shipped.phase("weeks_0_2").exercises
    second = variant.phase("weeks_6_12")
    assert [line.exercise_id for line in second.exercises] == [
        *("pendulum", "table_slide", "shoulder_flexion", "elbow_flexion", "scapular_squeeze"),
        "forearm_rotation",
    ]
    assert second.exercises[1].dose.times_per_day == 3
    assert "adherence" not in {c.key for c in second.exit_criteria}
    assert variant.phase("weeks_12_20") == shipped.phase("weeks_12_20")
    assert variant.sources == shipped.sources
    assert variant.variant is not None
    assert variant.variant.author == "Dr. Imogen Vale, Prairie Orthopedics"
    for phase in variant.phases:
        assert breaches_in(variant, phase, load_library()) == ()


def test_variants_stand_beside_the_shipped_protocols(tmp_path: Path) -> None:
    written(tmp_path)
    library = with_variants(tmp_path)
    assert len(library) == len(load_protocols()) + 1
    assert library["rotator_cuff_repair_large_tear"].variant is not None
    assert library["rotator_cuff_repair"].variant is None
    assert len(with_variants(tmp_path / "none")) == len(load_protocols())


def test_a_variant_comes_back_whole_from_its_plan_definition(tmp_path: Path) -> None:
    variant = read_variant(written(tmp_path))
    assert read_plan_definition(plan_definition(variant)) == variant


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("author: Dr. Imogen Vale, Prairie Orthopedics\n", "", "author"),
        ("of: rotator_cuff_repair\n", "of: cuff\n", r"\$\.of: .*unknown protocol 'cuff'"),
        ("weeks_2_6: remove", "weeks_3_6: remove", r"\$\.phases\.weeks_3_6: no such phase"),
        (
            "remove: [shoulder_abduction]",
            "remove: [squat]",
            r"\$\.phases\.weeks_6_12\.exercises\.remove\[0\]: there is no squat",
        ),
        (
            "remove: [adherence]",
            "remove: [steps]",
            r"\$\.phases\.weeks_6_12\.exit_criteria\.remove\[0\]: there is no steps",
        ),
        ("exercise: forearm_rotation, ", "", r"exercises\.put\[1\]: it names no id"),
        (
            "exercise: forearm_rotation",
            "exercise: moonwalk",
            "weeks_6_12: unknown exercise moonwalk",
        ),
        ("exercise: forearm_rotation", "exercise: band_row", "prescribes band_row, which"),
        (
            "sets: 3, repetitions: 10, hold_s: 10",
            "sets: 30, repetitions: 10",
            "table_slide: sets must",
        ),
        ("value: 6, unit: weeks", "value: 6, unit: deg", "is in weeks"),
        ("id: rotator_cuff_repair_large_tear", "id: cuff_large", r"\$\.id: the file must be named"),
        ("reason: Large", "reason: [Large", "not YAML"),
    ],
)
def test_a_broken_variant_is_refused_by_file_and_path(
    good: str, bad: str, says: str, tmp_path: Path
) -> None:
    assert good in LARGE_TEAR
    path = written(tmp_path, LARGE_TEAR.replace(good, bad, 1))
    with pytest.raises(InvalidProtocol, match=says) as refused:
        with_variants(tmp_path)
    assert str(refused.value).startswith(str(path))


def test_a_variant_may_lift_a_precaution_but_only_by_name(tmp_path: Path) -> None:
    changes = "    exercises:\n      remove: [shoulder_abduction]\n      put:\n"
    assert changes in LARGE_TEAR
    band = "        - {exercise: band_row, sets: 2, repetitions: 10}\n"
    lifted = LARGE_TEAR.replace(
        changes, "    precautions:\n      remove: [no_resistance]\n" + changes + band, 1
    )
    variant = read_variant(written(tmp_path, lifted))
    assert "band_row" in {line.exercise_id for line in variant.phase("weeks_6_12").exercises}


def test_a_variant_cannot_take_the_place_of_a_shipped_protocol(tmp_path: Path) -> None:
    text = LARGE_TEAR.replace("id: rotator_cuff_repair_large_tear", "id: neck_pain")
    (tmp_path / "neck_pain.yaml").write_text(text, "utf-8")
    with pytest.raises(InvalidProtocol, match="id of another protocol"):
        with_variants(tmp_path)
