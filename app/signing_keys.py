"""The keys that sign our client assertions: published to the EHRs, and rotated.

A JWK Set with private keys, newest first. Two members say when a key is in use: from `nbf` on it
signs, and until `exp` its public half is published (both seconds since 1970; absent: always).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

Algorithm = Literal["RS384", "ES384"]
ALGORITHMS: tuple[Algorithm, ...] = ("RS384", "ES384")

# EHRs may keep our key set for as long as this; a new key signs only afterwards.
JWKS_MAX_AGE = timedelta(minutes=5)
_LEAD = 3 * JWKS_MAX_AGE

# An EHR where the keys are entered by hand needs time to enter the new ones.
KEEP_OLD_KEYS = timedelta(days=30)


class SigningKeyMissing(Exception):
    """There is no key for the algorithm."""


class BadSigningKeys(ValueError):
    """The text is no PEM, JWK or JWK Set with private RSA or P-384 keys."""


@dataclass(frozen=True)
class SigningKey:
    """One private key. `signs_from` and `published_until` are None where it has no such bound."""

    key: RSAKey | ECKey
    signs_from: datetime | None = None
    published_until: datetime | None = None

    @property
    def algorithm(self) -> Algorithm:
        return "RS384" if isinstance(self.key, RSAKey) else "ES384"

    def is_published(self, now: datetime) -> bool:
        return self.published_until is None or now < self.published_until

    def may_sign(self, now: datetime) -> bool:
        return self.is_published(now) and (self.signs_from is None or self.signs_from <= now)

    def public(self) -> dict[str, Any]:
        return self.key.as_dict(private=False, use="sig", alg=self.algorithm)


class SigningKeys(Protocol):
    """Where the keys come from: the settings, or a file that another process may rotate."""

    def all(self) -> Sequence[SigningKey]: ...


def key_to_sign(keys: SigningKeys, algorithm: Algorithm, now: datetime) -> RSAKey | ECKey:
    """The newest key of `algorithm` that is in use. Raises SigningKeyMissing."""
    for key in keys.all():
        if key.algorithm == algorithm and key.may_sign(now):
            return key.key
    raise SigningKeyMissing(f"there is no key of ours that signs {algorithm}")


def public_jwks(keys: SigningKeys, now: datetime) -> dict[str, Any]:
    """What EHRs fetch from us: keys in use, keys about to be used, and keys just retired."""
    return {"keys": [key.public() for key in keys.all() if key.is_published(now)]}


@dataclass(frozen=True)
class GivenKeys:
    """Keys from the settings; whoever runs the service rotates them there."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def read(cls, text: str) -> GivenKeys:
        """From PEM, a JWK or a JWK Set, newest first. Raises BadSigningKeys."""
        return cls(_read(text))

    def all(self) -> Sequence[SigningKey]:
        return self.keys


class KeyFile:
    """Keys in a file that only its owner may read; made with one key of each kind."""

    def __init__(self, path: Path, first: Path) -> None:
        """`first`: an RSA key of an earlier release, taken along where it is there."""
        self._path = path
        self._read_at: tuple[int, tuple[SigningKey, ...]] | None = None
        with self._locked():
            if not path.exists():
                known = _read(first.read_text("utf-8")) if first.exists() else ()
                made = [a for a in ALGORITHMS if all(key.algorithm != a for key in known)]
                self._write([*known, *(SigningKey(_generated(a)) for a in made)])

    def all(self) -> Sequence[SigningKey]:
        """As the file is now, whoever rotated it."""
        changed = self._path.stat().st_mtime_ns
        if self._read_at is None or self._read_at[0] != changed:
            self._read_at = (changed, _read(self._path.read_text("utf-8")))
        return self._read_at[1]

    def rotate(
        self, now: datetime, *, keep: timedelta = KEEP_OLD_KEYS, compromised: bool = False
    ) -> None:
        """A new key of each kind.

        It is published at once and signs when every EHR can have seen it; the old ones stay
        published for `keep` longer. `compromised`: the old ones end now and the new sign now.
        """
        with self._locked():
            starts = None if compromised else now + _LEAD
            ends = now if compromised else now + _LEAD + keep
            old = [
                replace(key, published_until=min(key.published_until or ends, ends))
                for key in self.all()
                if key.is_published(now)
            ]
            new = [SigningKey(_generated(algorithm), starts) for algorithm in ALGORITHMS]
            self._write([*new, *old])

    def _write(self, keys: Sequence[SigningKey]) -> None:
        draft = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"keys": [_entry(key) for key in keys]}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _generated(algorithm: Algorithm) -> RSAKey | ECKey:
    if algorithm == "RS384":
        return RSAKey.generate_key(2048)
    return ECKey.generate_key("P-384")


def _read(text: str) -> tuple[SigningKey, ...]:
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else None
        if document is None:
            return (_from_pem(text),)
        entries = document.get("keys", [document])
        keys = tuple(_from_entry(entry) for entry in entries)
        if not keys:
            raise ValueError("no key")
        return keys
    except (JoseError, KeyError, TypeError, ValueError):
        raise BadSigningKeys("expected a PEM, JWK or JWK Set of private keys") from None


def _from_pem(text: str) -> SigningKey:
    try:
        return _checked(RSAKey.import_key(text))
    except (JoseError, ValueError, TypeError):
        return _checked(ECKey.import_key(text))


def _from_entry(entry: dict[str, Any]) -> SigningKey:
    jwk = {name: value for name, value in dict(entry).items() if name not in ("nbf", "exp")}
    key = ECKey.import_key(jwk) if jwk.get("kty") == "EC" else RSAKey.import_key(jwk)
    return _checked(key, _instant(entry.get("nbf")), _instant(entry.get("exp")))


def _checked(
    key: RSAKey | ECKey, signs_from: datetime | None = None, until: datetime | None = None
) -> SigningKey:
    if not key.is_private or (isinstance(key, ECKey) and key.curve_name != "P-384"):
        raise ValueError("not a private RSA or P-384 key")
    key.ensure_kid()
    return SigningKey(key, signs_from, until)


def _entry(key: SigningKey) -> dict[str, Any]:
    key.key.ensure_kid()
    bounds = {"nbf": key.signs_from, "exp": key.published_until}
    return {
        **key.key.as_dict(private=True),
        **{name: at.timestamp() for name, at in bounds.items() if at is not None},
    }


def _instant(value: object) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(float(value), UTC)  # type: ignore[arg-type]  # the caller turns what is no number into BadSigningKeys
