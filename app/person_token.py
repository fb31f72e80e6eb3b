"""Reading the EHR for a signed-in person, with a token that is refreshed when it ends.

EHRs rotate refresh tokens: each works once. Two requests of one person that refresh at the same
time would present the same one, and the EHR would take that for theft and end the sign-in. So one
of them takes the refresh by a lease on the sign-in's row, and the others wait for its result.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.engine import CursorResult

from app.context import Context
from app.store import SignInRow, Tenant
from app.tenant_clients import ClientName, registered_client
from fhir.client import FhirClient
from smart_launch.errors import TokenRefused
from smart_launch.exchange import LaunchContext, refresh
from smart_launch.token_vault import VaultError

# A token about to expire would fail in flight.
_MARGIN = timedelta(seconds=30)

# Longer than an EHR may take to answer; whoever dies while refreshing frees it so.
_LEASE = timedelta(seconds=60)
_LOOK_EVERY_S = 0.1

CLIENT_OF_ROLE: dict[str, ClientName] = {
    "clinician": "clinician",
    "biller": "clinician",
    "patient": "portal",
}


def seal_token(context: Context, granted: LaunchContext) -> bytes:
    """The token response as it is stored."""
    return context.vault.seal({**asdict(granted), "expires_at": granted.expires_at.isoformat()})


def open_token(context: Context, row: SignInRow) -> LaunchContext:
    """Raises TokenRefused for a sign-in that has ended, or whose vault key was taken away."""
    if not row.token_sealed:
        raise TokenRefused("The sign-in has ended. Launch again from the EHR.")
    try:
        document: dict[str, Any] = context.vault.open(row.token_sealed)
    except VaultError as error:
        raise TokenRefused(f"{error}. Launch again from the EHR.") from None
    return LaunchContext(
        **{**document, "expires_at": datetime.fromisoformat(document["expires_at"])}
    )


def person_client(context: Context, tenant: Tenant, sign_in_id: str) -> FhirClient:
    """A client that reads as the person of this sign-in.

    Its requests raise TokenRefused when the token ended and the EHR gives no new one.
    """
    return FhirClient(
        tenant.iss, lambda refused: _current_token(context, tenant, sign_in_id, refused)
    )


def _current_token(context: Context, tenant: Tenant, sign_in_id: str, refused: str | None) -> str:
    """A token that is not about to end and is not the `refused` one."""
    waited_until = time.monotonic() + 2 * _LEASE.total_seconds()
    while time.monotonic() < waited_until:
        with context.database.begin(tenant.id) as db:
            row = db.get_one(SignInRow, sign_in_id)
        kept = open_token(context, row)
        ends_soon = kept.expires_at - _MARGIN <= context.now()
        if kept.access_token != refused and not ends_soon:
            return kept.access_token
        if take_refresh(context, tenant.id, sign_in_id, row.token_sealed):
            return _refreshed(context, tenant, row, kept)
        time.sleep(_LOOK_EVERY_S)
    raise TokenRefused("The EHR did not renew the sign-in in time. Try again.")


def take_refresh(context: Context, tenant_id: str, sign_in_id: str, sealed: bytes) -> bool:
    """Whether the refresh of exactly this token is ours to do."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        taken = db.execute(
            update(SignInRow)
            .where(
                SignInRow.id == sign_in_id,
                SignInRow.token_sealed == sealed,
                or_(SignInRow.refreshing_until.is_(None), SignInRow.refreshing_until <= now),
            )
            .values(refreshing_until=now + _LEASE)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(taken, CursorResult)
        return taken.rowcount == 1


def _refreshed(context: Context, tenant: Tenant, row: SignInRow, kept: LaunchContext) -> str:
    renewed: LaunchContext | None = None
    try:
        client = registered_client(context, tenant, CLIENT_OF_ROLE[row.role])
        renewed = refresh(kept, context.now(), client=client.authentication)
        return renewed.access_token
    finally:
        with context.database.begin(tenant.id) as db:
            current = db.get_one(SignInRow, row.id)
            current.refreshing_until = None
            # A sign-out meanwhile emptied the row; it stays so.
            if renewed is not None and current.token_sealed:
                current.token_sealed = seal_token(context, renewed)
