"""The texts that patients agree to: whole in both languages, easy to read, and never changed."""

from __future__ import annotations

import copy
import hashlib
from importlib.resources import files
from typing import Any

import pytest
import textstat
import yaml

from rtm.consent_text import (
    InvalidConsentTexts,
    UnknownConsentText,
    load_consent_texts,
    read_consent_texts,
)

# Somebody may have agreed to each of these: a change of words is a new version.
SEALED = {"2026-12": "1eb8fd8c082d3f6436c4d714336da957ffb32a70b36f39c33deef8b1c1db12c5"}


def document() -> Any:
    return yaml.safe_load(files("rtm").joinpath("consent_texts.yaml").read_text("utf-8"))


def words(version: str, language: str) -> str:
    """As sentences: a heading ends like one."""
    lines = load_consent_texts()[version].words(language).split("\n")
    return " ".join(line if line[-1] in ".!?" else f"{line}." for line in lines)


def test_no_version_has_changed_since_it_came_into_use() -> None:
    found = {
        text.id: hashlib.sha256(f"{text.words('en')}\n{text.words('es')}".encode()).hexdigest()
        for text in load_consent_texts().versions
    }
    assert found == SEALED


def test_english_is_read_after_six_years_of_school() -> None:
    for text in load_consent_texts().versions:
        plain = words(text.id, "en")
        assert textstat.automated_readability_index(plain) <= 6
        assert textstat.coleman_liau_index(plain) <= 6


def test_spanish_is_as_easy() -> None:
    """Fernández Huerta: 80 to 90 is the level of the sixth school year (easy)."""
    textstat.set_lang("es")
    try:
        for text in load_consent_texts().versions:
            assert textstat.fernandez_huerta(words(text.id, "es")) >= 80
    finally:
        textstat.set_lang("en_US")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("Medicare", "20 percent", "stop at any time", "911", "stays on your phone")),
        ("es", ("Medicare", "20 por ciento", "dejarlo cuando quiera", "911", "se queda en su")),
    ],
)
def test_it_says_what_a_patient_must_know(language: str, said: tuple[str, ...]) -> None:
    text = load_consent_texts().current.words(language)
    for part in said:
        assert part in text


def test_an_unknown_version_is_none() -> None:
    with pytest.raises(UnknownConsentText):
        load_consent_texts()["1999-01"]


def test_a_text_without_a_topic_or_language_is_refused() -> None:
    for topic in ("cost", "stop", "emergency", "video"):
        broken = document()
        del broken["versions"][0]["sections"][topic]
        with pytest.raises(InvalidConsentTexts, match=topic):
            read_consent_texts(broken)
    broken = document()
    del broken["versions"][0]["statement"]["es"]
    with pytest.raises(InvalidConsentTexts, match="statement"):
        read_consent_texts(broken)


def test_versions_follow_one_another() -> None:
    twice = document()
    twice["versions"].append(copy.deepcopy(twice["versions"][0]))
    with pytest.raises(InvalidConsentTexts, match="follow"):
        read_consent_texts(twice)
