"""Stopping reminders without signing in: the link in an e-mail, and STOP from a phone.

Neither has a session, so no token against forged requests: the link is signed by us, and what
comes from a phone by the SMS gateway.
"""

from __future__ import annotations

import hmac

import structlog
from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from app.reminding.contacts import end
from app.reminding.sms import signature
from app.reminding.wording import read_stop_token
from app.sign_in import current_context
from app.store import ALL_TENANTS, ContactRow

stops = Blueprint("stops", __name__)

log = structlog.get_logger(__name__)

# Those that carriers ask for, and what people write in Spanish.
_STOP_WORDS = frozenset(
    ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "ALTO", "PARAR", "TERMINAR")
)


@stops.route("/portal/stop/<token>", methods=["GET", "POST"])
def stop_emails(token: str) -> ResponseReturnValue:
    """A page with one button; mail programs post to it by themselves (RFC 8058)."""
    context = current_context()
    named = read_stop_token(context, token)
    if named is None:
        abort(404, _("This link is not whole. Please copy all of it."))
    tenant_id, contact_id = named
    with context.database.begin(tenant_id) as db:
        contact = db.get(ContactRow, contact_id)
        if contact is None:
            abort(404, _("There is no such reminder."))
        if request.method == "POST":
            end(contact, "unsubscribed", context.now())
        stopped = contact.ended_at is not None
    return render_template("portal/stop.html", stopped=stopped)


@stops.post("/reminders/sms")
def from_phone() -> ResponseReturnValue:
    """What a phone answered, from the SMS gateway: STOP ends all reminders to its number."""
    context = current_context()
    settings = context.settings
    if not settings.sms_url:
        abort(404)
    form = request.form.to_dict()
    expected = signature(
        settings.base_url + request.full_path.rstrip("?"),
        form,
        settings.sms_password.get_secret_value(),
    )
    if not hmac.compare_digest(expected, request.headers.get("X-Twilio-Signature", "")):
        log.warning("sms_not_signed")
        abort(403)
    word = form.get("Body", "").strip().strip(".!").upper()
    if word in _STOP_WORDS or form.get("OptOutType") == "STOP":
        with context.database.begin(None) as db:
            # The number is of a person, who may be known to several health systems.
            numbers = select(ContactRow).where(
                ContactRow.channel == "sms",
                ContactRow.address == form.get("From", ""),
                ContactRow.ended_at.is_(None),
            )
            ended = db.scalars(numbers, execution_options={ALL_TENANTS: True}).all()
            for contact in ended:
                end(contact, "stop", context.now())
        log.info("reminders_stopped", contacts=[contact.id for contact in ended])
    return Response("<Response/>", mimetype="text/xml")
