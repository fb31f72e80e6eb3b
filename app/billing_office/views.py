"""The billing office: the month's worklist and its export."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.billing_office.export import ExportRefused, export_month
from app.billing_office.month import (
    BadMonth,
    exported_lines,
    month_bounds,
    neighbours,
    read_month,
)
from app.launch import health_systems
from app.sign_in import current_context, requires, signed_in
from app.store import Tenant

office = Blueprint("office", __name__, url_prefix="/office")

_TYPES = {
    "837p": ("application/edi-x12", "edi"),
    "dft": ("application/hl7-v2", "hl7"),
    "cms1500": ("text/csv", "csv"),
}


@office.get("")
def welcome() -> str | BaseResponse:
    """Where billing staff begin."""
    if "biller" in g.sign_ins:
        return redirect(url_for("office.current_month"))
    return render_template("office/welcome.html", tenants=health_systems(current_context()))


@office.get("/month")
@requires("biller")
def current_month() -> BaseResponse:
    return redirect(url_for("office.month", month=f"{_today():%Y-%m}"))


@office.get("/month/<month>")
@requires("biller")
def month(month: str) -> str:
    sign_in, context = signed_in("biller"), current_context()
    try:
        first, last = month_bounds(month)
        with context.database.begin(sign_in.tenant_id) as db:
            items = read_month(db, month, _today())
            exported = exported_lines(db, month)
    except BadMonth as error:
        abort(404, str(error))
    rows = [item.row for item in items]
    return render_template(
        "office/month.html",
        month=month,
        first=first,
        last=last,
        neighbours=neighbours(month),
        items=[item for item in items if item.row.state != "quiet"],
        quiet_count=sum(row.state == "quiet" for row in rows),
        exported=exported,
        total=sum((row.total for row in rows), Decimal("0.00")),
        charge_count=sum(len(row.charges) for row in rows),
        unpriced_count=sum(row.unpriced for row in rows),
        short_count=sum(bool(row.steps) for row in rows),
        talk_count=sum(row.needs_live_contact for row in rows),
        blocked_count=sum(bool(row.blocked) for row in rows),
    )


@office.post("/month/<month>/export")
@requires("biller")
def export(month: str) -> Response:
    sign_in, context = signed_in("biller"), current_context()
    format_ = request.form.get("format", "")
    if format_ not in _TYPES:
        abort(400, "Choose one of the formats 837P, HL7 DFT or CMS-1500.")
    try:
        done = export_month(context, sign_in.tenant_id, month, format_)
    except ExportRefused as error:
        abort(409, f"Nothing was exported: {error}")
    mimetype, suffix = _TYPES[format_]
    response = Response(done.content, mimetype=mimetype)
    name = f"claims-{month}.{suffix}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _today() -> date:
    sign_in, context = signed_in("biller"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        zone = ZoneInfo(db.get_one(Tenant, sign_in.tenant_id).time_zone)
    return context.now().astimezone(zone).date()
