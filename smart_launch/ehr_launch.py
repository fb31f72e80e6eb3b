"""EHR launch: the EHR opens us with `iss` and an opaque `launch` (SMART 2.2, 2.1.2)."""

from __future__ import annotations

from smart_launch.authorization import authorization_request
from smart_launch.discovery import SmartConfiguration
from smart_launch.errors import LaunchRefused
from smart_launch.pending import PendingLaunch


def begin_ehr_launch(
    configuration: SmartConfiguration,
    *,
    launch: str,
    client_id: str,
    redirect_uri: str,
    scope: str,
) -> tuple[str, PendingLaunch]:
    """The authorization URL and what to keep. Raises LaunchRefused without `launch`."""
    if not launch:
        raise LaunchRefused("The EHR sent no launch context. Open the app from a patient's chart.")
    return authorization_request(
        configuration, client_id=client_id, redirect_uri=redirect_uri, scope=scope, launch=launch
    )
