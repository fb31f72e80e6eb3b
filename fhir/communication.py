"""A message between patient and care team as Communication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir import codes
from fhir.bundle import Resource, create_once, transaction, urn
from fhir.codes import concept, identifier
from fhir.meaning import Unreadable, reading


class UnreadableMessage(Unreadable):
    """The Communication holds no message that can be shown; the message says what is missing."""


@dataclass(frozen=True)
class CareMessage:
    """One message. `sender`, `recipients` and `patient` are references.

    There is no recipient yet of a message to the care team that nobody has opened. `text` is plain
    text, shown as such. `in_reply_to` is the id of an earlier message of ours,
    `topic` a few words. `read_at` is when the first recipient opened it.
    """

    id: str
    patient: str
    sender: str
    recipients: tuple[str, ...]
    sent_at: datetime
    text: str
    topic: str | None = None
    in_reply_to: str | None = None
    read_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.sent_at.tzinfo is None:
            raise ValueError("sent_at must carry a time zone")


def communication_resource(message: CareMessage, careplan: str | None = None) -> Resource:
    """The message, about `careplan` where there is one."""
    recipients = [{"reference": recipient} for recipient in message.recipients]
    resource: Resource = {
        "resourceType": "Communication",
        "meta": codes.profile("care-message"),
        "identifier": [identifier(codes.MESSAGE_ID, message.id)],
        "status": "completed",
        "category": [concept(codes.COMMUNICATION_CATEGORY, "notification", "Notification")],
        "subject": {"reference": message.patient},
        "sent": message.sent_at.isoformat(),
        **({"recipient": recipients} if recipients else {}),
        "sender": {"reference": message.sender},
        "payload": [{"contentString": message.text}],
    }
    if message.topic:
        resource["topic"] = {"text": message.topic}
    if message.in_reply_to:
        resource["inResponseTo"] = [
            {
                "type": "Communication",
                "identifier": identifier(codes.MESSAGE_ID, message.in_reply_to),
            }
        ]
    if message.read_at:
        resource["received"] = message.read_at.isoformat()
    if careplan:
        resource["basedOn"] = [{"reference": careplan}]
    return resource


def message_bundle(message: CareMessage, careplan: str | None = None) -> Resource:
    """A transaction that creates the message once, however often it is sent."""
    resource = communication_resource(message, careplan)
    return transaction([create_once(resource, urn("message", message.id))])


def read_communication(resource: Mapping[str, Any]) -> CareMessage:
    """A message of ours or of an EHR; of an EHR, its own id stands for ours.

    The texts of its payload are joined by empty lines; attachments are not part of the text.

    Raises:
        UnreadableMessage: no patient, sender, time or text, or it was not sent.
        Unreadable: a modifier that is not known, or entered in error.
    """
    with reading(resource, UnreadableMessage):
        if resource["status"] == "not-done":
            raise UnreadableMessage("the Communication was not sent (not-done)")
        texts = [part["contentString"] for part in resource["payload"] if "contentString" in part]
        if not texts:
            raise UnreadableMessage("the Communication has no text")
        answered = (who.get("identifier", {}) for who in resource.get("inResponseTo", ()))
        read = resource.get("received")
        return CareMessage(
            id=_own(resource.get("identifier", ())) or resource["id"],
            patient=resource["subject"]["reference"],
            sender=resource["sender"]["reference"],
            recipients=tuple(
                who["reference"] for who in resource.get("recipient", ()) if "reference" in who
            ),
            sent_at=datetime.fromisoformat(resource["sent"]),
            text="\n\n".join(texts),
            topic=resource.get("topic", {}).get("text"),
            in_reply_to=_own(answered),
            read_at=None if read is None else datetime.fromisoformat(read),
        )


def _own(identifiers: Any) -> str | None:
    return next((i["value"] for i in identifiers if i.get("system") == codes.MESSAGE_ID), None)
