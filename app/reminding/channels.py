"""The channels that this deployment is set up for."""

from __future__ import annotations

from app.context import Context
from app.hook_client import HookPolicy
from app.reminding.gateway import Gateway, Gateways
from app.reminding.mail import MailGateway
from app.reminding.push import PushGateway
from app.reminding.sms import SmsGateway
from rtm.reminders import Channel

MISSING: dict[Channel, str] = {
    "email": "not set up: HOMESTRETCH_SMTP_HOST and HOMESTRETCH_MAIL_FROM",
    "sms": "not set up: HOMESTRETCH_SMS_URL, _SMS_USER, _SMS_PASSWORD and _SMS_FROM",
    "push": "not set up: HOMESTRETCH_PUSH_CONTACT",
}


def push_policy(context: Context) -> HookPolicy:
    """Loopback only where everything runs on one machine anyway."""
    settings = context.settings
    return HookPolicy(loopback=settings.is_embedded, private=settings.hook_private_networks)


def gateways(context: Context) -> Gateways:
    """A gateway for each channel that is set up."""
    settings = context.settings
    found: dict[Channel, Gateway] = {}
    if settings.smtp_host:
        found["email"] = MailGateway(settings)
    if settings.sms_url:
        found["sms"] = SmsGateway(settings)
    if settings.push_contact:
        found["push"] = PushGateway(
            context.keys.push_private, settings.push_contact, push_policy(context)
        )
    return found
