"""Tokens at rest: encrypted and authenticated, with keys that can be rotated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """A sealed value can't be opened with any of the keys."""


class TokenVault:
    """`keys` are Fernet keys, newest first: the first seals, all open."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, value: dict[str, Any]) -> bytes:
        return self._fernet.encrypt(json.dumps(value).encode())

    def open(self, sealed: bytes) -> dict[str, Any]:
        """Raises VaultError."""
        try:
            value: dict[str, Any] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise VaultError("the stored token can't be opened with the configured keys") from None
        return value
