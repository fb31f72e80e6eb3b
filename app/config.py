"""Typed settings, read once at start from `HOMESTRETCH_*` variables or a `.env` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
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
        smtp_host: the mail server for reminders; without it there are no e-mails. `smtp_security`
            is `starttls`, `tls`, or `none`, which is for a server on this machine only.
            `mail_from` is the sender's address.
        sms_url: a gateway that takes what Twilio's takes: `https://api.twilio.com/2010-04-01/
            Accounts/AC…/Messages.json`, with `sms_user` (the account) and `sms_password` (its auth
            token). `sms_from` is a number in E.164, or a messaging service (`MG…`).
        push_private_key: a P-256 private key, 32 bytes in base64url; generated when unset. Browsers
            that subscribed to another key have to do it again.
        push_contact: an e-mail address at which push services reach whoever runs this; without it
            there is no push.
        hook_private_networks: whether subscribers' hooks may be in a private network.
        invitation_days: how long a patient's invitation to the portal can be used.
        trusted_proxies: how many reverse proxies of ours each add the address they were asked
            from to `X-Forwarded-For`; limits by address count those of their clients.
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
    invitation_days: float = Field(default=14.0, gt=0)
    trusted_proxies: int = Field(default=0, ge=0)
    smtp_host: str = ""
    smtp_port: int = Field(default=587, gt=0, lt=65536)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = ""
    sms_url: str = ""
    sms_user: str = ""
    sms_password: SecretStr = SecretStr("")
    sms_from: str = ""
    push_contact: str = ""
    push_private_key: SecretStr | None = None

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

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Settings:
        if self.smtp_host and not self.mail_from:
            raise ValueError("smtp_host needs mail_from, the sender's address")
        if self.smtp_security == "none" and self.smtp_host not in ("", "127.0.0.1", "localhost"):
            raise ValueError("smtp_security none is for a mail server on this machine only")
        if self.sms_url and not (self.sms_user and self.sms_from):
            raise ValueError("sms_url needs sms_user, sms_password and sms_from")
        return self

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
    def protocols_dir(self) -> Path:
        """Surgeons' and clinics' variants of the protocols (`rtm.protocols.variants`)."""
        return self.data_dir / "protocols"

    @property
    def instruments_dir(self) -> Path:
        return self.instrument_texts_dir or self.data_dir / "instruments"

    @property
    def is_embedded(self) -> bool:
        """Whether background work runs inside the web process."""
        return self.broker_url.startswith("memory:")
