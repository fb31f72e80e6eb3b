"""A session measured on the patient's own device: its landmarks arrive piece by piece.

Each piece is a few seconds of the landmark series' `.json` form, compressed with gzip, and is kept
once however often it is sent. When the last has come they are put together into one recording,
which then takes the way of every other; no picture is in it.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from flask_babel import gettext as _

from app.context import Context
from app.declarations import STOPPED, is_monitoring_stopped
from app.sessions import SessionNotWanted, SessionRefused, SessionReport, accept_recording
from app.store import SessionRow
from vision.errors import UnreadableSeries
from vision.landmarks import LandmarkSeries
from vision.series_files import read_series, write_npz

# Five seconds at 60 frames/s are 0.3 MB compressed and 1.5 MB as text; a session of two hours has
# 1,440 pieces of five seconds.
MOST_PIECE_BYTES = 1024 * 1024
_MOST_PIECE_TEXT_BYTES = 8 * 1024 * 1024
_MOST_PIECES = 1440

_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class PieceConflict(SessionRefused):
    """Another piece was sent under this number."""


@dataclass(frozen=True)
class PiecesMissing(Exception):
    """The session can't be put together yet; `numbers` have not come."""

    numbers: tuple[int, ...]


def keep_piece(
    context: Context,
    tenant_id: str,
    patient_id: int,
    session_id: str,
    number: int,
    content: bytes,
) -> None:
    """Keeps piece `number` (from 0), forced to disk; the same again has no further effect.

    Raises:
        SessionRefused: too large, no gzip, no landmark series, a number out of bounds, or a
            patient who does not want to be monitored.
        PieceConflict: other content came under this number.
    """
    if not 0 <= number < _MOST_PIECES:
        raise SessionRefused(
            _("The pieces of a session are numbered 0 to %(last)s.", last=_MOST_PIECES - 1)
        )
    if len(content) > MOST_PIECE_BYTES:
        raise SessionRefused(_("A piece may have %(most)s bytes.", most=MOST_PIECE_BYTES))
    folder = _folder(context, tenant_id, patient_id, session_id)
    path = folder / f"{number:04d}.json.gz"
    if path.exists():
        if path.read_bytes() != content:
            raise PieceConflict(
                _("Another piece %(number)s of this session was sent before.", number=number)
            )
        return
    with context.database.begin(tenant_id) as db:
        if is_monitoring_stopped(db, patient_id):
            raise SessionNotWanted(STOPPED)
    series = _series(content)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{uuid4()}.part"
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _keep_parsed(series, path)


def finish(
    context: Context, tenant_id: str, patient_id: int, report: SessionReport, pieces: int
) -> SessionRow:
    """Puts the `pieces` together and accepts them as the session's recording.

    Sent again, it gives the session of the first time.

    Raises:
        PiecesMissing: some have not come.
        SessionRefused: as `accept_recording`, or the pieces do not follow each other in time.
    """
    folder = _folder(context, tenant_id, patient_id, report.session_id)
    with context.database.begin(tenant_id) as db:
        earlier = db.get(SessionRow, report.session_id)
        if earlier is not None and earlier.patient_id == patient_id:
            return earlier
    if not 1 <= pieces <= _MOST_PIECES:
        raise SessionRefused(_("A session has at least one piece."))
    paths = [folder / f"{number:04d}.json.gz" for number in range(pieces)]
    missing = tuple(number for number, path in enumerate(paths) if not path.exists())
    if missing:
        raise PiecesMissing(missing)
    series = _joined(_parsed(path) for path in paths)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "session.npz"
        write_npz(series, whole)
        with whole.open("rb") as stream:
            row = accept_recording(context, tenant_id, patient_id, report, whole.name, stream)
    shutil.rmtree(folder, ignore_errors=True)
    return row


def _folder(context: Context, tenant_id: str, patient_id: int, session_id: str) -> Path:
    """Raises SessionRefused for an id that could lead elsewhere."""
    if not _SESSION_ID.fullmatch(session_id):
        raise SessionRefused(_("The session id must be a UUID in lower case."))
    return context.settings.recordings_dir / "live" / f"{tenant_id}-{patient_id}-{session_id}"


def _keep_parsed(series: LandmarkSeries, path: Path) -> None:
    """Beside the piece at `path`, so that finishing need not parse hours of JSON in one request."""
    draft = path.with_name(f".{uuid4()}.npz")
    write_npz(series, draft)
    draft.replace(_parsed_path(path))


def _parsed(path: Path) -> LandmarkSeries:
    """The piece at `path`, as parsed when it came, else anew. Raises SessionRefused."""
    try:
        return read_series(_parsed_path(path))
    except (FileNotFoundError, UnreadableSeries):
        return _series(path.read_bytes())


def _parsed_path(path: Path) -> Path:
    return path.with_name(path.name.replace(".json.gz", ".npz"))


def _series(content: bytes) -> LandmarkSeries:
    """The piece as a series. Raises SessionRefused."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as archive:
            text = archive.read(_MOST_PIECE_TEXT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SessionRefused(
            _("The piece is not compressed by gzip: %(reason)s.", reason=error)
        ) from None
    if len(text) > _MOST_PIECE_TEXT_BYTES:
        raise SessionRefused(_("The piece is too large when unpacked."))
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(text)
        file.flush()
        try:
            return read_series(Path(file.name))
        except UnreadableSeries as error:
            raise SessionRefused(_("The piece can't be read: %(reason)s", reason=error)) from None


def _joined(pieces: Iterator[LandmarkSeries]) -> LandmarkSeries:
    parts = list(pieces)
    if len({(part.width, part.height) for part in parts}) > 1:
        raise SessionRefused(_("The size of the picture changed in the middle of the session."))
    try:
        return LandmarkSeries(
            t_s=np.concatenate([part.t_s for part in parts]),
            image=np.concatenate([part.image for part in parts]),
            world=np.concatenate([part.world for part in parts]),
            visibility=np.concatenate([part.visibility for part in parts]),
            width=parts[0].width,
            height=parts[0].height,
        )
    except UnreadableSeries as error:
        raise SessionRefused(
            _("The pieces do not fit together: %(reason)s", reason=error)
        ) from None
