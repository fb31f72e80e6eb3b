"""A reminder in words, with the link to the portal and how to stop it; and the link that stops."""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeSerializer

from app.context import Context
from app.reminding.gateway import Notice
from app.store import ContactRow, ReminderRow
from rtm.reminder_texts import load_texts
from rtm.reminders import Kind, Language, kind_of

_PAGES: dict[Kind, str] = {"exercises": "/portal/today", "message": "/portal/messages"}


def notice_of(
    context: Context, reminder: ReminderRow, to: ContactRow, language: Language
) -> Notice:
    """What is sent: no word of who it is about."""
    texts = load_texts()
    kind = kind_of(reminder.kind)
    link = context.settings.base_url + _PAGES[kind]
    stop = stop_link(context, to) if to.channel == "email" else ""
    endings: tuple[str, ...] = ()
    if to.channel == "email":
        endings = (
            f"{texts.open[language]}\n{link}",
            f"{texts.stop_email[language]}\n{stop}",
        )
    elif to.channel == "sms":
        endings = (link, texts.stop_sms[language])
    return Notice(
        id=f"reminder-{reminder.tenant_id}-{reminder.id}",
        topic=kind,
        text=texts.reminders[kind][language],
        link=_PAGES[kind],
        stop=stop,
        endings=endings,
    )


def code_notice(code: str, id_: str, language: Language) -> Notice:
    return Notice(id=id_, topic="code", text=load_texts().code[language].format(code=code))


def stop_link(context: Context, contact: ContactRow) -> str:
    """Works without signing in, for as long as the contact is there."""
    token = _serializer(context).dumps([contact.tenant_id, contact.id])
    return f"{context.settings.base_url}/portal/stop/{token}"


def read_stop_token(context: Context, token: str) -> tuple[str, int] | None:
    """The health system and the contact that a link of ours names; None of any other."""
    try:
        tenant_id, contact_id = _serializer(context).loads(token)
    except BadSignature:
        return None
    return tenant_id, contact_id


def _serializer(context: Context) -> URLSafeSerializer:
    return URLSafeSerializer(context.keys.secret_key, salt="stop-reminders")
