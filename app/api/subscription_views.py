"""Subscription over HTTP: create, read, list and delete a client's own."""

from __future__ import annotations

from flask import Response
from sqlalchemy import select

from app.api.answers import fhir_json
from app.api.blueprint import asked, facade, json_body
from app.api.subscriptions import (
    create_subscription,
    own_subscription,
    read_subscription,
    remove_subscription,
    subscription_resource,
)
from app.store import SubscriptionRow


@facade.post("/<tenant_id>/Subscription")
def subscribe(tenant_id: str) -> Response:
    caller = asked(tenant_id)
    caller.grant.reach("Subscription", "c")
    wanted = read_subscription(caller.context, json_body(), caller.base)
    row = create_subscription(caller.context, caller.grant, wanted)
    response = fhir_json(subscription_resource(caller.context, row), 201)
    response.headers["Location"] = f"{caller.base}/Subscription/{row.id}"
    return response


@facade.get("/<tenant_id>/Subscription")
def subscriptions(tenant_id: str) -> Response:
    """The client's own, all in one Bundle: it may have a hundred at most."""
    caller = asked(tenant_id)
    caller.grant.reach("Subscription", "s")
    with caller.context.database.begin(tenant_id) as db:
        own = SubscriptionRow.client_id == caller.grant.client_id
        rows = db.scalars(select(SubscriptionRow).where(own).order_by(SubscriptionRow.created_at))
        entries = [
            {
                "fullUrl": f"{caller.base}/Subscription/{row.id}",
                "resource": subscription_resource(caller.context, row),
                "search": {"mode": "match"},
            }
            for row in rows
        ]
    link = [{"relation": "self", "url": f"{caller.base}/Subscription"}]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "link": link}
    return fhir_json({**bundle, "entry": entries} if entries else bundle)


@facade.get("/<tenant_id>/Subscription/<id_>")
def read_own(tenant_id: str, id_: str) -> Response:
    caller = asked(tenant_id)
    caller.grant.reach("Subscription", "r")
    with caller.context.database.begin(tenant_id) as db:
        row = own_subscription(db, caller.grant, id_)
    return fhir_json(subscription_resource(caller.context, row))


@facade.delete("/<tenant_id>/Subscription/<id_>")
def unsubscribe(tenant_id: str, id_: str) -> Response:
    caller = asked(tenant_id)
    caller.grant.reach("Subscription", "d")
    with caller.context.database.begin(tenant_id) as db:
        remove_subscription(db, own_subscription(db, caller.grant, id_))
    return Response(status=204)
