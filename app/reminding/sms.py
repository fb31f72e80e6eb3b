"""Text messages, by Twilio's Messages API or a gateway that takes the same request.

Source: https://www.twilio.com/docs/messaging/api/message-resource (POST with To, Body, and From or
MessagingServiceSid; HTTP basic authentication by account and token). What comes back from a phone
is signed as https://www.twilio.com/docs/usage/security says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import requests

from app.config import Settings
from app.reminding.gateway import Address, Notice, NotSent

_TIMEOUT_S = (5.0, 20.0)
# Those that another attempt may change: not signed in, timed out, too many.
_PASSING = (401, 403, 408, 425, 429)


class SmsGateway:
    """The API knows no copy of a message: where it is not known if it was sent, it is not sent
    again."""

    resends = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, address: Address, notice: Notice) -> None:
        settings = self._settings
        by_service = settings.sms_from.startswith("MG")
        form = {
            "To": address.value,
            "MessagingServiceSid" if by_service else "From": settings.sms_from,
            "Body": " ".join((notice.text, *notice.endings)),
        }
        try:
            answer = requests.post(
                settings.sms_url,
                data=form,
                auth=(settings.sms_user, settings.sms_password.get_secret_value()),
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError):
            raise NotSent("no answer; it may have been sent", final=True) from None
        except requests.RequestException as error:
            raise NotSent(f"the gateway was not reached ({type(error).__name__})") from None
        if 200 <= answer.status_code < 300:
            return
        final = 400 <= answer.status_code < 500 and answer.status_code not in _PASSING
        raise NotSent(f"the gateway answered HTTP {answer.status_code}", final=final)


def signature(url: str, form: Mapping[str, str], token: str) -> str:
    """What Twilio's `X-Twilio-Signature` must be for a form posted to `url`."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(
        hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    ).decode()
