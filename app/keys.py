"""The deployment's keys: from the settings, else generated once into `data_dir/keys`."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from joserfc.jwk import RSAKey

from app.config import Settings


@dataclass(frozen=True)
class Keys:
    """`vault_keys` are Fernet keys, newest first; `backend_key` signs client assertions."""

    secret_key: str
    vault_keys: tuple[str, ...]
    backend_key: RSAKey

    def public_jwks(self) -> dict[str, Any]:
        """What EHRs fetch from us to verify the client assertions of the workers."""
        return {"keys": [self.backend_key.as_dict(private=False, use="sig", alg="RS384")]}


def load_keys(settings: Settings) -> Keys:
    """The keys of this deployment. Generated files are readable by the owner alone."""
    folder = settings.data_dir / "keys"
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = tuple(key.get_secret_value() for key in settings.vault_keys)
    private = settings.backend_private_key
    jwk = private.get_secret_value() if private else _kept(folder / "backend.jwk", _new_jwk)
    key = RSAKey.import_key(json.loads(jwk) if jwk.lstrip().startswith("{") else jwk)
    key.ensure_kid()
    return Keys(
        secret_key=secret or _kept(folder / "secret", lambda: secrets.token_urlsafe(48)),
        vault_keys=vault or (_kept(folder / "vault", lambda: Fernet.generate_key().decode()),),
        backend_key=key,
    )


def _new_jwk() -> str:
    return json.dumps(RSAKey.generate_key(2048).as_dict(private=True))


def _kept(path: Path, make: Any) -> str:
    """The content of `path`, made first if absent; two processes starting at once agree."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key is the one
        finally:
            draft.unlink()
    return path.read_text("utf-8")
