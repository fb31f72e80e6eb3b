"""Web Push to a patient's own browser: RFC 8030, encrypted by RFC 8291, signed by RFC 8292."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher, WebPushException

from app.hook_client import HookFailed, HookPolicy, HookRefused, call_hook
from app.reminding.gateway import Address, Notice, NotSent

# What is older says nothing any more.
_TTL_S = 12 * 3600
_GONE = (404, 410)


class PushGateway:
    """`contact` is whom push services write to. The endpoint is one that a browser named, so it is
    called as a subscriber's hook is: never inside the network."""

    resends = True  # a notice replaces one of its topic

    def __init__(self, private_key: str, contact: str, policy: HookPolicy) -> None:
        self._key, self._contact, self._policy = private_key, contact, policy

    def send(self, address: Address, notice: Notice) -> None:
        payload = {"body": notice.text, "url": notice.link, "tag": notice.topic}
        origin = urlsplit(address.value)
        claims = {"sub": f"mailto:{self._contact}", "aud": f"{origin.scheme}://{origin.netloc}"}
        try:
            pusher = WebPusher({"endpoint": address.value, "keys": dict(address.keys)})
            body = pusher.encode(json.dumps(payload).encode())["body"]
            signed = Vapid02.from_string(self._key).sign(claims)
        except (WebPushException, VapidException, ValueError) as error:
            raise NotSent(
                f"the subscription is damaged ({type(error).__name__})", gone=True
            ) from None
        headers = {
            **signed,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_TTL_S),
            "Topic": notice.topic,
        }
        try:
            call_hook(self._policy, address.value, headers, body)
        except HookRefused as error:
            raise NotSent(str(error), gone=True) from None
        except HookFailed as error:
            raise NotSent(str(error), gone=error.status in _GONE) from None


def public_key(private_key: str) -> str:
    """The key that a browser subscribes with: the uncompressed point, base64url."""
    point = Vapid02.from_string(private_key).public_key.public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def push_keys(keys: object) -> dict[str, str] | None:
    """A subscription's keys, `p256dh` a point of P-256 and `auth` 16 bytes; None of else."""
    if not isinstance(keys, dict):
        return None
    try:
        point, secret = (_decoded(keys[name]) for name in ("p256dh", "auth"))
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except (KeyError, ValueError, TypeError):
        return None
    return {"p256dh": keys["p256dh"], "auth": keys["auth"]} if len(secret) == 16 else None


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
