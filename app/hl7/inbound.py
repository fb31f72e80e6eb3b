"""The door for received messages: each is stored, byte for byte, before it is answered."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.context import Context
from app.hl7.acknowledgment import ACCEPTED, Verdict, acknowledgment
from app.hl7.er7 import NotEr7, cut
from app.hl7.header import CHARSETS, Header, decode, read_header
from app.hl7.server import NotTaken, Peer
from app.hl7.settings import Inbound, InvalidHl7Settings, hl7_settings
from app.store import Hl7InboundRow, Hl7StrayRow, Tenant

log = structlog.get_logger(__name__)

TYPES_TAKEN = ("ADT", "SIU")

# So that a change of settings needs no restart, and a busy feed no query for each message.
_ROUTES_KEPT_S = 5.0

_LONGEST_CONTROL_ID, _LONGEST_NAME = 199, 227  # of MSH-10 and of an HD in HL7 v2.7


class Inbox:
    """Takes what one listening port receives. `notify` hears of each tenant with new messages."""

    def __init__(self, context: Context, port: int, notify: Callable[[str], None]) -> None:
        self._context = context
        self._port = port
        self._notify = notify
        self._lock = threading.Lock()
        self._routes: list[tuple[str, Inbound]] = []
        self._routes_read_at: float | None = None

    def take(self, content: bytes, peer: Peer) -> bytes | None:
        """Stores a message and gives its acknowledgment, None where none is due.

        A message that was stored before, by sender, MSH-10 and content, is answered and not
        stored again.

        Raises:
            NotTaken: it could not be stored, and so must not be acknowledged.
        """
        try:
            return self._take(content, peer)
        except SQLAlchemyError as error:
            log.error("hl7_not_stored", error=type(error).__name__)
            raise NotTaken("the database did not take the message") from None

    def _take(self, content: bytes, peer: Peer) -> bytes | None:
        try:
            header = read_header(content)
        except NotEr7 as error:
            return self._refuse_stray(content, peer, None, Verdict("AR", str(error), "100"))
        route = self._route(header, peer)
        if route is None:
            verdict = Verdict("AR", "MSH-4 and MSH-6 name no health system known here", "103")
            return self._refuse_stray(content, peer, header, verdict)
        tenant_id, settings = route
        verdict = examine(content, header, settings)
        answer = self._answer(header, verdict)
        with self._context.database.begin(tenant_id) as db:
            row = self._store(db, content, header, verdict, _answer_code(answer), peer)
        if row.state == "waiting":
            self._notify(tenant_id)
        log.info(
            "hl7_received",
            message=row.id,
            tenant=tenant_id,
            type=row.message_type if row.state != "refused" else None,
            answer=row.answer,
        )
        return answer

    def _answer(self, header: Header | None, verdict: Verdict) -> bytes | None:
        return acknowledgment(header, verdict, control_id=uuid4().hex[:20], now=self._context.now())

    def _store(
        self,
        db: Session,
        content: bytes,
        header: Header,
        verdict: Verdict,
        answer: str | None,
        peer: Peer,
    ) -> Hl7InboundRow:
        row = Hl7InboundRow(
            sending_application=_kept(header.sending_application, _LONGEST_NAME),
            sending_facility=_kept(header.sending_facility, _LONGEST_NAME),
            message_type=_kept(header.message_type, 16),
            control_id=_kept(header.control_id, _LONGEST_CONTROL_ID),
            charset=_kept(header.charset, 32),
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            peer=peer.address,
            received_at=self._context.now(),
            answer=answer,
            **_first_state(header, verdict),
        )
        known = self._stored_before(db, row)
        if known is None:
            try:
                with db.begin_nested():
                    db.add(row)
                return row
            except IntegrityError:
                # The same message came on two connections at once.
                known = self._stored_before(db, row)
                if known is None:
                    raise
        if known.state == "refused" and row.state == "waiting":
            known.state, known.reason, known.content = "waiting", None, content
        known.answer = answer
        return known

    def _stored_before(self, db: Session, row: Hl7InboundRow) -> Hl7InboundRow | None:
        return db.scalar(
            select(Hl7InboundRow)
            .where(
                Hl7InboundRow.sending_application == row.sending_application,
                Hl7InboundRow.control_id == row.control_id,
                Hl7InboundRow.sha256 == row.sha256,
            )
            .with_for_update()
        )

    def _refuse_stray(
        self, content: bytes, peer: Peer, header: Header | None, verdict: Verdict
    ) -> bytes | None:
        answer = self._answer(header, verdict)
        self._keep_stray(content, peer, verdict.text, _answer_code(answer))
        return answer

    def _keep_stray(self, content: bytes, peer: Peer, reason: str, answer: str | None) -> None:
        digest = hashlib.sha256(content).hexdigest()
        with self._context.database.begin(None) as db:
            known = select(Hl7StrayRow).where(Hl7StrayRow.sha256 == digest).with_for_update()
            if db.scalar(known) is not None:
                return
            row = Hl7StrayRow(
                content=content,
                sha256=digest,
                peer=peer.address,
                received_at=self._context.now(),
                answer=answer,
                reason=reason,
            )
            try:
                with db.begin_nested():
                    db.add(row)
            except IntegrityError:
                return  # kept by another connection meanwhile
        log.warning("hl7_stray", stray=row.id, peer=peer.address, why=reason)

    def _route(self, header: Header, peer: Peer) -> tuple[str, Inbound] | None:
        """The one health system that the message can belong to; None for none or several."""
        found = [
            (tenant_id, settings)
            for tenant_id, settings in self._current_routes()
            if _belongs(settings, self._port, header, peer)
        ]
        return found[0] if len(found) == 1 else None

    def _current_routes(self) -> list[tuple[str, Inbound]]:
        with self._lock:
            now = time.monotonic()
            if self._routes_read_at is None or now - self._routes_read_at > _ROUTES_KEPT_S:
                self._routes, self._routes_read_at = _read_routes(self._context), now
            return self._routes


def examine(content: bytes, header: Header, settings: Inbound) -> Verdict:
    """Whether the message can be acted on at all; what it means is found out later."""
    if not header.control_id:
        return Verdict("AE", "MSH-10 is empty", "101", ("MSH", 10))
    if len(header.control_id) > _LONGEST_CONTROL_ID:
        return Verdict("AE", "MSH-10 is longer than 199", "102", ("MSH", 10))
    if not header.message_code:
        return Verdict("AE", "MSH-9 is empty", "101", ("MSH", 9))
    if header.charset not in CHARSETS:
        return Verdict("AR", "MSH-18 names a character set not read here", "103", ("MSH", 18))
    if header.version and not header.version.startswith("2."):
        return Verdict("AR", "MSH-12 is no version 2", "203", ("MSH", 12))
    try:
        cut(decode(content, header.charset or settings.undeclared_charset))
    except NotEr7 as error:
        return Verdict("AE", str(error), "102")
    if header.message_code == "ACK":
        return ACCEPTED
    if header.message_code not in TYPES_TAKEN:
        taken = " and ".join(TYPES_TAKEN)
        return Verdict("AR", f"only {taken} are taken here", "200", ("MSH", 9))
    if header.processing_id not in ("", settings.processing_id):
        return Verdict("AR", f"MSH-11 must be {settings.processing_id}", "202", ("MSH", 11))
    return ACCEPTED


def _first_state(header: Header, verdict: Verdict) -> dict[str, str | None]:
    if verdict.code != "AA":
        return {"state": "refused", "reason": verdict.text}
    if header.message_code == "ACK":
        return {"state": "ignored", "reason": "an acknowledgment that nothing here waits for"}
    return {"state": "waiting", "reason": None}


def _belongs(settings: Inbound, port: int, header: Header, peer: Peer) -> bool:
    if settings.certified_names and not peer.certified_names & set(settings.certified_names):
        return False
    if port in settings.ports:
        return True
    if header.sending_facility not in settings.sending_facilities:
        return False
    receivers = settings.receiving_facilities
    return not receivers or header.receiving_facility in receivers


def _read_routes(context: Context) -> list[tuple[str, Inbound]]:
    routes = []
    with context.database.begin(None) as db:
        for tenant in db.scalars(select(Tenant)):
            try:
                settings = hl7_settings(tenant).inbound
            except InvalidHl7Settings as error:
                log.error("hl7_settings_damaged", tenant=tenant.id, why=str(error))
                continue
            if settings is not None:
                routes.append((tenant.id, settings))
    return routes


def _kept(value: str, most: int) -> str:
    """For a column: the content holds the whole of it, and what can't be stored in a text."""
    return value[:most].replace("\x00", "�")


def _answer_code(answer: bytes | None) -> str | None:
    return None if answer is None else answer.split(b"\rMSA|", 1)[1][:2].decode("ascii")
