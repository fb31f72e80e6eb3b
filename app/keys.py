"""The deployment's keys: from the settings, else generated once into `data_dir/keys`."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

from app.config import Settings
from app.signing_keys import GivenKeys, KeyFile


@dataclass(frozen=True)
class Keys:
    """`vault_keys` are Fernet keys, newest first; `signing` has those of client assertions.

    `push_private` signs what goes to push services: a P-256 private key, base64url.
    """

    secret_key: str
    vault_keys: tuple[str, ...]
    signing: GivenKeys | KeyFile
    push_private: str


def load_keys(settings: Settings) -> Keys:
    """The keys of this deployment. Generated files are readable by the owner alone.

    Raises BadSigningKeys for a `backend_private_key` that can't be read.
    """
    folder = settings.data_dir / "keys"
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = tuple(key.get_secret_value() for key in settings.vault_keys)
    private, push = settings.backend_private_key, settings.push_private_key
    return Keys(
        secret_key=secret or _kept(folder / "secret", lambda: secrets.token_urlsafe(48)),
        vault_keys=vault or (_kept(folder / "vault", lambda: Fernet.generate_key().decode()),),
        signing=GivenKeys.read(private.get_secret_value())
        if private
        else KeyFile(folder / "signing.jwks", folder / "backend.jwk"),
        push_private=push.get_secret_value() if push else _kept(folder / "push", _new_push_key),
    )


def _new_push_key() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


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
