"""Landmark series as files: `.npz`, `.json` and `.csv`.

`.npz`: arrays `image` (N, 33, 4: x, y, z, visibility), `world` (N, 33, 4 or 3), `t_s` (N,),
`width`, `height`. NaN where nobody was found.

`.json`: the same keys; `null` for NaN; a frame in which nobody was found may be `null`.
`visibility` may stand alone as (N, 33), with `image` (N, 33, 2 or 3).

`.csv`: a header, then a row a frame: `t_s`, and for each landmark i of 0–32 the columns
`x{i}, y{i}, visibility{i}` with optional `wx{i}, wy{i}, wz{i}`; empty cells for NaN. The
picture's size stands in the columns `width` and `height`.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import LANDMARK_COUNT, Array, LandmarkSeries

SERIES_SUFFIXES = frozenset({".npz", ".json", ".csv"})

# An hour at 120 frames/s: more is not a session, and would only fill memory.
_MOST_FRAMES = 432_000


def read_series(path: Path) -> LandmarkSeries:
    """The series in `path`, by its extension.

    Raises:
        UnreadableSeries: the file is empty, not of its format, lacks a key or has wrong shapes.
    """
    if path.stat().st_size == 0:
        raise UnreadableSeries("The file is empty (0 bytes).")
    readers = {".npz": _read_npz, ".json": _read_json, ".csv": _read_csv}
    return readers[path.suffix.lower()](path)


def write_npz(series: LandmarkSeries, path: Path) -> None:
    """Writes the `.npz` form, compressed; a series always gives the same bytes.

    At zlib's first level: coordinates hardly shrink further, and NumPy's own takes thrice as long.
    """
    visibility = series.visibility[..., None]
    depth = np.where(np.isnan(series.image[..., :1]), np.nan, 0.0)
    arrays: dict[str, Array] = {
        "image": np.concatenate([series.image, depth, visibility], axis=2).astype(np.float32),
        "world": np.concatenate([series.world, visibility], axis=2).astype(np.float32),
        "t_s": series.t_s,
        "width": np.asarray(series.width),
        "height": np.asarray(series.height),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(entry, content.getbuffer(), zipfile.ZIP_DEFLATED, compresslevel=1)


def write_json(series: LandmarkSeries, path: Path) -> None:
    """Writes the `.json` form: `null` for NaN and for a frame in which nobody was found."""
    tracked = np.isfinite(series.world).any(axis=(1, 2))
    document = {
        "t_s": series.t_s.round(4).tolist(),
        "width": series.width,
        "height": series.height,
        "image": _rows(series.image),
        "world": _rows(series.world) if tracked.any() else None,
        "visibility": series.visibility.round(3).tolist(),
    }
    present = {key: value for key, value in document.items() if value is not None}
    path.write_text(json.dumps(present, allow_nan=False), "utf-8")


def _rows(values: Array) -> list[Any]:
    """Nested lists with `null` for NaN, and for a whole frame of it."""
    rows: list[Any] = []
    for frame in values.round(5):
        if np.isnan(frame).all():
            rows.append(None)
        elif np.isnan(frame).any():
            rows.append([[None if np.isnan(v) else float(v) for v in point] for point in frame])
        else:
            rows.append(frame.tolist())
    return rows


def _read_npz(path: Path) -> LandmarkSeries:
    try:
        with np.load(path, allow_pickle=False) as archive:
            document = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise UnreadableSeries(f"The file is not a NumPy archive: {error}") from None
    return _series(document)


def _read_json(path: Path) -> LandmarkSeries:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UnreadableSeries(f"The file is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableSeries("The JSON is not an object with t_s, image, world, width, height.")
    for key in ("image", "world"):
        if isinstance(document.get(key), list):
            document[key] = _without_null_frames(document[key])
    return _series(document)


def _without_null_frames(frames: list[Any]) -> list[Any]:
    present = next((frame for frame in frames if frame is not None), None)
    if not isinstance(present, list) or not present or not isinstance(present[0], list):
        return frames
    absent = [[None] * len(present[0])] * len(present)
    return [absent if frame is None else frame for frame in frames]


def _read_csv(path: Path) -> LandmarkSeries:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableSeries(f"The file is not CSV text: {error}") from None
    if not rows:
        raise UnreadableSeries("The CSV has no rows.")

    def column(name: str, required: bool = True) -> Array:
        if name not in rows[0]:
            if required:
                raise UnreadableSeries(f"The CSV lacks the column {name}.")
            return np.full(len(rows), np.nan)
        try:
            return np.array([float(row[name] or "nan") for row in rows])
        except (TypeError, ValueError):
            raise UnreadableSeries(f"The column {name} holds something not a number.") from None

    def columns(names: list[str], required: bool = True) -> Array:
        per_landmark = [
            np.stack([column(f"{name}{index}", required) for name in names], axis=1)
            for index in range(LANDMARK_COUNT)
        ]
        return np.stack(per_landmark, axis=1)

    return _series(
        {
            "t_s": column("t_s"),
            "image": columns(["x", "y"]),
            "visibility": columns(["visibility"])[..., 0],
            "world": columns(["wx", "wy", "wz"], required=False),
            "width": column("width")[0],
            "height": column("height")[0],
        }
    )


def _series(document: dict[str, Any]) -> LandmarkSeries:
    arrays = {key: _numbers(document, key) for key in ("t_s", "image", "width", "height")}
    image = arrays["image"]
    if image.ndim != 3 or image.shape[2] not in (2, 3, 4):
        raise UnreadableSeries(f"image has the shape {image.shape}, expected (frames, 33, 2 to 4).")
    if image.shape[0] > _MOST_FRAMES:
        raise UnreadableSeries(f"The series has {image.shape[0]} frames; at most {_MOST_FRAMES}.")
    if "world" in document:
        world = _numbers(document, "world")[..., :3]
    else:
        world = np.full((*image.shape[:2], 3), np.nan)
    if "visibility" in document:
        visibility = _numbers(document, "visibility")
    elif image.shape[2] == 4:
        visibility = image[..., 3]
    else:
        raise UnreadableSeries("The series has no visibility.")
    width, height = arrays["width"], arrays["height"]
    if width.size != 1 or height.size != 1 or not np.isfinite([width.item(), height.item()]).all():
        raise UnreadableSeries("width and height must each be one number.")
    return LandmarkSeries(
        t_s=arrays["t_s"],
        image=image[..., :2],
        world=world,
        visibility=np.clip(np.nan_to_num(visibility, nan=0.0), 0.0, 1.0),
        width=int(width.item()),
        height=int(height.item()),
    )


def _numbers(document: dict[str, Any], key: str) -> Array:
    if key not in document:
        raise UnreadableSeries(f"The series lacks {key}.")
    try:
        return np.asarray(document[key], dtype=np.float64)
    except (TypeError, ValueError):
        raise UnreadableSeries(f"{key} is not a regular array of numbers.") from None
