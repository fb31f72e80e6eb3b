"""Links to the next page: sealed, so that they tell nothing and can't be made by anybody else."""

from __future__ import annotations

from datetime import timedelta

from app.api.problem import FhirProblem
from app.api.searching import Pairs, Position, position_document, position_from
from app.context import Context
from smart_launch.token_vault import VaultError

_LASTS = timedelta(hours=1)


def seal_link(context: Context, tenant_id: str, url: str, pairs: Pairs, position: Position) -> str:
    """Encrypted, because the parameters may name a patient. `url` is the only place it is for."""
    document = {
        "tenant": tenant_id,
        "url": url,
        "pairs": [list(pair) for pair in pairs],
        "position": position_document(position),
        "until": (context.now() + _LASTS).timestamp(),
    }
    return context.vault.seal(document).decode()


def open_link(context: Context, tenant_id: str, url: str, sealed: str) -> tuple[Pairs, Position]:
    """The search and where its last page ended.

    Raises:
        FhirProblem: 400 for a link that is not ours or of another place, 410 for an old one.
    """
    try:
        document = context.vault.open(sealed.encode())
    except VaultError:
        document = {}
    if (document.get("tenant"), document.get("url")) != (tenant_id, url):
        raise FhirProblem(400, "invalid", "This is not a page of this search.")
    if document["until"] < context.now().timestamp():
        raise FhirProblem(410, "expired", "This page link has expired. Please search again.")
    pairs = tuple((name, value) for name, value in document["pairs"])
    return pairs, position_from(document["position"])
