"""R4 Subscriptions with a rest-hook: reading what a client asks for, and keeping it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.api.access import Grant
from app.api.parameters import Criterion, criterion, names_patients, referred_ids
from app.api.problem import FhirProblem
from app.api.registry import SERVED
from app.context import Context
from app.hook_client import HookPolicy, HookRefused
from app.store import PatientRow, SubscriptionNoticeRow, SubscriptionRow

# What notifications can be narrowed to: facts of a result that never change.
CRITERIA = ("patient", "subject", "code", "category", "status", "based-on")

_PAYLOADS = ("application/fhir+json", "application/json")
_LONGEST = timedelta(days=366)
_MOST_OF_A_CLIENT = 100
_HIDDEN = "(hidden)"

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7E]*)")
_OUR_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "upgrade"}
)


@dataclass(frozen=True)
class Asked:
    """What a Subscription asks for, after every check."""

    document: dict[str, Any]
    headers: tuple[tuple[str, str], ...]
    criteria: tuple[Criterion, ...]
    patients: frozenset[str] | None
    ends_at: datetime


def hook_policy(context: Context) -> HookPolicy:
    """Loopback only where everything runs on one machine anyway."""
    settings = context.settings
    return HookPolicy(loopback=settings.is_embedded, private=settings.hook_private_networks)


def read_criteria(text: str, base: str) -> tuple[Criterion, ...]:
    """`Observation?code=…` as criteria. Raises FhirProblem 422 for any other form."""
    kind, _, query = text.partition("?")
    if kind != "Observation":
        raise _unprocessable("The criteria must begin with Observation.")
    served = SERVED["Observation"]
    criteria = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameter = served.parameter(name)
        if parameter is None or name not in CRITERIA:
            known = ", ".join(CRITERIA)
            raise _unprocessable(f"The criteria can have {known}, not {name[:60]}.")
        try:
            criteria.append(criterion(parameter, None, value, base))
        except FhirProblem as problem:
            raise _unprocessable(problem.text) from None
    return tuple(criteria)


def read_subscription(context: Context, resource: dict[str, Any], base: str) -> Asked:
    """Raises FhirProblem 422 for what is no R4 Subscription, or not supported here."""
    if resource.get("resourceType") != "Subscription":
        raise _unprocessable("The body must be a Subscription.")
    try:
        get_fhir_model_class("Subscription").model_validate(resource)
    except ValidationError as error:
        places = [".".join(str(part) for part in item["loc"]) for item in error.errors()]
        raise _unprocessable(f"Not valid: {', '.join(places[:5])}.") from None
    channel = resource["channel"]
    if resource["status"] != "requested":
        raise _unprocessable("status must be requested; this server sets it to active.")
    if channel["type"] != "rest-hook":
        raise _unprocessable("channel.type must be rest-hook.")
    if channel.get("payload") not in (None, *_PAYLOADS):
        raise _unprocessable("channel.payload must be application/fhir+json or absent.")
    try:
        hook_policy(context).check_url(channel.get("endpoint", ""))
    except HookRefused as error:
        raise _unprocessable(f"channel.endpoint: {error}") from None
    criteria = read_criteria(resource["criteria"], base)
    patients = None
    for each in criteria:
        if names_patients(each, base):
            named = referred_ids(each, "Patient", base)
            patients = named if patients is None else patients & named
    kept = {name: value for name, value in channel.items() if name != "header"}
    return Asked(
        document={**resource, "channel": kept},
        headers=_headers(channel.get("header", [])),
        criteria=criteria,
        patients=patients,
        ends_at=_end(resource.get("end"), context.now()),
    )


def create_subscription(context: Context, grant: Grant, asked: Asked) -> SubscriptionRow:
    """Stores it as active.

    Raises:
        FhirProblem: 403 where the grant covers neither the subscription nor its Observations,
            422 for several patients or one unknown here, 429 for more than a client may have.
    """
    grant.reach("Subscription", "c")
    reach = grant.whole_reach("Observation", "r").held_to(asked.patients)
    with context.database.begin(grant.tenant_id) as db:
        count = db.scalar(
            select(func.count())
            .select_from(SubscriptionRow)
            .where(SubscriptionRow.client_id == grant.client_id)
        )
        if (count or 0) >= _MOST_OF_A_CLIENT:
            raise FhirProblem(429, "throttled", "This client has too many subscriptions.")
        channel = asked.document["channel"]
        row = SubscriptionRow(
            id=str(uuid4()),
            client_id=grant.client_id,
            patient_id=_patient_id(db, reach.patients),
            document=asked.document,
            criteria=asked.document["criteria"],
            endpoint=channel["endpoint"],
            payload=channel.get("payload"),
            headers_sealed=context.vault.seal({"headers": [list(h) for h in asked.headers]}),
            status="active",
            created_at=context.now(),
            updated_at=context.now(),
            ends_at=asked.ends_at,
        )
        db.add(row)
        return row


def own_subscription(db: Session, grant: Grant, id_: str) -> SubscriptionRow:
    """Raises FhirProblem 404 for what is not the client's."""
    row = db.get(SubscriptionRow, id_)
    if row is None or (row.tenant_id, row.client_id) != (grant.tenant_id, grant.client_id):
        raise FhirProblem(404, "not-found", "There is no such Subscription of this client.")
    return row


def remove_subscription(db: Session, row: SubscriptionRow) -> None:
    for notice in db.scalars(
        select(SubscriptionNoticeRow).where(SubscriptionNoticeRow.subscription_id == row.id)
    ):
        db.delete(notice)
    db.flush()
    db.delete(row)


def subscription_resource(context: Context, row: SubscriptionRow) -> dict[str, Any]:
    """The resource as it stands. Values of headers are not given back: they are secrets."""
    resource: dict[str, Any] = {
        **row.document,
        "id": row.id,
        "meta": {"lastUpdated": row.updated_at.isoformat()},
        "status": row.status,
        "end": row.ends_at.isoformat(),
    }
    headers = context.vault.open(row.headers_sealed)["headers"]
    if headers:
        names = [f"{name}: {_HIDDEN}" for name, _ in headers]
        resource["channel"] = {**resource["channel"], "header": names}
    if row.error:
        resource["error"] = row.error
    return resource


def _patient_id(db: Session, patients: frozenset[str] | None) -> int | None:
    if patients is None:
        return None
    if len(patients) != 1:
        raise _unprocessable("The criteria must name one patient whom the token covers.")
    row_id = db.scalar(select(PatientRow.id).where(PatientRow.fhir_id.in_(patients)))
    if row_id is None:
        raise _unprocessable("The patient of the criteria is not known here.")
    return row_id


def _headers(values: list[str]) -> tuple[tuple[str, str], ...]:
    headers = []
    for value in values:
        match = _HEADER.fullmatch(value)
        if match is None or match[1].lower() in _OUR_HEADERS:
            raise _unprocessable("channel.header must be of the form “Name: value”.")
        headers.append((match[1], match[2].strip()))
    return tuple(headers)


def _end(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now + _LONGEST
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        raise _unprocessable("end is not an instant.") from None
    if end.tzinfo is None or not now < end <= now + _LONGEST:
        raise _unprocessable("end must be an instant in the next 366 days.")
    return end


def _unprocessable(text: str) -> FhirProblem:
    return FhirProblem(422, "processing", text)
