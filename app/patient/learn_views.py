"""What the patient can read: the articles of the own program first."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from flask_babel import gettext as _

from app.context import Context
from app.prescribing import current_program
from app.sign_in import current_context, requires, signed_in
from rtm.education import UnknownArticle, load_articles
from rtm.program import Program
from rtm.protocols import with_variants

learn_portal = Blueprint("learn_portal", __name__, url_prefix="/portal/learn")


@learn_portal.get("")
@requires("patient")
def learn() -> str:
    sign_in = signed_in("patient")
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    context = current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        current = current_program(db, sign_in.patient_id)
    ids = _named_by(context, current[1]) if current else ()
    first, others = load_articles().with_first(ids)
    return render_template("portal/learn.html", first=first, others=others)


def _named_by(context: Context, program: Program) -> tuple[str, ...]:
    """What the program's protocol and phase name; nothing where they are not known any more."""
    protocol = with_variants(context.settings.protocols_dir).by_id.get(program.protocol_id)
    if protocol is None:
        return ()
    of_phase = (phase.education for phase in protocol.phases if phase.id == program.phase_id)
    return (*next(of_phase, ()), *protocol.education)


@learn_portal.get("/<article_id>")
@requires("patient")
def article(article_id: str) -> str:
    try:
        found = load_articles()[article_id]
    except UnknownArticle:
        abort(404, _("There is no such page."))
    return render_template("portal/article.html", article=found)
