"""How well a score agrees with a label: by rank, in points, never on a subject it learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from vision.landmarks import Array


def auc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """The chance that a positive case scores above a negative one, ties counting half; 0–1.

    NaN without both kinds.
    """
    good = np.array([s for s, p in zip(scores, positive, strict=True) if p])
    bad = np.array([s for s, p in zip(scores, positive, strict=True) if not p])
    if not good.size or not bad.size:
        return float("nan")
    above = good[:, None] - bad[None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def spearman(first: Array, second: Array) -> float:
    """Rank correlation, −1 to 1; NaN for fewer than three pairs or where one does not vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


def one_subject_out(subjects: Sequence[str]) -> Iterator[tuple[Array, Array]]:
    """(train, test) as boolean (N,) arrays: each subject is tested once, on all the others."""
    each = np.array(subjects)
    for subject in sorted(set(subjects)):
        yield each != subject, each == subject


def predicted_for_unseen_subjects(parts: Array, target: Array, subjects: Sequence[str]) -> Array:
    """(N,) predictions of `target` from `parts` (N, K), a linear map fitted on other subjects.

    A part that was not measured, NaN, counts as the training subjects' mean of it. NaN where the
    training subjects have too few recordings for a map.
    """
    predictions = np.full(len(target), np.nan)
    for train, test in one_subject_out(subjects):
        measured = np.isfinite(parts[train]).any(axis=0)
        if train.sum() <= measured.sum() + 1:
            continue
        means = np.nanmean(parts[train][:, measured], axis=0)
        filled = np.where(np.isfinite(parts[:, measured]), parts[:, measured], means)
        design = np.column_stack([np.ones(len(target)), filled])
        weights, *_ = np.linalg.lstsq(design[train], target[train], rcond=None)
        predictions[test] = design[test] @ weights
    return predictions
