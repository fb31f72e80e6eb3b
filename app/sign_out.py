"""Signing out: here at once, and at the EHR by giving its tokens back."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, g, make_response, render_template
from flask_babel import gettext as _

from app.context import Context
from app.person_token import CLIENT_OF_ROLE
from app.sign_in import Role, SignIn, current_context, end_sign_in
from app.store import Tenant
from app.tenant_clients import registered_client
from smart_launch.discovery import discover
from smart_launch.errors import LaunchRefused, RevocationFailed
from smart_launch.revocation import TokenKind, revoke
from smart_launch.token_vault import VaultError

blueprint = Blueprint("sign_out", __name__)
log = structlog.get_logger(__name__)

_TOKENS: tuple[TokenKind, ...] = ("refresh_token", "access_token")


@blueprint.post("/sign-out/<role>")
def sign_out(role: Role) -> Response:
    """Ends the sign-in of this browser in `role`, and says what the EHR did, if it had a part."""
    sign_in: SignIn | None = g.sign_ins.get(role)
    if sign_in is None:
        abort(401, _("You are not signed in here."))
    context = current_context()
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, sign_in.tenant_id)
    response = make_response()
    sealed = end_sign_in(response, context, sign_in)
    g.sign_in = None
    by_ehr = sign_in.portal_account_id is None
    revoked = by_ehr and _given_back(context, tenant, role, sealed)
    response.set_data(
        render_template("signed_out.html", by_ehr=by_ehr, revoked=revoked, name=tenant.name)
    )
    return response


def _given_back(context: Context, tenant: Tenant, role: Role, sealed: bytes) -> bool:
    """Whether the EHR ended the tokens; why not is logged."""
    try:
        token = context.vault.open(sealed)
        configuration = discover(tenant.iss)
        client = registered_client(context, tenant, CLIENT_OF_ROLE[role])
        for kind in _TOKENS:
            if token.get(kind):
                revoke(
                    configuration,
                    token[kind],
                    kind,
                    client_id=client.client_id,
                    client=client.authentication,
                    now=context.now(),
                )
    except (RevocationFailed, LaunchRefused, VaultError) as error:
        log.warning("tokens_not_revoked", tenant=tenant.id, reason=str(error))
        return False
    return True
