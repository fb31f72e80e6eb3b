"""What a sandbox EHR needs to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from smart_launch.sandbox.profiles import OPEN, Profile, profiles
from smart_launch.sandbox.registration import Client, homestretch_clients


@dataclass(frozen=True)
class SandboxConfig:
    """`base_url` is this server's, `app_url` the application's that is registered here.

    `faults` allows tests to make the FHIR API fail on purpose. `clients` are registered in
    addition to the application's own and take precedence over them. `profile` is the kind of EHR
    that it is (`profiles.yaml`). `tenant_id` is how the application calls this EHR, as in its
    redirect URIs. `v1_scopes_only`: as servers of SMART 1.
    """

    base_url: str
    app_url: str
    database: Path
    faults: bool = False
    clients: tuple[Client, ...] = ()
    profile: str = OPEN
    tenant_id: str = "prairie"
    v1_scopes_only: bool = False

    @property
    def fhir_base(self) -> str:
        return f"{self.base_url}/fhir"

    @property
    def kind(self) -> Profile:
        """Raises KeyError for an unknown `profile`."""
        return profiles()[self.profile]

    @property
    def issuer(self) -> str:
        return self.base_url

    def serves(self, audience: str) -> bool:
        """Whether tokens are made for `audience`: the FHIR API here, or the application's own."""
        return audience == self.fhir_base or audience.startswith(f"{self.app_url}/fhir/")

    def registered(self) -> dict[str, Client]:
        """Every registered client by its id."""
        all_of_them = (*homestretch_clients(self.app_url, self.tenant_id), *self.clients)
        return {
            client.client_id: replace(client, v1_scopes_only=self.v1_scopes_only)
            for client in all_of_them
        }
