"""Putting two patients of ours together who are one person, decided by a person.

Whatever belongs to the one given up belongs to the surviving one from then on. Facts keep their
ids, their words and their episode: what changes is only whose they are, and `PatientMergeRow` says
which rows those were. A claim that left keeps its text, and so the identity under which it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from sqlalchemy import Table, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.rtm_book import read_episodes
from app.store import (
    Base,
    EpisodeRow,
    PatientMergeRow,
    PatientMonthChargeRow,
    PatientMonthRow,
    PatientRow,
    SignInRow,
    mark_stale,
)
from rtm.episode import Episode

log = structlog.get_logger(__name__)

# What is no part of a person's record: made anew from facts, another's access, or the past of the
# row given up, whose messages must not pass for newer ones of the surviving.
_STAYS = frozenset(
    {
        "patient",
        "patient_merge",
        "patient_month",
        "patient_month_charge",
        "patient_event",
        "sign_in",
        "subscription",
        "subscription_notice",
    }
)


class MergeRefused(ValueError):
    """The two can't be put together as they are; the message says why, and what to do first."""


@dataclass(frozen=True)
class Merged:
    """How many rows of each table moved; `kept` are tables in which both had what only one may
    have, and the surviving patient's holds."""

    moved: dict[str, int]
    kept: tuple[str, ...]


def merge_patients(
    context: Context,
    tenant_id: str,
    given_up_id: int,
    surviving_id: int,
    *,
    reason: str,
    by: str,
    dry_run: bool = False,
) -> Merged:
    """Moves everything of the one to the other, in one transaction.

    Raises:
        MergeRefused: no two patients, merged before, or episodes that overlap.
    """
    with context.database.begin(tenant_id) as db:
        given_up, surviving = _both(db, given_up_id, surviving_id)
        _check_episodes(db, given_up, surviving)
        moved, kept = _move(db, given_up.id, surviving.id)
        now = context.now()
        for derived in (PatientMonthChargeRow, PatientMonthRow):
            db.execute(
                delete(derived)
                .where(derived.patient_id == given_up.id)
                .execution_options(synchronize_session=False)
            )
        db.execute(
            update(SignInRow)
            .where(SignInRow.patient_id == given_up.id, SignInRow.ended_at.is_(None))
            .values(ended_at=now, token_sealed=b"")
            .execution_options(synchronize_session=False)
        )
        db.add(
            PatientMergeRow(
                given_up_id=given_up.id,
                surviving_id=surviving.id,
                given_up_mrn=given_up.mrn,
                moved=moved,
                reason=reason,
                merged_by=by,
                merged_at=now,
            )
        )
        # A message or an export finds the person by the surviving number alone.
        given_up.demographics = {**given_up.demographics, "mrn": None}
        given_up.merged_into_id = surviving.id
        mark_stale(db, surviving.id)
        if dry_run:
            db.rollback()
    if not dry_run:
        log.info("patients_merged", given_up=given_up_id, surviving=surviving_id, by=by)
    return Merged({name: len(ids) for name, ids in moved.items()}, tuple(kept))


def _both(db: Session, given_up_id: int, surviving_id: int) -> tuple[PatientRow, PatientRow]:
    """Locked in the order of their ids, as the tally does. Raises MergeRefused."""
    if given_up_id == surviving_id:
        raise MergeRefused("a patient can't be merged into itself")
    found = {
        row.id: row
        for row in db.scalars(
            select(PatientRow)
            .where(PatientRow.id.in_([given_up_id, surviving_id]))
            .order_by(PatientRow.id)
            .with_for_update()
        )
    }
    for id_ in (given_up_id, surviving_id):
        if id_ not in found:
            raise MergeRefused(f"there is no patient {id_} here")
        into = found[id_].merged_into_id
        if into is not None:
            raise MergeRefused(f"patient {id_} was merged into patient {into} before")
    return found[given_up_id], found[surviving_id]


def _check_episodes(db: Session, given_up: PatientRow, surviving: PatientRow) -> None:
    """Raises MergeRefused where a day could belong to two episodes, or it is not clear which of
    them is the current one."""
    episodes = read_episodes(db, [given_up.id, surviving.id])
    mine, theirs = episodes.get(given_up.id, []), episodes.get(surviving.id, [])
    for one in mine:
        for other in theirs:
            if _overlap(one, other):
                raise MergeRefused(
                    f"patient {given_up.id} is monitored from {one.start} to {_end(one)}, patient "
                    f"{surviving.id} from {other.start} to {_end(other)}: which days and minutes "
                    "belong to which 30 days is for a clinician and the billing office to say; "
                    "end one of the episodes before the other begins, then merge"
                )
    if mine and theirs:
        recorded = _recorded_order(db, [given_up.id, surviving.id])
        starts = [next(e.start for e in (*mine, *theirs) if e.id == id_) for id_ in recorded]
        if starts != sorted(starts):
            raise MergeRefused(
                "the episode that began first was recorded last, and would pass for the current "
                "one; nothing was changed"
            )


def _recorded_order(db: Session, patient_ids: Sequence[int]) -> list[str]:
    return list(
        db.scalars(
            select(EpisodeRow.id)
            .where(EpisodeRow.patient_id.in_(patient_ids))
            .order_by(EpisodeRow.recorded_at)
        )
    )


def _overlap(one: Episode, other: Episode) -> bool:
    return one.start <= (other.end or date.max) and other.start <= (one.end or date.max)


def _end(episode: Episode) -> str:
    return "now" if episode.end is None else f"{episode.end}"


def _move(
    db: Session, given_up_id: int, surviving_id: int
) -> tuple[dict[str, list[object]], list[str]]:
    """The ids of what moved, by table, and the tables in which nothing could."""
    moved: dict[str, list[object]] = {}
    kept: list[str] = []
    for table in Base.metadata.sorted_tables:
        if table.name in _STAYS:
            continue
        for column in _patient_columns(table):
            (key,) = table.primary_key.columns
            rows = table.c.tenant_id == db.info["tenant_id"]
            ids = db.scalars(select(key).where(rows, table.c[column] == given_up_id)).all()
            if not ids:
                continue
            try:
                # A statement, not rows: facts refuse to be changed, and what they say is not.
                with db.begin_nested():
                    db.execute(
                        update(table)
                        .where(rows, table.c[column] == given_up_id)
                        .values({column: surviving_id})
                    )
            except IntegrityError:
                kept.append(table.name)
            else:
                moved.setdefault(table.name, []).extend(ids)
    return moved, kept


def _patient_columns(table: Table) -> list[str]:
    return [key.parent.name for key in table.foreign_keys if key.column.table.name == "patient"]
