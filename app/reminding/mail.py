"""E-mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import urlsplit

from app.config import Settings
from app.reminding.gateway import Address, Notice, NotSent

_TIMEOUT_S = 15.0


class MailGateway:
    """By the deployment's mail server; without TLS only to one on this machine.

    A second copy of a notice has the same Message-ID, by which mail servers know it.
    """

    resends = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, address: Address, notice: Notice) -> None:
        message = self._message(address, notice)
        try:
            with self._connection() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise NotSent(
                f"the mail server refused the address ({code})", final=code >= 500
            ) from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"the mail server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"the mail server did not take it ({type(error).__name__})") from None

    def _connection(self) -> smtplib.SMTP:
        settings = self._settings
        host, port = settings.smtp_host, settings.smtp_port
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        except Exception:
            server.close()
            raise
        return server

    def _message(self, address: Address, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        host = urlsplit(self._settings.base_url).hostname
        message["From"], message["To"] = self._settings.mail_from, address.value
        message["Subject"] = "Homestretch"
        message["Date"], message["Message-ID"] = formatdate(), f"<{notice.id}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        if notice.stop:
            message["List-Unsubscribe"] = f"<{notice.stop}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content("\n\n".join((notice.text, *notice.endings)) + "\n")
        return message
