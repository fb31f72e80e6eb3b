"""The billing office's pages of claims: a month's, a patient's, and each with its history."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.billing_office.audit_packet import PacketFormat, packet_file
from app.billing_office.claim_book import ClaimNotKept, ClaimUnknown
from app.billing_office.claim_events import ReopenRefused, UnbillRefused, reopen, unbill
from app.billing_office.corrections import ChangeRefused, correct, void
from app.billing_office.export_formats import FACTS
from app.billing_office.history import (
    STATES,
    BadClaimFilter,
    ClaimFilter,
    claim_history,
    claim_listing,
    claims_of_patient,
)
from app.billing_office.month import BadMonth, month_bounds, neighbours
from app.plan_of_care import CertificationRefused, read_certifications, record_certification
from app.rtm_book import current_episode
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import ClaimExportRow, PatientRow, PractitionerRow, Tenant
from rtm.plan_of_care import standing

office_claims = Blueprint("office_claims", __name__, url_prefix="/office")


@office_claims.get("/month/<month>/claims")
@requires("biller")
def listing(month: str) -> str:
    """The month's claims; `state`, `name` and `page` choose which."""
    page = request.args.get("page", "1")
    try:
        first, _ = month_bounds(month)
        wanted = ClaimFilter(
            month,
            state=request.args.get("state") or None,
            name=request.args.get("name", ""),
            page=int(page) if page.isdecimal() else 0,
        )
    except BadMonth as error:
        abort(404, str(error))
    except BadClaimFilter as error:
        abort(400, str(error))
    with current_context().database.begin(signed_in("biller").tenant_id) as db:
        return render_template(
            "office/claims.html",
            month=month,
            first=first,
            neighbours=neighbours(month),
            wanted=wanted,
            states=STATES,
            listing=claim_listing(db, wanted),
        )


@office_claims.get("/claim/<claim_id>")
@requires("biller")
def claim(claim_id: str) -> str:
    """One claim: where it stands and why, what happened, and what may be done."""
    with current_context().database.begin(signed_in("biller").tenant_id) as db:
        try:
            history = claim_history(db, claim_id)
        except ClaimUnknown as error:
            abort(404, str(error))
        return render_template("office/claim.html", history=history, facts=FACTS)


@office_claims.get("/claims/<claim_id>/packet.<any(pdf, json):format_>")
@requires("biller")
def packet(claim_id: str, format_: PacketFormat) -> Response:
    """Everything that supports one claim, for an auditor."""
    sign_in, context = signed_in("biller"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        by = _who(db, sign_in)
    try:
        content = packet_file(context, sign_in.tenant_id, claim_id, format_, by)
    except (ClaimUnknown, ClaimNotKept) as error:
        abort(404, f"There is no audit packet: {error}.")
    response = Response(content, mimetype=f"application/{format_}")
    name = f"audit-packet-{claim_id}.{format_}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@office_claims.post("/claim/<claim_id>/<action>")
@requires("biller")
def act(claim_id: str, action: str) -> BaseResponse:
    """Corrects, voids, reopens or un-bills the claim, with the reason that was given."""
    sign_in, context = signed_in("biller"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        by = _who(db, sign_in)
    reason = request.form.get("reason", "").strip()
    given = (context, sign_in.tenant_id, claim_id, reason, by)
    shown = claim_id
    try:
        match action:
            case "correct":
                shown = correct(*given).claim_id
                flash(f"The corrected claim {shown} is ready: fetch its file below.", "success")
            case "void":
                shown = void(*given).claim_id
                flash(f"The void {shown} is ready: fetch its file below.", "success")
            case "reopen":
                reopen(*given)
                flash("Noted that the payer was asked to look again.", "success")
            case "unbill":
                flash(f"Un-billed; {unbill(*given)} charges may leave again.", "success")
            case _:
                abort(404, f"There is no action {action} on a claim.")
    except (ChangeRefused, ReopenRefused, UnbillRefused) as error:
        flash(f"Nothing was done: {error}.", "error")
    return redirect(url_for("office_claims.claim", claim_id=shown))


@office_claims.get("/file/<int(max=2147483647):export_id>")
@requires("biller")
def file(export_id: int) -> Response:
    """A file that left, byte for byte."""
    with current_context().database.begin(signed_in("biller").tenant_id) as db:
        export = db.get(ClaimExportRow, export_id)
        if export is None:
            abort(404, "There is no such file.")
        facts = FACTS[export.format]  # type: ignore[index]  # written by the exporter alone
        response = Response(export.file_bytes, mimetype=facts.mimetype)
        name = f"claims-{export.month}-{export.control_number}.{facts.suffix}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


@office_claims.get("/patient/<int(max=2147483647):patient_id>")
@requires("biller")
def patient(patient_id: int) -> str:
    """One patient's claims, and who certified the plan of care."""
    with current_context().database.begin(signed_in("biller").tenant_id) as db:
        row = _patient(db, patient_id)
        episode = current_episode(db, row.id)
        found = [] if episode is None else read_certifications(db, [episode.id]).get(episode.id, [])
        return render_template(
            "office/patient.html",
            patient=row,
            coverage=row.billing.get("coverage") or {},
            episode=episode,
            recorded=found,
            standing={c.id for c in standing([r.certification for r in found])},
            claims=claims_of_patient(db, row.id),
        )


@office_claims.post("/patient/<int(max=2147483647):patient_id>/certification")
@requires("biller")
def certification(patient_id: int) -> BaseResponse:
    """Records who certified the plan of care and when, or corrects such a record."""
    sign_in, context = signed_in("biller"), current_context()
    form = request.form
    with context.database.begin(sign_in.tenant_id) as db:
        row = _patient(db, patient_id)
        now = context.now()
        try:
            record_certification(
                db,
                row,
                certified_on=_date(form.get("certified_on", ""), "The date of certification"),
                plan_started_on=_date(form.get("plan_started_on", ""), "The first treatment"),
                family=form.get("family", ""),
                given=form.get("given", ""),
                npi=form.get("npi", "").strip(),
                corrects=form.get("corrects") or None,
                reason=form.get("reason", ""),
                today=db.get_one(Tenant, sign_in.tenant_id).local(now).date(),
                by=_who(db, sign_in),
                now=now,
            )
        except CertificationRefused as error:
            flash(f"Nothing was recorded: {error}", "error")
        else:
            flash("The certification is recorded.", "success")
    return redirect(url_for("office_claims.patient", patient_id=patient_id))


def _patient(db: Session, patient_id: int) -> PatientRow:
    """Of this tenant, else not found."""
    row = db.get(PatientRow, patient_id)
    if row is None:
        abort(404, "There is no such patient here.")
    return row


def _who(db: Session, sign_in: SignIn) -> str:
    assert sign_in.practitioner_id is not None, "a biller's sign-in always names one"
    return db.get_one(PractitionerRow, sign_in.practitioner_id).name


def _date(value: str, what: str) -> date:
    """Raises CertificationRefused."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise CertificationRefused(f"{what} must be a date.") from None
