"""The gateways on real sockets: what leaves, and what is made of each answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pydantic import ValidationError

from app.config import Settings
from app.hook_client import HookPolicy
from app.keys import load_keys
from app.reminding.gateway import Address, Notice, NotSent
from app.reminding.mail import MailGateway
from app.reminding.push import PushGateway, public_key, push_keys
from app.reminding.sms import SmsGateway, signature
from tests.app.api.hooks import listening
from tests.app.certificates import Authority
from tests.app.mail_server import MailServer, receiving
from tests.conftest import free_port

TO = Address("samuel@example.org")
PHONE = Address("+16085550134")
NOTICE = Notice(
    id="reminder-prairie-7",
    topic="message",
    text="You have a new message.",
    link="/portal/messages",
    stop="https://rtm.example/portal/stop/x",
    endings=("Open it here:\nhttps://rtm.example/portal/messages",),
)


def mail_settings(mail: MailServer, **values: object) -> Settings:
    return Settings(
        **{
            "smtp_host": "127.0.0.1",
            "smtp_port": mail.port,
            "smtp_security": "none",
            "mail_from": "rtm@example.org",
            "public_url": "https://rtm.example",
            **values,
        }
    )


# E-mail ------------------------------------------------------------------------------------------


def test_an_email_says_what_the_notice_says_and_how_to_stop() -> None:
    with receiving() as mail:
        MailGateway(mail_settings(mail)).send(TO, NOTICE)
    [message] = mail.messages
    assert mail.recipients == ["samuel@example.org"]
    assert message["From"] == "rtm@example.org"
    assert message["Subject"] == "Homestretch"
    assert message["Message-ID"] == "<reminder-prairie-7@rtm.example>"
    assert message["List-Unsubscribe"] == "<https://rtm.example/portal/stop/x>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content() == (
        "You have a new message.\n\nOpen it here:\nhttps://rtm.example/portal/messages\n"
    )


def test_words_of_other_languages_arrive_whole() -> None:
    with receiving() as mail:
        MailGateway(mail_settings(mail)).send(TO, Notice("1", "code", "Ábralo aquí: ñ"))
    assert mail.messages[0].get_content() == "Ábralo aquí: ñ\n"


def test_it_goes_encrypted_and_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with receiving(authority.issue("localhost"), {"rtm": "secret"}) as mail:
        settings = mail_settings(
            mail, smtp_host="localhost", smtp_security="starttls", smtp_user="rtm"
        )
        with pytest.raises(NotSent, match="535"):
            MailGateway(settings).send(TO, NOTICE)
        right = settings.model_copy(
            update={"smtp_password": Settings(smtp_password="secret").smtp_password}
        )
        MailGateway(right).send(TO, NOTICE)
    assert mail.was_encrypted == [True]


def test_nothing_goes_unencrypted_where_the_server_has_no_tls_or_an_unknown_certificate(
    tmp_path: Path,
) -> None:
    with receiving() as plain:
        settings = mail_settings(plain, smtp_host="localhost", smtp_security="starttls")
        with pytest.raises(NotSent):
            MailGateway(settings).send(TO, NOTICE)
    with receiving(Authority(tmp_path).issue("localhost")) as unknown:
        settings = mail_settings(unknown, smtp_host="localhost", smtp_security="starttls")
        with pytest.raises(NotSent, match="SSLCertVerificationError"):
            MailGateway(settings).send(TO, NOTICE)
    assert plain.messages == unknown.messages == []


@pytest.mark.parametrize(
    ("answer", "final"), [("550 no such user samuel@example.org", True), ("450 later", False)]
)
def test_a_refused_address_is_tried_again_only_if_it_may_help(answer: str, final: bool) -> None:
    with receiving() as mail:
        mail.answers = [answer]
        with pytest.raises(NotSent) as failed:
            MailGateway(mail_settings(mail)).send(TO, NOTICE)
    assert failed.value.final is final
    assert "samuel" not in str(failed.value)


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(NotSent) as failed:
        MailGateway(mail_settings(MailServer(free_port()))).send(TO, NOTICE)
    assert not failed.value.final


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"smtp_host": "mail.example"}, "needs mail_from"),
        (
            {"smtp_host": "mail.example", "mail_from": "a@b.example", "smtp_security": "none"},
            "on this machine only",
        ),
        ({"sms_url": "https://sms.example"}, "needs sms_user"),
    ],
)
def test_half_a_setup_is_refused_at_start(values: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**values)


# Text messages -----------------------------------------------------------------------------------


def sms_settings(url: str, **values: str) -> Settings:
    usual = {"sms_url": url, "sms_user": "AC1", "sms_password": "token", "sms_from": "+16085550100"}
    return Settings(**{**usual, **values})


def test_a_text_is_the_form_that_the_api_takes() -> None:
    with listening() as api:
        SmsGateway(sms_settings(api.url)).send(PHONE, NOTICE)
        SmsGateway(sms_settings(api.url, sms_from="MG2")).send(PHONE, NOTICE)
    (_, headers, body), (_, _, by_service) = api.calls
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'AC1:token').decode()}"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {
        "To": ["+16085550134"],
        "From": ["+16085550100"],
        "Body": ["You have a new message. Open it here:\nhttps://rtm.example/portal/messages"],
    }
    assert parse_qs(by_service.decode())["MessagingServiceSid"] == ["MG2"]


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (404, True), (401, False), (429, False), (503, False)]
)
def test_a_text_is_tried_again_only_if_it_may_help(status: int, final: bool) -> None:
    with listening() as api:
        api.statuses = [status]
        with pytest.raises(NotSent, match=str(status)) as failed:
            SmsGateway(sms_settings(api.url)).send(PHONE, NOTICE)
    assert failed.value.final is final


def test_a_gateway_that_is_away_is_tried_again() -> None:
    with pytest.raises(NotSent) as failed:
        SmsGateway(sms_settings(f"http://127.0.0.1:{free_port()}")).send(PHONE, NOTICE)
    assert not failed.value.final


def test_the_signature_is_the_one_of_the_apis_own_example() -> None:
    """https://www.twilio.com/docs/usage/security, "Validating requests"."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature(url, form, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


# Web Push ----------------------------------------------------------------------------------------


class BrowserKeys:
    """What a browser keeps of its subscription."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"

    @property
    def public(self) -> dict[str, str]:
        point = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {"p256dh": _encoded(point), "auth": _encoded(self.auth)}

    def read(self, body: bytes) -> dict[str, str]:
        found: dict[str, str] = json.loads(
            http_ece.decrypt(
                body, private_key=self.private, auth_secret=self.auth, version="aes128gcm"
            )
        )
        return found


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def gateway(folder: Path) -> tuple[PushGateway, str]:
    key = load_keys(Settings(data_dir=folder)).push_private
    assert load_keys(Settings(data_dir=folder)).push_private == key
    return PushGateway(key, "it@example.org", HookPolicy(loopback=True, private=False)), key


def test_only_the_browser_can_read_a_push_and_the_service_knows_who_sends(
    tmp_path: Path,
) -> None:
    browser = BrowserKeys()
    push, key = gateway(tmp_path)
    with listening() as service:
        push.send(Address(service.url, browser.public), NOTICE)
    [(_, headers, body)] = service.calls
    assert browser.read(body) == {
        "body": "You have a new message.",
        "url": "/portal/messages",
        "tag": "message",
    }
    assert b"message" not in body
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["Topic"] == "message"
    assert int(headers["TTL"]) > 0
    scheme, _, rest = headers["Authorization"].partition(" ")
    signed = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert signed["k"] == public_key(key)
    assert Vapid02.verify(headers["Authorization"])
    claims = json.loads(base64.urlsafe_b64decode(signed["t"].split(".")[1] + "=="))
    assert claims["sub"] == "mailto:it@example.org"
    assert service.url.startswith(claims["aud"])


@pytest.mark.parametrize(("status", "gone"), [(404, True), (410, True), (429, False), (500, False)])
def test_a_subscription_ends_when_the_service_says_so(
    tmp_path: Path, status: int, gone: bool
) -> None:
    push, _ = gateway(tmp_path)
    with listening() as service:
        service.statuses = [status]
        with pytest.raises(NotSent) as failed:
            push.send(Address(service.url, BrowserKeys().public), NOTICE)
    assert failed.value.gone is gone


def test_no_endpoint_inside_the_network_is_called(tmp_path: Path) -> None:
    push, _ = gateway(tmp_path)
    with pytest.raises(NotSent):
        push.send(Address("https://169.254.169.254/push", BrowserKeys().public), NOTICE)


@pytest.mark.parametrize(
    "keys",
    [
        None,
        {},
        {"p256dh": "x", "auth": "x"},
        {"p256dh": 1, "auth": 2},
        {**BrowserKeys().public, "auth": "AAAA"},
        {**BrowserKeys().public, "p256dh": _encoded(b"\x04" + bytes(64))},
    ],
)
def test_what_are_no_keys_is_not_kept(keys: object) -> None:
    assert push_keys(keys) is None
    assert push_keys({**BrowserKeys().public, "more": "x"}) is not None
