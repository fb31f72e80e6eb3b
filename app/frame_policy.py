"""Who may show a page in a frame: this deployment's list, and the EHR of whom the page is for."""

from __future__ import annotations

from collections.abc import Sequence

from flask import g, session

from app.config import Settings
from app.sign_in import SignIn, current_context
from app.store import Tenant


def allow_frames_of(tenant: Tenant) -> None:
    """The answer to this request may be framed by the tenant's EHR."""
    g.framing_tenant_ancestors = tuple(tenant.frame_ancestors)


def frame_ancestors(settings: Settings) -> str:
    """The sources of `frame-ancestors` for this answer."""
    own = settings.frame_ancestors.split()
    added = [source for source in _of_the_tenant() if source not in own]
    if added:
        own = [source for source in own if source != "'none'"]
    return " ".join([*own, *added])


def _of_the_tenant() -> Sequence[str]:
    """Of the launch under way, else of the sign-in used, else of this browser's last sign-in.

    The last lets an EHR's frame show that the sign-in has ended.
    """
    ancestors: Sequence[str] | None = g.get("framing_tenant_ancestors")
    if ancestors is not None:
        return ancestors
    sign_in: SignIn | None = g.get("sign_in")
    if sign_in is not None:
        return sign_in.frame_ancestors
    tenant_id = session.get("tenant")
    if tenant_id is None:
        return ()
    with current_context().database.begin(None) as db:
        tenant = db.get(Tenant, tenant_id)
    return tuple(tenant.frame_ancestors) if tenant is not None else ()
