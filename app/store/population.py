"""Reading a population from the EHR: how far an export was read, so that it can go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class PopulationReadRow(TenantOwned, Base):
    """One export of a health system's people, taken in as candidates.

    `status` is `running`, `complete`, `incomplete` (a part could not be read) or `failed`. `sealed`
    is the encrypted address of the export and its manifest, whose addresses may open the files;
    empty once it is over. `lines_done` counts the lines of each file of Patients that are in the
    database, by the file's place in the manifest. `counts` and `refused` are what
    `app.population.Summary` tells; `refused` names the records by their reference.
    """

    __tablename__ = "population_read"

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[str | None]
    since: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(default="running", index=True)
    sealed: Mapped[bytes]
    transaction_time: Mapped[datetime | None]
    lines_done: Mapped[dict[str, Any]] = mapped_column(default=dict)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    refused: Mapped[list[Any]] = mapped_column(default=list)
    problems: Mapped[list[Any]] = mapped_column(default=list)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
