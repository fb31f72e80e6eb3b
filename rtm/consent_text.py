"""The texts that patients agree to before they are monitored, by version.

They are data (`consent_texts.yaml`), in every language of the portal. A version that was in use
stays, so that it can be shown what somebody agreed to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

from rtm.checked_yaml import check_document, shipped_document


class UnknownConsentText(LookupError):
    """No version has this id."""


class InvalidConsentTexts(ValueError):
    """The data break the schema or are out of order; the message names place and rule."""


@dataclass(frozen=True)
class Section:
    """One topic: measured, shown_to, video, cost, stop or emergency; texts by language."""

    topic: str
    heading: Mapping[str, str]
    points: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ConsentText:
    """One version, in use since the day `since`. Texts are keyed by language (`en`, `es`)."""

    id: str
    since: date
    title: Mapping[str, str]
    sections: tuple[Section, ...]
    statement: Mapping[str, str]

    def words(self, language: str) -> str:
        """All of it as one text, in the order in which it is read."""
        parts = [self.title[language]]
        for section in self.sections:
            parts += [section.heading[language], *section.points[language]]
        return "\n".join([*parts, self.statement[language]])


@dataclass(frozen=True)
class ConsentTexts:
    """Every version, the newest last."""

    versions: tuple[ConsentText, ...]

    @property
    def current(self) -> ConsentText:
        return self.versions[-1]

    def __getitem__(self, id_: str) -> ConsentText:
        """Raises UnknownConsentText."""
        for version in self.versions:
            if version.id == id_:
                return version
        raise UnknownConsentText(id_)


@cache
def load_consent_texts() -> ConsentTexts:
    """The texts shipped with this package. Raises InvalidConsentTexts."""
    return read_consent_texts(shipped_document("consent_texts.yaml"))


def read_consent_texts(document: Any) -> ConsentTexts:
    """The texts of a parsed document, checked against the schema. Raises InvalidConsentTexts."""
    check_document(document, "consent_texts.schema.json", InvalidConsentTexts)
    versions = tuple(_version(item) for item in document["versions"])
    for earlier, later in pairwise(versions):
        if later.since <= earlier.since or later.id in (v.id for v in versions[:-1]):
            raise InvalidConsentTexts(f"{later.id}: versions must follow one another in time")
    return ConsentTexts(versions)


def _version(item: Mapping[str, Any]) -> ConsentText:
    return ConsentText(
        id=item["id"],
        since=date.fromisoformat(item["since"]),
        title=item["title"],
        sections=tuple(
            Section(
                topic,
                section["heading"],
                {language: tuple(points) for language, points in section["points"].items()},
            )
            for topic, section in item["sections"].items()
        ),
        statement=item["statement"],
    )
