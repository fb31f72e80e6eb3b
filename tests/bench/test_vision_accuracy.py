"""The benchmark's own measures, on labels small enough to work out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data_sets import Recording, recordings
from bench.metrics import auc, one_subject_out, predicted_for_unseen_subjects, spearman
from bench.vision_accuracy import (
    Counted,
    Judged,
    clinical_agreement,
    exact_rate,
    judge,
    main,
    mean_count_error,
    print_clinical,
    print_discrimination,
)
from rtm.session import ScoreParts
from tests.vision.figure import cycles, figure
from tests.vision.test_skeletons import irds_file, kimore_folder, rehab_files, ui_prmd_files
from vision.errors import UnreadableSeries
from vision.landmarks import LandmarkSeries


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [
        ([90, 80, 20, 10], [True, True, False, False], 1.0),
        ([10, 20, 80, 90], [True, True, False, False], 0.0),
        ([50, 50], [True, False], 0.5),
        ([30, 60, 50], [True, True, False], 0.5),
    ],
)
def test_auc_is_the_chance_that_a_correct_one_scores_higher(
    scores: list[float], positive: list[bool], area: float
) -> None:
    assert auc(scores, positive) == area


def test_auc_needs_both_kinds() -> None:
    assert np.isnan(auc([1.0, 2.0], [True, True]))


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=2, max_size=30))
def test_auc_turns_over_when_the_labels_do(cases: list[tuple[float, bool]]) -> None:
    scores, labels = zip(*cases, strict=True)
    if len(set(labels)) == 2:
        turned = auc(scores, [not label for label in labels])
        assert auc(scores, labels) == pytest.approx(1 - turned)


def test_spearman_looks_at_ranks_only() -> None:
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(first, np.exp(first)) == pytest.approx(1.0)
    assert spearman(first, -first) == pytest.approx(-1.0)
    assert spearman(first, np.array([1.0, 2.0, 4.0, 3.0])) == pytest.approx(0.8)
    assert np.isnan(spearman(first, np.ones(4)))


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20))
def test_no_subject_is_in_both_train_and_test(subjects: list[str]) -> None:
    tested = np.zeros(len(subjects), dtype=int)
    for train, test in one_subject_out(subjects):
        names = np.array(subjects)
        assert not set(names[train]) & set(names[test])
        assert (train ^ test).all()
        tested += test
    assert (tested == 1).all()


def test_a_subjects_own_scores_do_not_help_to_predict_them() -> None:
    rng = np.random.default_rng(2)
    parts = rng.uniform(0, 100, (40, 3))
    target = 10 + parts @ np.array([0.2, 0.1, 0.05])
    subjects = [f"s{n // 4}" for n in range(40)]
    assert predicted_for_unseen_subjects(parts, target, subjects) == pytest.approx(target)
    # One subject judged by another rule: the others' rule is what is predicted for them.
    odd = target.copy()
    odd[:4] += 20
    predicted = predicted_for_unseen_subjects(parts, odd, subjects)
    assert predicted[:4] == pytest.approx(target[:4])


def test_a_part_that_was_not_measured_counts_as_the_others_mean() -> None:
    parts = np.array([[10.0, 1.0], [20.0, 1.0], [30.0, np.nan], [40.0, 1.0], [50.0, 1.0]])
    target = parts[:, 0] / 2
    predicted = predicted_for_unseen_subjects(parts, target, list("abcde"))
    assert predicted == pytest.approx(target)


def test_too_few_subjects_predict_nothing() -> None:
    parts = np.eye(3)
    assert np.isnan(predicted_for_unseen_subjects(parts, np.arange(3.0), list("abc"))).all()


def test_counts_are_compared_exactly_and_on_average() -> None:
    counts = [Counted("x", "squat", None, truth, counted) for truth, counted in ((5, 5), (5, 3))]
    assert exact_rate(counts) == 0.5
    assert mean_count_error(counts) == 1.0


def _judged(total: float | None, **labels: object) -> Judged:
    clinical = labels.pop("clinical", None)
    recording = Recording(
        "set", "squat", str(labels.pop("subject", "s")), lambda: _raise(), **labels
    )  # type: ignore[arg-type]
    parts = ScoreParts(total, total, total, None, None, total)
    return Judged(recording, parts, clinical)  # type: ignore[arg-type]


def _raise() -> LandmarkSeries:
    raise UnreadableSeries("The file is empty (0 bytes).")


def test_discrimination_is_printed_with_what_could_not_be_scored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_discrimination(
        [_judged(80, correct=True), _judged(40, correct=False), _judged(None, correct=False)]
    )
    assert "AUC 1.00, 2 scored, 1 without a score" in capsys.readouterr().out


def test_what_a_folder_does_not_hold_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    print_discrimination([])
    print_clinical([])
    assert capsys.readouterr().out.count("no recording of this kind here") == 2


def test_clinical_agreement_is_worked_out_over_unseen_subjects() -> None:
    group = [
        _judged(10.0 * n, subject=f"s{n}", clinical=5.0 * n, correct=None) for n in range(1, 9)
    ]
    rank, error, number = clinical_agreement(group)
    assert (rank, number) == (pytest.approx(1.0), 8)
    assert error == pytest.approx(0.0, abs=1e-6)


def test_recordings_of_every_public_set_are_found_by_layout(tmp_path: Path) -> None:
    kimore_folder(tmp_path / "KiMoRe")
    ui_prmd_files(tmp_path / "UI-PRMD")
    (tmp_path / "IRDS").mkdir()
    irds_file(tmp_path / "IRDS")
    rehab = tmp_path / "REHAB24-6"
    (rehab / "3d_joints/Ex6").mkdir(parents=True)
    names = {"SHOULDER": "UArm", "ELBOW": "FArm", "WRIST": "Hand", "HIP": "Thigh", "KNEE": "Shin"}
    joints, _ = rehab_files(rehab, names, ("L", "R"))
    joints.rename(rehab / "3d_joints/Ex6/PM_000-30fps.npy")
    (rehab / "Segmentation.csv").write_text(
        "video_id;exercise_id;person_id;first_frame;last_frame;mocap_erroneous;correctness\n"
        "PM_000;6;3;1;20;0;0\n"
    )
    # Two of these exercises are the library's by the sets' own numbering.
    found = {recording.data_set: recording for recording in recordings(tmp_path)}
    assert set(found) == {"KIMORE", "UI-PRMD", "IntelliRehabDS", "REHAB24-6"}
    assert found["UI-PRMD"].correct is True
    assert found["REHAB24-6"].correct is False
    assert found["REHAB24-6"].read().frame_count == 20
    assert found["IntelliRehabDS"].subject == "303"
    clinical = found["KIMORE"].clinical_score
    assert clinical is not None
    assert clinical() == 42.5
    judged, _, refused = judge(found.values())
    assert len(judged) == 4
    assert not refused


def test_a_recording_that_can_not_be_read_is_named_and_the_rest_goes_on() -> None:
    good = figure({"knee_flexion": cycles([80.0, 80.0], rest=5.0)})
    found = [
        Recording("set", "squat", "a", _raise, correct=True),
        Recording("set", "knee_extension_seated", "b", lambda: good, repetitions=0),
    ]
    judged, counts, refused = judge(found)
    assert len(judged) == len(counts) == 1
    assert refused == ["set squat: The file is empty (0 bytes)."]


def test_an_empty_folder_gives_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["vision_accuracy", str(tmp_path)])
    main()
    assert capsys.readouterr().out.count("no recording of this kind here") == 4
