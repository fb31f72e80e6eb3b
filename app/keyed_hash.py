"""Hashes that only this deployment can make: of what must be found again but not be read."""

from __future__ import annotations

import hashlib
import hmac

from app.context import Context


def keyed_hash(context: Context, purpose: str, text: str) -> str:
    """The same for the same `text` and `purpose`, as hexadecimal digits.

    Without the deployment's secret key nobody can try out what `text` may have been. With another
    secret key nothing is found again: open invitations end with it.
    """
    key = hmac.digest(context.keys.secret_key.encode(), purpose.encode(), hashlib.sha256)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
