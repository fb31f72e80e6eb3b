"""Uploaded recordings on disk: written whole and synced before anything is promised."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StoredRecording:
    """`name` is relative to the recordings folder; `size` in bytes."""

    name: str
    sha256: str
    size: int


def store_recording(folder: Path, owner: str, suffix: str, stream: BinaryIO) -> StoredRecording:
    """Copies `stream` into `folder` and forces it to disk.

    The name is made of `owner` and the content's digest, so that no upload can replace another
    and the same bytes are kept once; it appears only when complete.
    """
    draft = folder / f".{uuid4()}.part"
    digest, size = hashlib.sha256(), 0
    try:
        with draft.open("wb") as file:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        name = f"{owner}-{digest.hexdigest()}{suffix}"
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)
    return StoredRecording(name, digest.hexdigest(), size)
