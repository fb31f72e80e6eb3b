"""The billing office: the month's worklist and its export."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.billing_office.audit_packet import PacketFormat, packet_file
from app.billing_office.claim_book import ClaimNotKept, ClaimUnknown
from app.billing_office.export import ExportRefused, export_month, exports_of
from app.billing_office.month import (
    BadMonth,
    approve_charges,
    exported_lines,
    month_bounds,
    neighbours,
    out_of_date_count,
    refresh,
)
from app.billing_office.worklist import (
    BadFilter,
    Filter,
    charts,
    claims_left,
    listing,
    summary,
)
from app.launch import health_systems
from app.sign_in import current_context, requires, signed_in
from app.store import PractitionerRow, Tenant
from billing.worklist import STATES

office = Blueprint("office", __name__, url_prefix="/office")

# Patients that a page may tally itself; the rest is left to the workers, and the page says so.
_TALLIED_AT_ONCE = 100

_PACKET_TYPES = {"pdf": "application/pdf", "json": "application/json"}

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
    """One page of the worklist; `state`, `name`, `talk`, `sort` and `page` choose which."""
    sign_in, context = signed_in("biller"), current_context()
    today = _today()
    try:
        first, last = month_bounds(month)
        wanted = _filter(month)
    except BadMonth as error:
        abort(404, str(error))
    except BadFilter as error:
        abort(400, str(error))
    with context.database.begin(sign_in.tenant_id) as db:
        refresh(db, month, today, context.now(), _TALLIED_AT_ONCE)
        shown = listing(db, wanted)
        return render_template(
            "office/month.html",
            month=month,
            first=first,
            last=last,
            neighbours=neighbours(month),
            wanted=wanted,
            states=STATES,
            listing=shown,
            claims=claims_left(db, month, [item.patient.id for item in shown.items]),
            summary=summary(db, month),
            charts=charts(db, month),
            waiting=out_of_date_count(db, month, today),
            exported=len(exported_lines(db, month)),
            exports=exports_of(db, month),
        )


@office.post("/month/<month>/approve")
@requires("biller")
def approve(month: str) -> BaseResponse:
    """Lets the ticked patients' charges leave that a person had to look at first."""
    sign_in, context = signed_in("biller"), current_context()
    ids = request.form.getlist("patient", type=int)
    if not ids:
        flash("Tick at least one patient to approve.", "error")
        return redirect(url_for("office.month", month=month, state="review"))
    assert sign_in.practitioner_id is not None, "a biller's sign-in always names one"
    with context.database.begin(sign_in.tenant_id) as db:
        count = approve_charges(db, month, ids, sign_in.practitioner_id, context.now())
    flash(f"{count} charges approved.", "success")
    return redirect(url_for("office.month", month=month))


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


@office.get("/claims/packet")
@requires("biller")
def find_packet() -> BaseResponse:
    """The packet of the claim whose id was typed."""
    claim_id, format_ = request.args.get("claim", "").strip(), request.args.get("format", "pdf")
    if not claim_id or format_ not in _PACKET_TYPES:
        abort(400, "Give the id of a claim, and choose PDF or JSON.")
    return redirect(url_for("office.packet", claim_id=claim_id, format_=format_))


@office.get("/claims/<claim_id>/packet.<any(pdf, json):format_>")
@requires("biller")
def packet(claim_id: str, format_: PacketFormat) -> Response:
    """Everything that supports one claim, for an auditor."""
    sign_in, context = signed_in("biller"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        by = db.get_one(PractitionerRow, sign_in.practitioner_id).name
    try:
        content = packet_file(context, sign_in.tenant_id, claim_id, format_, by)
    except (ClaimUnknown, ClaimNotKept) as error:
        abort(404, f"There is no audit packet: {error}.")
    response = Response(content, mimetype=_PACKET_TYPES[format_])
    name = f"audit-packet-{claim_id}.{format_}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _filter(month: str) -> Filter:
    """Raises BadFilter."""
    page = request.args.get("page", "1")
    return Filter(
        month,
        state=request.args.get("state") or None,  # type: ignore[arg-type]  # checked by Filter
        name=request.args.get("name", ""),
        needs_talk="talk" in request.args,
        sort=request.args.get("sort", "state"),  # type: ignore[arg-type]  # checked by Filter
        page=int(page) if page.isdecimal() else 0,
    )


def _today() -> date:
    sign_in, context = signed_in("biller"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        zone = ZoneInfo(db.get_one(Tenant, sign_in.tenant_id).time_zone)
    return context.now().astimezone(zone).date()
