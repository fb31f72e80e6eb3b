"""How hard a text is to read."""

from __future__ import annotations

import re

import textstat

# A silent e at the end, as in "hole", but not in "table".
_SILENT_E = re.compile(r"(?<![aeiouyl])e$|(?<=[aeiouy])le$|(?<=l)le$")


def syllables(word: str) -> int:
    """Groups of vowels: counts rather too many than too few."""
    return max(1, len(re.findall(r"[aeiouy]+", _SILENT_E.sub("", word.lower()))))


def flesch_kincaid_grade(text: str) -> float:
    """Kincaid et al. 1975. textstat's English wants a dictionary that it fetches when run."""
    sentences = len(re.findall(r"[.!?](?:\s|$)", text))
    words = re.findall(r"[A-Za-z'-]+", text)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def szigriszt_pazos(text: str) -> float:
    """Of a Spanish text; INFLESZ (Barrio-Cantalejo et al. 2008) calls 65 and more fairly easy."""
    textstat.set_lang("es")
    return float(textstat.szigriszt_pazos(text))
