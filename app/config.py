"""Typed settings, read once at start from `HOMESTRETCH_*` variables or a `.env` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.signing_keys import GivenKeys

EMBEDDED_BROKER = "memory://"


class Settings(BaseSettings):
    """What a deployment may set. The defaults are the embedded ones: SQLite, in-process worker.

    Attributes:
        data_dir: recordings, the SQLite file and generated keys live here.
        database_url: any SQLAlchemy URL; SQLite in `data_dir` when unset.
        broker_url: Celery broker; `memory://` runs the worker inside the web process.
        queue: name of the work queue at the broker; two deployments on one broker need two.
        public_url: where browsers and EHRs reach this service; no trailing slash.
        secret_key, vault_keys, backend_private_key: generated into `data_dir/keys` when unset.
            `vault_keys` are Fernet keys, newest first, comma separated.
            `backend_private_key` is PEM, a JWK, or a JWK Set with the newest key first.
        max_upload_bytes: a larger recording is refused before it is read.
        edits_dir: CMS's NCCI tables as `homestretch rules load-ncci` writes them; the folder
            `edits` in `data_dir` when unset.
        instrument_texts_dir: the licensed words of outcome measures, a YAML file each, as
            `rtm/instruments/texts.schema.json` says; `instruments` in `data_dir` when unset.
        frame_ancestors: who may show any page in a frame; a tenant's own come on top.
        outbox_max_attempts: after so many failures a message waits for an operator.
        export_hours: how long the files of a bulk export are kept.
        hook_private_networks: whether subscribers' hooks may be in a private network.
    """

    model_config = SettingsConfigDict(
        env_prefix="HOMESTRETCH_", env_file=".env", extra="ignore", frozen=True
    )

    data_dir: Path = Path("var")
    database_url: str = ""
    broker_url: str = EMBEDDED_BROKER
    queue: str = "homestretch"
    public_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    secret_key: SecretStr | None = None
    vault_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    backend_private_key: SecretStr | None = None
    edits_dir: Path | None = None
    instrument_texts_dir: Path | None = None
    max_upload_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    outbox_max_attempts: int = Field(default=12, gt=0)
    outbox_sweep_s: float = Field(default=15.0, gt=0)
    sign_in_hours: float = Field(default=8.0, gt=0)
    frame_ancestors: str = "'self'"
    export_hours: float = Field(default=24.0, gt=0)
    hook_private_networks: bool = False

    @field_validator("vault_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("backend_private_key")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            GivenKeys.read(value.get_secret_value())
        return value

    @property
    def base_url(self) -> str:
        return str(self.public_url).rstrip("/")

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'homestretch.db'}"

    @property
    def recordings_dir(self) -> Path:
        return self.data_dir / "recordings"

    @property
    def exports_dir(self) -> Path:
        return self.data_dir / "exports"

    @property
    def effective_edits_dir(self) -> Path:
        return self.edits_dir or self.data_dir / "edits"

    @property
    def instruments_dir(self) -> Path:
        return self.instrument_texts_dir or self.data_dir / "instruments"

    @property
    def is_embedded(self) -> bool:
        """Whether background work runs inside the web process."""
        return self.broker_url.startswith("memory:")
