"""Standalone launch: the person begins with us and signs in at the EHR (SMART 2.2, 2.1.2)."""

from __future__ import annotations

from smart_launch.authorization import authorization_request
from smart_launch.discovery import SmartConfiguration
from smart_launch.pending import PendingLaunch


def begin_standalone_launch(
    configuration: SmartConfiguration, *, client_id: str, redirect_uri: str, scope: str
) -> tuple[str, PendingLaunch]:
    """The authorization URL and what to keep; ask for `launch/patient` in `scope` as needed."""
    return authorization_request(
        configuration, client_id=client_id, redirect_uri=redirect_uri, scope=scope, launch=None
    )
