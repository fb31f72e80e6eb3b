"""The EHRs' public keys, kept for a while and fetched anew when they were rotated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from smart_launch.http import get_json

PublicKey = RSAKey | ECKey

# A key that the EHR withdrew is believed no longer than this.
KEEP_S = 600.0

# Tokens with made-up key ids must not make us ask an EHR at every one of them.
REFETCH_AT_MOST_EVERY_S = 10.0

_SHORTEST_RSA_BITS = 2048


class Fetch(Protocol):
    def __call__(self, url: str, *, iss: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Kept:
    keys: tuple[PublicKey, ...]
    fetched_at_s: float


class KeySets:
    """Key sets by address, shared by the threads of a process."""

    def __init__(
        self, fetch: Fetch = get_json, monotonic_s: Callable[[], float] = monotonic
    ) -> None:
        self._fetch = fetch
        self._monotonic_s = monotonic_s
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def keys(self, jwks_uri: str, iss: str) -> tuple[PublicKey, ...]:
        """The usable keys there. Raises NoAnswer; ValueError where none can be used."""
        kept = self._kept.get(jwks_uri)
        if kept is None or self._age_s(kept) > KEEP_S:
            kept = self._fetched(jwks_uri, iss)
        return kept.keys

    def rotated(self, jwks_uri: str, iss: str) -> tuple[PublicKey, ...] | None:
        """The keys fetched anew, for a token that the kept ones do not verify.

        None where they were fetched just now. Raises as `keys`.
        """
        with self._lock:
            kept = self._kept.get(jwks_uri)
            if kept is not None and self._age_s(kept) < REFETCH_AT_MOST_EVERY_S:
                return None
            return self._fetched(jwks_uri, iss).keys

    def _fetched(self, jwks_uri: str, iss: str) -> _Kept:
        kept = _Kept(usable_keys(self._fetch(jwks_uri, iss=iss)), self._monotonic_s())
        self._kept[jwks_uri] = kept
        return kept

    def _age_s(self, kept: _Kept) -> float:
        return self._monotonic_s() - kept.fetched_at_s


def usable_keys(document: dict[str, Any]) -> tuple[PublicKey, ...]:
    """The RSA and EC keys for signatures in a JWKS; others are passed over (RFC 7517, 5).

    Raises ValueError where none is left.
    """
    entries = document.get("keys")
    keys: list[PublicKey] = []
    for entry in entries if isinstance(entries, list) else ():
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        if entry.get("use", "sig") != "sig":
            continue
        if isinstance(key, ECKey) or (
            isinstance(key, RSAKey) and key.raw_value.key_size >= _SHORTEST_RSA_BITS
        ):
            keys.append(key)
    if not keys:
        raise ValueError("its key set has no key that can be used")
    return tuple(keys)
