"""Alerts to the care team: their kinds, as data in `alerts.yaml`, and what one says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtm.checked_yaml import check_document, shipped_document
from rtm.safety import Outcome, Reason


class InvalidAlertKinds(ValueError):
    """The data break the schema, or name a kind twice."""


@dataclass(frozen=True)
class AlertKind:
    """`blocks_sessions`: the patient begins no session until a clinician acknowledged it.

    `can_wait`: it may be snoozed.
    """

    id: str
    title: str
    blocks_sessions: bool
    can_wait: bool


@dataclass(frozen=True)
class AlertFacts:
    """What an alert rests on.

    `cause` is what it is about: `screen:<id>`, `session:<id>`, or `patient:<id>:` before the key of
    a `rtm.watch.Cause`. `outcome` is what the patient was told; `go_on` where that was nothing.
    """

    cause: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    note: str | None = None


@cache
def load_alert_kinds() -> Mapping[str, AlertKind]:
    """The kinds shipped with this package, by id, the gravest first. Raises InvalidAlertKinds."""
    return read_alert_kinds(shipped_document("alerts.yaml"))


def read_alert_kinds(document: Any) -> Mapping[str, AlertKind]:
    """Raises InvalidAlertKinds."""
    check_document(document, "alerts.schema.json", InvalidAlertKinds, "alerts: ")
    kinds = {one["id"]: AlertKind(**one) for one in document}
    if len(kinds) != len(document):
        raise InvalidAlertKinds("alerts: two kinds have one id")
    return kinds
