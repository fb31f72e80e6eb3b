"""Loading the articles: YAML in, checked `Article` values out. Texts are keyed by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from rtm.checked_yaml import checked_documents

Text = Mapping[str, str]


class UnknownArticle(LookupError):
    """No article has this id; the message lists those there are."""


class InvalidArticle(ValueError):
    """An article breaks the schema or is not what its file says; the message names the file."""


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, then points of a list."""

    heading: Text
    paragraphs: tuple[Text, ...]
    points: tuple[Text, ...]


@dataclass(frozen=True)
class Source:
    """The guideline or study that a text rests on."""

    citation: str
    year: int


@dataclass(frozen=True)
class Article:
    """One article: for those whose protocol names it, or with `for_all` for everybody."""

    id: str
    title: Text
    summary: Text
    for_all: bool
    sections: tuple[Section, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class ArticleLibrary:
    """Every article by id, iterated in the order of ids."""

    by_id: Mapping[str, Article]

    def __getitem__(self, article_id: str) -> Article:
        try:
            return self.by_id[article_id]
        except KeyError:
            known = ", ".join(sorted(self.by_id))
            raise UnknownArticle(f"unknown article {article_id!r}; known: {known}") from None

    def __iter__(self) -> Iterator[Article]:
        return iter(self.by_id[key] for key in sorted(self.by_id))

    def __len__(self) -> int:
        return len(self.by_id)

    def with_first(
        self, article_ids: Sequence[str]
    ) -> tuple[tuple[Article, ...], tuple[Article, ...]]:
        """Those named, in that order, with those for all; and the others.

        Raises:
            UnknownArticle: one of the ids.
        """
        own = [self[article_id] for article_id in dict.fromkeys(article_ids)]
        first = (*own, *(a for a in self if a.for_all and a not in own))
        return first, tuple(a for a in self if a not in first)


@cache
def load_articles() -> ArticleLibrary:
    """The articles shipped with this package. Raises InvalidArticle."""
    return read_articles(files(__package__))


def read_articles(folder: Traversable) -> ArticleLibrary:
    """Every `*.yaml` of `folder`. Raises InvalidArticle."""
    by_id: dict[str, Article] = {}
    for file_name, document in checked_documents(folder, __package__, InvalidArticle):
        if file_name != f"{document['id']}.yaml":
            raise InvalidArticle(f"{file_name}: holds the id {document['id']!r}")
        by_id[document["id"]] = _article(document)
    return ArticleLibrary(by_id)


def _article(document: dict[str, Any]) -> Article:
    return Article(
        id=document["id"],
        title=document["title"],
        summary=document["summary"],
        for_all=document.get("for_all", False),
        sections=tuple(
            Section(
                each["heading"], tuple(each.get("paragraphs", ())), tuple(each.get("points", ()))
            )
            for each in document["sections"]
        ),
        sources=tuple(Source(**each) for each in document["sources"]),
    )
