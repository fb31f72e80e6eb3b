"""A health system's HL7 v2 interface: what it sends us, what we send it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.store import Tenant
from billing.hl7_dft import Routing

Text = Annotated[str, Field(min_length=1)]
ProcessingId = Literal["P", "T", "D"]
OutboundType = Literal["ORU^R01", "MDM^T02", "DFT^P03"]


class InvalidHl7Settings(ValueError):
    """One line: which setting, and what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Inbound(_Part):
    """How a message is known to be this health system's, and its patients to be ours.

    Attributes:
        ports: every message on these ports of ours is theirs, whatever its MSH says.
        sending_facilities: else MSH-4 decides, by these names.
        receiving_facilities: and MSH-6, where any are named here.
        certified_names: where any are named, the sender's TLS certificate must bear one.
        mrn_authority: the assigning authority (PID-3.4) of the MRN that the chart's Patient
            carries: its namespace id and its OID, as they are written in messages.
        processing_id: MSH-11 of messages that may change anything here.
        undeclared_charset: what bytes are where MSH-18 is empty; the standard says ASCII.
        not_ours_kept_days: for so long the text of messages about other patients is kept.
    """

    ports: tuple[int, ...] = ()
    sending_facilities: tuple[Text, ...] = ()
    receiving_facilities: tuple[Text, ...] = ()
    certified_names: tuple[Text, ...] = ()
    mrn_authority: tuple[Text, ...] = Field(min_length=1)
    processing_id: ProcessingId = "P"
    undeclared_charset: Literal["ASCII", "8859/1", "8859/15", "UNICODE UTF-8"] = "ASCII"
    not_ours_kept_days: int = Field(default=7, ge=0)

    @model_validator(mode="after")
    def _is_reachable(self) -> Inbound:
        if not self.ports and not self.sending_facilities:
            raise ValueError("name ports or sending_facilities")
        return self


class Destination(_Part):
    """A receiver of ours: where it listens, its names in MSH, and the messages it takes.

    `in_order` holds every message back until the one before has its answer. `mrn_authority` is
    what PID-3.4 of our messages says. Files of certificates are PEM.
    """

    name: Text
    host: Text
    port: int = Field(gt=0, lt=65536)
    takes: tuple[OutboundType, ...] = Field(min_length=1)
    sending_application: Text
    sending_facility: Text
    receiving_application: Text
    receiving_facility: Text
    mrn_authority: str = ""
    processing_id: ProcessingId = "P"
    in_order: bool = True
    timeout_s: float = Field(default=10.0, gt=0, le=60)
    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @model_validator(mode="after")
    def _files_need_tls(self) -> Destination:
        if not self.tls and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError(f"{self.name}: certificate files are set, and tls is not")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError(f"{self.name}: certificate_file and key_file go together")
        return self

    @property
    def routing(self) -> Routing:
        return Routing(
            self.sending_application,
            self.sending_facility,
            self.receiving_application,
            self.receiving_facility,
        )


class Hl7Settings(_Part):
    """`inbound` None takes nothing; each type of message has at most one destination."""

    inbound: Inbound | None = None
    destinations: tuple[Destination, ...] = ()

    @model_validator(mode="after")
    def _one_way_each(self) -> Hl7Settings:
        names = [destination.name for destination in self.destinations]
        taken = [kind for destination in self.destinations for kind in destination.takes]
        for what, values in (("name", names), ("takes", taken)):
            if len(set(values)) < len(values):
                raise ValueError(f"two destinations with the same {what}")
        return self

    def destination_for(self, message_type: OutboundType) -> Destination | None:
        return next((d for d in self.destinations if message_type in d.takes), None)


def read_settings(document: object) -> Hl7Settings:
    """Raises InvalidHl7Settings."""
    try:
        return Hl7Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "hl7"
        raise InvalidHl7Settings(f"{place}: {first['msg']}") from None


def hl7_settings(tenant: Tenant) -> Hl7Settings:
    """Those stored for `tenant`. Raises InvalidHl7Settings where they were damaged."""
    return read_settings(tenant.hl7)
