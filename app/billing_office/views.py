"""The billing office: the month's worklist and its export."""

from __future__ import annotations

from datetime import date
from typing import Any

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

from app.accounts import UnknownEntity, billing_entity
from app.billing_office.charge_messages import (
    NoInterface,
    interface_of,
    queue_charges,
    waiting_messages,
)
from app.billing_office.export import ExportRefused, export_month, exports_of
from app.billing_office.export_formats import ASKED, FACTS, formats_of, zipped
from app.billing_office.month import (
    BadMonth,
    approve_charges,
    exported_lines,
    month_bounds,
    neighbours,
    out_of_date_count,
    refresh,
)
from app.billing_office.worklist import BadFilter, Filter, charts, listing, summary
from app.jobs.queue import current_jobs
from app.launch import health_systems
from app.sign_in import current_context, requires, signed_in
from app.store import Tenant
from billing.worklist import STATES

office = Blueprint("office", __name__, url_prefix="/office")

# Patients that a page may tally itself; the rest is left to the workers, and the page says so.
_TALLIED_AT_ONCE = 100


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
        practice = db.get_one(Tenant, sign_in.tenant_id).practice
        try:
            formats = formats_of(billing_entity(practice))
        except UnknownEntity as error:
            abort(409, str(error))
        refresh(db, month, today, context.now(), _TALLIED_AT_ONCE)
        return render_template(
            "office/month.html",
            month=month,
            first=first,
            last=last,
            neighbours=neighbours(month),
            wanted=wanted,
            states=STATES,
            listing=listing(db, wanted),
            summary=summary(db, month),
            charts=charts(db, month),
            waiting=out_of_date_count(db, month, today),
            exported=len(exported_lines(db, month)),
            exports=exports_of(db, month),
            formats=formats,
            facts=FACTS,
            sends_charges=_has_interface(practice),
            waiting_messages=waiting_messages(db),
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
    asked = request.form.get("format", "")
    if asked not in ASKED:
        abort(400, f"Choose one of the formats {', '.join(ASKED)}.")
    try:
        done = export_month(context, sign_in.tenant_id, month, asked)
    except ExportRefused as error:
        abort(409, f"Nothing was exported: {error}")
    facts = FACTS[done.files[0].format]
    if len(done.files) == 1:
        return _download(done.files[0].data, facts.mimetype, f"claims-{month}.{facts.suffix}")
    named = [
        (f"claims-{month}-{file.receiver}-{file.control_number}.{facts.suffix}", file.data)
        for file in done.files
    ]
    return _download(zipped(named), "application/zip", f"claims-{month}.zip")


@office.post("/month/<month>/send-dft")
@requires("biller")
def send_charges(month: str) -> BaseResponse:
    """Makes the new charges into messages to the EHR's billing, which a worker sends."""
    sign_in, context = signed_in("biller"), current_context()
    try:
        queued = queue_charges(context, sign_in.tenant_id, month)
    except (ExportRefused, NoInterface) as error:
        abort(409, f"Nothing was sent: {error}")
    with context.database.begin(sign_in.tenant_id) as db:
        waiting = waiting_messages(db)
    if waiting:
        current_jobs().send_charges(sign_in.tenant_id)
        what = f"{queued.claim_count} new claims, ${queued.total}; {waiting} messages on their way."
        flash(what, "success")
    else:
        flash(f"Nothing new is billable in {month}, and no message waits.", "error")
    if queued.held:
        # A cookie carries the message: a month's worth of reasons would not fit.
        flash(f"{len(queued.held)} stayed back, the first: {queued.held[0]}", "error")
    return redirect(url_for("office.month", month=month))


def _download(data: bytes, mimetype: str, name: str) -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _has_interface(practice: dict[str, Any]) -> bool:
    try:
        interface_of(practice)
    except NoInterface:
        return False
    return True


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
        return db.get_one(Tenant, sign_in.tenant_id).local(context.now()).date()
