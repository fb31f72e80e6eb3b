"""Subscriptions: what may be asked for, and how the hook is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.demo.browser import wait_for
from app.jobs.notify import notify_due
from app.store import SubscriptionNoticeRow, SubscriptionRow
from fhir import codes
from tests.app.api.hooks import Hook, listening
from tests.app.api.readers import (
    ROSA,
    SAMUEL,
    Reader,
    fill,
    measured_session,
    patient_reader,
    report_session,
    system_reader,
)
from tests.conftest import World
from tests.fhir.r4 import r4_issues

PAIN = f"Observation?code={codes.LOINC}|72514-3"
DAY = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


@pytest.fixture
def filled(own_world: Callable[..., World]) -> World:
    world = own_world(worker=False)
    fill(world)
    return world


def subscription(endpoint: str, criteria: str = "Observation", **channel: Any) -> dict[str, Any]:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "New results for the dashboard",
        "criteria": criteria,
        "channel": {"type": "rest-hook", "endpoint": endpoint, **channel},
    }


def subscribe(reader: Reader, resource: dict[str, Any]) -> str:
    answer = reader("POST", "Subscription", json=resource)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{reader.base}/Subscription/{answer.json()['id']}"
    return str(answer.json()["id"])


def later(world: World, **by: float) -> Any:
    return replace(world.context, now=lambda: datetime.now(UTC) + timedelta(**by))


# Asking ------------------------------------------------------------------------------------------


def test_a_subscription_is_active_at_once_and_its_owners_alone(filled: World, hook: Hook) -> None:
    reader = system_reader(filled)
    asked = subscription(
        hook.url,
        payload="application/fhir+json",
        header=["Authorization: Bearer s3cret", "X-Site: 7"],
    )
    id_ = subscribe(reader, {**asked, "contact": [{"system": "phone", "value": "1"}]})
    kept = reader.get(f"Subscription/{id_}").json()
    assert kept["status"] == "active"
    assert kept["contact"] == [{"system": "phone", "value": "1"}]
    assert kept["channel"]["header"] == ["Authorization: (hidden)", "X-Site: (hidden)"]
    assert r4_issues([kept, reader.get("Subscription").json()]) == []
    assert [r["id"] for r in reader.found("Subscription")] == [id_]
    with filled.context.database.begin(filled.tenant_id) as db:
        row = db.scalars(select(SubscriptionRow)).one()
        assert "s3cret" not in json.dumps(row.document)
        assert b"s3cret" not in row.headers_sealed
    other = system_reader(filled, client_id="other-warehouse")
    assert other.get(f"Subscription/{id_}").status_code == 404
    assert other("DELETE", f"Subscription/{id_}").status_code == 404
    assert other.found("Subscription") == []
    assert reader("DELETE", f"Subscription/{id_}").status_code == 204
    assert reader.get(f"Subscription/{id_}").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "active"},
        {"criteria": "Patient?name=x"},
        {"criteria": "Observation?date=2026"},
        {"criteria": "Observation?code:text=pain"},
        {"criteria": "Observation?patient=nobody"},
        {"criteria": "Observation?patient=samuel-brandt,rosa-delgado"},
        {"criteria": "Observation?code="},
        {"end": "2020-01-01T00:00:00Z"},
        {"end": "2999-01-01T00:00:00Z"},
        {"reason": None},
        {"resourceType": "Observation"},
        {"surprise": 1},
    ],
)
def test_a_subscription_that_cannot_be_kept_is_a_422(
    record: World, system: Reader, wrong: dict[str, Any]
) -> None:
    resource = {**subscription("https://hooks.example/x"), **wrong}
    resource = {name: value for name, value in resource.items() if value is not None}
    answer = system("POST", "Subscription", json=resource)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize(
    "channel",
    [
        {"type": "email"},
        {"type": "websocket"},
        {"payload": "application/fhir+xml"},
        {"header": ["no colon"]},
        {"header": ["X: a\r\nY: b"]},
        {"header": ["Host: else.example"]},
        {"endpoint": "http://hooks.example/x"},
        {"endpoint": "https://10.0.0.7/x"},
        {"endpoint": "https://169.254.169.254/latest"},
        {"endpoint": "https://[::ffff:10.0.0.7]/x"},
        {"endpoint": "https://user:password@hooks.example/x"},
        {"endpoint": "ftp://hooks.example/x"},
        {"endpoint": "https://"},
        {"endpoint": ""},
    ],
)
def test_a_channel_that_cannot_be_used_is_a_422(
    record: World, system: Reader, channel: dict[str, Any]
) -> None:
    resource = subscription("https://hooks.example/x")
    resource["channel"] |= channel
    assert system("POST", "Subscription", json=resource).status_code == 422


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/fhir+json", 400),
        (b"[]", "application/fhir+json", 400),
        (b"[" * 100_000, "application/fhir+json", 400),
        (b"{}", "application/fhir+json", 422),
        (b"<a/>", "application/fhir+xml", 415),
        (b"x" * 300_000, "application/fhir+json", 413),
    ],
)
def test_a_body_that_is_none_is_refused(
    record: World, system: Reader, body: bytes, content_type: str, status: int
) -> None:
    answer = system("POST", "Subscription", data=body, headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_a_subscription_needs_its_scope_and_that_of_what_it_is_about(filled: World) -> None:
    resource = subscription("https://hooks.example/x")
    for scope in ("system/Observation.rs", "system/Subscription.crud"):
        reader = system_reader(filled, scope)
        assert reader("POST", "Subscription", json=resource).status_code == 403
    assert subscribe(system_reader(filled, "system/Subscription.c system/Observation.r"), resource)


# Being told --------------------------------------------------------------------------------------


def waiting(world: World) -> list[str]:
    """The states of the notices, in order."""
    with world.context.database.begin(world.tenant_id) as db:
        statuses = select(SubscriptionNoticeRow.status).order_by(SubscriptionNoticeRow.id)
        return list(db.scalars(statuses))


def test_a_new_session_is_told_from_the_worker(own_world: Callable[..., World], hook: Hook) -> None:
    world = own_world(worker=True)
    fill(world)
    reader = system_reader(world)
    subscribe(
        reader,
        subscription(
            hook.url, PAIN, payload="application/fhir+json", header=["Authorization: Bearer s3"]
        ),
    )
    session = report_session(world, SAMUEL, DAY)
    wait_for("the hook", lambda: len(hook.calls) == 2, 20)
    for path, headers, body in hook.calls:
        resource = json.loads(body)
        assert path == "/results"
        assert headers["Authorization"] == "Bearer s3"
        assert headers["Content-Type"] == "application/fhir+json"
        assert resource["subject"]["reference"] == f"Patient/{SAMUEL}"
        assert resource["id"].startswith(f"session-{session}")
        assert reader.get(f"Observation/{resource['id']}").json() == resource


def test_without_a_payload_the_hook_is_called_once_and_told_nothing(
    filled: World, hook: Hook
) -> None:
    id_ = subscribe(system_reader(filled), subscription(hook.url))
    measured_session(filled, SAMUEL, DAY)
    notify_due(filled.context, filled.tenant_id, id_)
    assert [body for _, _, body in hook.calls] == [b""]
    assert waiting(filled) == ["delivered"]


def test_criteria_that_are_not_met_call_nobody(filled: World, hook: Hook) -> None:
    reader = system_reader(filled)
    wanted = [
        subscribe(reader, subscription(hook.url, "Observation?code=none")),
        subscribe(reader, subscription(hook.url, f"Observation?patient={ROSA}")),
    ]
    report_session(filled, SAMUEL, DAY)
    for id_ in wanted:
        notify_due(filled.context, filled.tenant_id, id_)
    assert hook.calls == []
    assert waiting(filled) == ["unmatched"]  # that of the other patient was never due


def test_a_patients_app_hears_of_that_patient_alone(filled: World, hook: Hook) -> None:
    own = patient_reader(filled, SAMUEL, "patient/Subscription.c patient/Observation.rs")
    payload = {"payload": "application/fhir+json"}
    id_ = subscribe(own, subscription(hook.url, **payload))
    for criteria in (f"Observation?patient={ROSA}",):
        answer = own("POST", "Subscription", json=subscription(hook.url, criteria))
        assert answer.status_code == 422
    report_session(filled, ROSA, DAY)
    report_session(filled, SAMUEL, DAY)
    notify_due(filled.context, filled.tenant_id, id_)
    told = {json.loads(body)["subject"]["reference"] for _, _, body in hook.calls}
    assert told == {f"Patient/{SAMUEL}"}


def test_a_hook_that_fails_is_called_again_from_where_it_stopped(filled: World, hook: Hook) -> None:
    payload = {"payload": "application/fhir+json"}
    id_ = subscribe(system_reader(filled), subscription(hook.url, **payload))
    report_session(filled, SAMUEL, DAY)
    hook.statuses = [200, 500]
    notify_due(filled.context, filled.tenant_id, id_)
    assert len(hook.calls) == 2
    notify_due(filled.context, filled.tenant_id, id_)  # too early
    assert len(hook.calls) == 2
    notify_due(later(filled, hours=2), filled.tenant_id, id_)
    bodies = [body for _, _, body in hook.calls]
    assert len(bodies) == 4
    assert bodies[1] == bodies[2]
    assert len(set(bodies)) == 3
    assert waiting(filled) == ["delivered"]


def test_after_too_many_failures_the_subscription_is_in_error(
    own_world: Callable[..., World], hook: Hook
) -> None:
    world = own_world(worker=False, outbox_max_attempts=2)
    fill(world)
    reader = system_reader(world)
    id_ = subscribe(reader, subscription(hook.url))
    report_session(world, SAMUEL, DAY)
    hook.statuses = [500, 302, 200]
    notify_due(world.context, world.tenant_id, id_)
    notify_due(later(world, hours=2), world.tenant_id, id_)
    notify_due(later(world, hours=9), world.tenant_id, id_)
    assert len(hook.calls) == 2
    kept = reader.get(f"Subscription/{id_}").json()
    assert kept["status"] == "error"
    assert kept["error"] == "the endpoint answered HTTP 302"
    report_session(world, SAMUEL, DAY + timedelta(days=1))
    assert waiting(world) == ["failed"]


def test_a_hook_that_is_gone_is_not_called_again(filled: World, hook: Hook) -> None:
    reader = system_reader(filled)
    id_ = subscribe(reader, subscription(hook.url))
    report_session(filled, SAMUEL, DAY)
    hook.statuses = [410]
    notify_due(filled.context, filled.tenant_id, id_)
    assert reader.get(f"Subscription/{id_}").json()["status"] == "off"


def test_a_subscription_ends(filled: World, hook: Hook) -> None:
    reader = system_reader(filled)
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    id_ = subscribe(reader, {**subscription(hook.url), "end": end})
    report_session(filled, SAMUEL, DAY)
    notify_due(later(filled, hours=2), filled.tenant_id, id_)
    assert hook.calls == []
    assert reader.get(f"Subscription/{id_}").json()["status"] == "off"


def test_unsubscribing_forgets_what_was_still_to_be_told(filled: World, hook: Hook) -> None:
    reader = system_reader(filled)
    id_ = subscribe(reader, subscription(hook.url))
    report_session(filled, SAMUEL, DAY)
    assert reader("DELETE", f"Subscription/{id_}").status_code == 204
    with filled.context.database.begin(filled.tenant_id) as db:
        assert db.scalar(select(func.count()).select_from(SubscriptionNoticeRow)) == 0
    notify_due(filled.context, filled.tenant_id, id_)
    assert hook.calls == []
