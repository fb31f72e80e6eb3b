"""Reading the KIMORE data set (Capecci et al., IEEE Trans Neural Syst Rehabil Eng 27, 2019).

Each exercise of a subject is a folder `EsN` (N is 1–5) with `Raw/JointPosition*.csv`, a row a
frame of 25 Kinect v2 joints × (x, y, z in m, tracking state 0–2), `Raw/TimeStamp*.csv`, whose first
column is the frame's time, and `Label/ClinicalAssessment*.xlsx` with the clinicians' scores in
columns headed `clinical TS Ex#N` (total, 0–50), `clinical PO Ex#N` and `clinical CF Ex#N`. Rows may
be parted by blank lines. Public readers of the set agree on all that but the fourth number,
which most leave out; where it is not 0, 1 or 2 the file is refused. The unit of the times is
told from Kinect's own frame rate.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import LandmarkSeries
from vision.skeletons.kinect import JOINTS, seconds, series_of_kinect
from vision.skeletons.text import lines_of, table


def read_exercise(folder: Path) -> LandmarkSeries:
    """The recording in an `EsN` folder.

    Raises:
        UnreadableSeries: a file is missing, doubled or not of this form.
    """
    rows = table(_only(folder, "Raw/JointPosition*.csv"), 4 * len(JOINTS), ",")
    joints = rows.reshape(len(rows), len(JOINTS), 4)
    states = joints[..., 3]
    if not np.isin(states, (0, 1, 2)).all():
        raise UnreadableSeries("A joint's fourth number is not a tracking state 0, 1 or 2.")
    stamps_file = _only(folder, "Raw/TimeStamp*.csv")
    try:
        stamps = np.array([float(line.split(",")[0]) for line in lines_of(stamps_file)])
    except ValueError:
        raise UnreadableSeries(f"{stamps_file.name} holds something not a number.") from None
    if len(stamps) != len(rows):
        raise UnreadableSeries(f"There are {len(stamps)} time stamps for {len(rows)} frames.")
    return series_of_kinect(seconds(stamps), joints[..., :3], states)


def exercise_number(folder: Path) -> int | None:
    """N of a folder `EsN`; None for any other."""
    match = re.fullmatch(r"Es([1-5])", folder.name)
    return int(match[1]) if match else None


def clinical_score(folder: Path) -> float:
    """The clinicians' total score, 0–50, of the exercise in an `EsN` folder.

    Raises:
        UnreadableSeries: the label is missing or not of this form.
    """
    path = _only(folder, "Label/ClinicalAssessment*.xlsx")
    rows = list(_sheet(path))
    wanted = f"clinical TS Ex#{exercise_number(folder)}"
    if len(rows) < 2 or wanted not in rows[0].values():
        raise UnreadableSeries(f"{path.name} has no column {wanted}.")
    column = next(key for key, value in rows[0].items() if value == wanted)
    try:
        score = float(rows[1][column])
    except (KeyError, ValueError):
        raise UnreadableSeries(f"{path.name} has no number for {wanted}.") from None
    if not 0 <= score <= 50:
        raise UnreadableSeries(f"{path.name} has the score {score}, expected 0 to 50.")
    return score


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise UnreadableSeries(f"{folder.name} has {len(found)} files {pattern}, expected one.")
    return found[0]


_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _sheet(path: Path) -> Iterator[dict[str, str]]:
    """The rows of the first sheet, each as column letters to text (ECMA-376, SpreadsheetML)."""
    try:
        with zipfile.ZipFile(path) as book:
            texts = []
            if "xl/sharedStrings.xml" in book.namelist():
                shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
                texts = ["".join(item.itertext()) for item in shared.iter(f"{_MAIN}si")]
            sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError):
        raise UnreadableSeries(f"{path.name} is not a workbook.") from None
    for row in sheet.iter(f"{_MAIN}row"):
        cells = {}
        for cell in row.iter(f"{_MAIN}c"):
            text = "".join(cell.itertext()).strip()
            shared_text = cell.get("t") == "s" and text
            column = (cell.get("r") or "").rstrip("0123456789")
            cells[column] = (texts[int(text)] if shared_text else text).strip()
        yield cells
