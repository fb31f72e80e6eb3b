"""Zero-lag smoothing of an angle on its real time stamps; what was not measured stays so."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vision.landmarks import Array

# Passes a repetition a second (93 % of its range) and halves whatever is faster than 3 Hz, the
# band of tremor and of the estimator's jitter. Compared with Butterworth, Savitzky–Golay, median
# and One-Euro filters in docs/decisions/0005-smoothing.md.
SIGMA_S = 0.06


def smooth(t_s: Array, angle_deg: Array) -> Array:
    """(N,) `angle_deg` without single-frame outliers and jitter; gaps stay NaN.

    Each value becomes the Gaussian-weighted mean of the measured values about it in time, so
    that it neither lags nor depends on an even frame rate.
    """
    measured = np.isfinite(angle_deg)
    if not measured.any():
        return np.full_like(angle_deg, np.nan)
    cleaned = np.where(measured, _without_outliers(angle_deg, measured), 0.0)
    total = np.zeros_like(cleaned)
    weight = np.zeros_like(cleaned)
    count = len(cleaned)
    for shift, w in enumerate(_weights(np.asarray(t_s, dtype=np.float64).tobytes())):
        early, late = slice(0, count - shift), slice(shift, count)
        # Two neighbours weigh the same for each other; a frame counts for itself once.
        for here, there in ((early, late), (late, early))[: 2 if shift else 1]:
            total[here] += w * cleaned[there]
            weight[here] += w * measured[there]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(measured, total / weight, np.nan)


@lru_cache(maxsize=4)  # one recording has many angles on the same time stamps
def _weights(times: bytes) -> tuple[Array, ...]:
    """What frames weigh for each other that are 0, 1, 2 … frames apart, as far as three sigmas."""
    t_s = np.frombuffer(times, dtype=np.float64)
    period = float(np.median(np.diff(t_s)))
    reach = max(1, int(np.ceil(3 * SIGMA_S / period)))
    return tuple(
        np.exp(-0.5 * ((t_s[shift:] - t_s[: t_s.size - shift]) / SIGMA_S) ** 2)
        for shift in range(min(reach, t_s.size - 1) + 1)
    )


def _without_outliers(angle_deg: Array, measured: np.ndarray) -> Array:
    """A running median of three over the measured frames: one mistaken frame disappears."""
    values = angle_deg[measured]
    if values.size >= 3:
        low, high = np.minimum(values[:-2], values[1:-1]), np.maximum(values[:-2], values[1:-1])
        inner = np.maximum(low, np.minimum(high, values[2:]))
        values = np.concatenate([values[:1], inner, values[-1:]])
    cleaned = angle_deg.copy()
    cleaned[measured] = values
    return cleaned
