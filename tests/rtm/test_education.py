"""The articles for patients: checked, easy to read, with their guidelines."""

from __future__ import annotations

from pathlib import Path

import pytest
import textstat
import yaml

from rtm.education import Article, InvalidArticle, UnknownArticle, load_articles
from rtm.education.library import read_articles
from rtm.protocols import load_protocols
from tests.rtm.test_exercise_reading import flesch_kincaid_grade

ARTICLES = list(load_articles())


def words(article: Article, language: str) -> str:
    lines = [f"{article.title[language]}.", article.summary[language]]
    for section in article.sections:
        lines.append(f"{section.heading[language]}.")
        lines += [text[language] for text in (*section.paragraphs, *section.points)]
    return " ".join(lines)


def test_what_a_protocol_names_comes_first_and_one_for_all_follows() -> None:
    for protocol in load_protocols():
        first, others = load_articles().with_first(protocol.education)
        assert [article.id for article in first] == [*protocol.education, "pain_and_pacing"]
        assert sorted(a.id for a in (*first, *others)) == [a.id for a in ARTICLES]


def test_every_protocol_has_something_to_read_and_every_article_a_reader() -> None:
    named: set[str] = set()
    for protocol in load_protocols():
        ids = {*protocol.education, *(id_ for phase in protocol.phases for id_ in phase.education)}
        assert ids, protocol.id
        named |= ids
    assert named == {article.id for article in ARTICLES if not article.for_all}


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.id)
def test_a_sixth_grader_can_read_it(article: Article) -> None:
    assert flesch_kincaid_grade(words(article, "en")) <= 6
    textstat.set_lang("es")
    assert textstat.szigriszt_pazos(words(article, "es")) >= 65


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.id)
def test_it_says_when_to_call_and_what_it_rests_on(article: Article) -> None:
    assert article.sections[-1].heading["en"] == "When to call"
    for source in article.sources:
        assert source.year >= 2016


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"protocols": ["gout"]}, "protocols"),
        ({"sources": []}, "sources"),
        ({"id": "other"}, "holds the id 'other'"),
        ({"title": {"en": "Neck"}}, "es"),
    ],
)
def test_an_article_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    folder = Path(__file__).parents[2] / "rtm" / "education"
    document = yaml.safe_load((folder / "neck_pain.yaml").read_text())
    (tmp_path / "neck_pain.yaml").write_text(yaml.safe_dump({**document, **change}))
    with pytest.raises(InvalidArticle, match=why):
        read_articles(tmp_path)


def test_an_unknown_article_lists_the_known_ones() -> None:
    with pytest.raises(UnknownArticle, match="knee_pain"):
        load_articles()["gout"]
