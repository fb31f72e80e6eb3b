"""Coming to the portal without the EHR: joining by an invitation, and signing in again.

Between the code and the password the browser's signed cookie says which invitation was matched.
The code is used up only with the password, so that who breaks off in between can begin again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.invitations import InvitationRefused, Matched, match_invitation
from app.launch import health_systems
from app.patient.join_forms import JoinForm, OwnSignInForm, SetSignInForm
from app.portal_accounts import NameTaken, SignInRefused, check_sign_in, join, sign_in_row
from app.sign_in import begin_sign_in, current_context, end_earlier_sign_in
from app.store import PortalAccountRow, Tenant

join_portal = Blueprint("join_portal", __name__, url_prefix="/portal")

_JOINING = "joining"
_JOINING_FOR = timedelta(minutes=30)


@join_portal.route("/join", methods=["GET", "POST"])
def enter_code() -> ResponseReturnValue:
    """The code from the clinic and the birth date."""
    form = JoinForm()
    refused = ""
    if form.validate_on_submit():
        context = current_context()
        try:
            matched = match_invitation(context, form.code.data, form.born, _address())
        except InvitationRefused:
            refused = _(
                "This code and this birth date do not match, or the code can't be used any more. "
                "Please check both. If it still does not work, ask your care team for a new code."
            )
        else:
            session[_JOINING] = {
                "tenant": matched.tenant_id,
                "invitation": matched.invitation_id,
                "until": (context.now() + _JOINING_FOR).isoformat(),
            }
            return redirect(url_for(".set_sign_in"), 303)
    page = render_template("portal/join.html", form=form, refused=refused)
    return page, 422 if refused or form.errors else 200


@join_portal.route("/join/sign-in", methods=["GET", "POST"])
def set_sign_in() -> ResponseReturnValue:
    """How the patient comes back; with it the invitation is used and the patient signed in."""
    matched = _joining()
    if matched is None:
        return redirect(url_for(".enter_code"), 303)
    form, context = SetSignInForm(), current_context()
    if form.validate_on_submit():
        try:
            account = join(context, matched, form.name.data, form.password.data)
        except NameTaken:
            form.name.errors = [_("Somebody else has this name. Please choose another.")]
        except InvitationRefused:
            session.pop(_JOINING)
            abort(409, _("This code can't be used any more. Ask your care team for a new one."))
        else:
            session.pop(_JOINING)
            return _signed_in(account)
    page = render_template("portal/set_sign_in.html", form=form)
    return page, 422 if form.errors else 200


@join_portal.get("/sign-in")
def choose() -> ResponseReturnValue:
    """At which health system; where there is one only, it is that."""
    tenants = health_systems(current_context())
    if len(tenants) == 1:
        return redirect(url_for(".sign_in", tenant_id=tenants[0].id))
    return render_template("portal/choose_sign_in.html", tenants=tenants)


@join_portal.route("/sign-in/<tenant_id>", methods=["GET", "POST"])
def sign_in(tenant_id: str) -> ResponseReturnValue:
    """With the name and password that the patient chose."""
    context, form, refused = current_context(), OwnSignInForm(), ""
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, tenant_id)
    if tenant is None:
        abort(404, _("There is no such health system here."))
    if form.validate_on_submit():
        try:
            account = check_sign_in(
                context, tenant.id, form.name.data, form.password.data, _address()
            )
        except SignInRefused:
            refused = _(
                "This name and this password do not match. Please check both. "
                "After 5 wrong tries you have to wait for 15 minutes."
            )
        else:
            return _signed_in(account)
    page = render_template("portal/own_sign_in.html", form=form, tenant=tenant, refused=refused)
    return page, 422 if refused or form.errors else 200


def _signed_in(account: PortalAccountRow) -> ResponseReturnValue:
    context = current_context()
    response = redirect(url_for("portal.today"), 303)
    row = sign_in_row(account)
    with context.database.begin(account.tenant_id) as db:
        begin_sign_in(response, context, row, "patient")  # type: ignore[arg-type]  # flask's here
        db.add(row)
    end_earlier_sign_in(context, "patient")
    return response


def _joining() -> Matched | None:
    kept = session.get(_JOINING)
    if kept is None or datetime.fromisoformat(kept["until"]) <= current_context().now():
        return None
    return Matched(kept["tenant"], kept["invitation"])


def _address() -> str:
    return request.remote_addr or ""
