"""Claims at rest: each kept as it was scrubbed and sent, and read back."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing_office.leaving import Leaving
from app.store import ClaimExportRow, ClaimLineRow, ClaimRow, from_document, insert_rows
from billing.claim import ScrubFinding
from billing.claim_model import Claim


class ClaimUnknown(LookupError):
    """No claim of that id left from here; the message names it."""


class ClaimNotKept(LookupError):
    """The claim left before claims were kept whole: there are its lines and its file alone."""


def keep_claims(db: Session, export: ClaimExportRow, claims: Iterable[Leaving]) -> None:
    """Stores the claims as they leave in `export`, with what the scrubber said of them."""
    insert_rows(
        db,
        ClaimRow,
        (
            {
                "claim_id": claim.claim_id,
                "export_id": export.id,
                "patient_id": claim.patient_id,
                "episode_id": claim.episode_id,
                "format": export.format,
                "frequency": claim.frequency,
                "replaces": claim.replaces,
                "total": str(claim.total),
                "document": claim.document,
                "findings": claim.findings,
            }
            for claim in claims
        ),
    )


def read_claim(db: Session, claim_id: str) -> Claim:
    """The claim as it left.

    Raises:
        ClaimUnknown: no claim of that id left from here.
        ClaimNotKept: it left before claims were kept whole.
    """
    return from_document(Claim, claim_row(db, claim_id).document)


def findings_of(row: ClaimRow) -> tuple[ScrubFinding, ...]:
    """What the scrubber said of the claim when it left."""
    return tuple(from_document(ScrubFinding, document) for document in row.findings)


def claim_row(db: Session, claim_id: str) -> ClaimRow:
    """Raises as `read_claim`."""
    row = db.scalar(select(ClaimRow).where(ClaimRow.claim_id == claim_id))
    if row is not None:
        return row
    line = db.scalar(select(ClaimLineRow.id).where(ClaimLineRow.claim_id == claim_id).limit(1))
    if line is None:
        raise ClaimUnknown(f"no claim {claim_id} left from here")
    raise ClaimNotKept(
        f"claim {claim_id} left before claims were kept whole: only its lines and its file are here"
    )
