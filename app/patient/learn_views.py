"""What the patient can read: the articles of the own program first."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from flask_babel import gettext as _

from app.prescribing import current_program
from app.sign_in import current_context, requires, signed_in
from rtm.education import UnknownArticle, load_articles

learn_portal = Blueprint("learn_portal", __name__, url_prefix="/portal/learn")


@learn_portal.get("")
@requires("patient")
def learn() -> str:
    sign_in = signed_in("patient")
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    with current_context().database.begin(sign_in.tenant_id) as db:
        current = current_program(db, sign_in.patient_id)
    first, others = load_articles().for_protocol(current[1].protocol_id if current else None)
    return render_template("portal/learn.html", first=first, others=others)


@learn_portal.get("/<article_id>")
@requires("patient")
def article(article_id: str) -> str:
    try:
        found = load_articles()[article_id]
    except UnknownArticle:
        abort(404, _("There is no such page."))
    return render_template("portal/article.html", article=found)
