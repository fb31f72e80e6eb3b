"""A mail server on a socket: takes what it is told to take, and keeps it."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast


@dataclass
class MailServer:
    """`answers` to RCPT are given one after the other, then 250. `accounts` must sign in."""

    port: int = 0
    certificate: tuple[Path, Path] | None = None
    accounts: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)


class _Conversation(socketserver.StreamRequestHandler):
    mail: MailServer

    def handle(self) -> None:
        self._encrypted = self._signed_in = False
        self._say("220 test")
        while line := self.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word.upper() == "QUIT":
                return self._say("221 bye")
            getattr(self, f"_{word.lower()}", self._unknown)(rest)
        return None

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _unknown(self, _rest: str) -> None:
        self._say("500 unknown")

    def _ehlo(self, _rest: str) -> None:
        offers = ["SIZE 1000000"]
        if self.mail.certificate and not self._encrypted:
            offers.append("STARTTLS")
        if self.mail.accounts:
            offers.append("AUTH PLAIN")
        self._say("250-test", *(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")

    def _starttls(self, _rest: str) -> None:
        self._say("220 go on")
        assert self.mail.certificate is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.mail.certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self._encrypted = True

    def _auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self._signed_in = self.mail.accounts.get(user) == password
        self._say("235 welcome" if self._signed_in else "535 no")

    def _mail(self, _rest: str) -> None:
        allowed = self._signed_in or not self.mail.accounts
        self._say("250 ok" if allowed else "530 sign in first")

    def _rcpt(self, rest: str) -> None:
        answer = self.mail.answers.pop(0) if self.mail.answers else "250 ok"
        if answer.startswith("250"):
            self.mail.recipients.append(rest.partition("<")[2].partition(">")[0])
        self._say(answer)

    def _rset(self, _rest: str) -> None:
        self._say("250 ok")

    def _data(self, _rest: str) -> None:
        self._say("354 go on")
        body = b""
        while (line := self.rfile.readline()) != b".\r\n":
            body += line.removeprefix(b".")
        message = message_from_bytes(body.replace(b"\r\n", b"\n"), policy=policy.default)
        self.mail.messages.append(cast(EmailMessage, message))
        self.mail.was_encrypted.append(self._encrypted)
        self._say("250 taken")


@contextmanager
def receiving(
    certificate: tuple[Path, Path] | None = None, accounts: dict[str, str] | None = None
) -> Iterator[MailServer]:
    mail = MailServer(certificate=certificate, accounts=accounts or {})
    handler = type("Handler", (_Conversation,), {"mail": mail})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        mail.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield mail
        server.shutdown()
