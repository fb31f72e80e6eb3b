"""Ten thousand mutations of real HL7 v2 messages lose nothing and break nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hl7_fuzz import fuzz

MESSAGES, SEED = 10_000, 2026

# Four senders with a message of 256 KiB each, their copies in the database driver, and room.
MOST_GROWTH_MB = 150


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a file system: this test is of the logic, not of the disk."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_ten_thousand_mutations_are_stored_and_answered_or_end_their_connection(
    quick_folder: Path,
) -> None:
    report = fuzz(MESSAGES, SEED, quick_folder)
    assert report.failures == []
    assert sum(report.sent.values()) == MESSAGES
    assert len(report.sent) == 17  # every kind of mutation came
    assert report.frames > 0.85 * MESSAGES
    assert report.broken > 0.1 * MESSAGES
    assert {"AA", "AE", "AR", "none due"} <= set(report.answers)
    assert {"applied", "not_ours", "ignored", "set_aside", "refused"} == set(report.states)
    assert report.memory_mb - report.memory_before_mb < MOST_GROWTH_MB
