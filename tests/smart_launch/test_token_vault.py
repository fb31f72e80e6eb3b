"""Tokens at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from smart_launch.token_vault import TokenVault, VaultError


def test_sealed_tokens_open_with_old_keys_and_with_no_others() -> None:
    old, new, other = (Fernet.generate_key().decode() for _ in range(3))
    sealed = TokenVault([old]).seal({"access_token": "secret"})
    assert b"secret" not in sealed
    assert TokenVault([new, old]).open(sealed) == {"access_token": "secret"}
    with pytest.raises(VaultError):
        TokenVault([other]).open(sealed)


def test_a_sealed_token_that_was_changed_does_not_open() -> None:
    vault = TokenVault([Fernet.generate_key().decode()])
    sealed = bytearray(vault.seal({"access_token": "secret"}))
    sealed[-5] ^= 1
    with pytest.raises(VaultError):
        vault.open(bytes(sealed))
