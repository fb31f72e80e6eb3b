"""What every claim format shares: text on the wire, identifiers, pointers, and findings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

# A professional claim carries twelve diagnoses, a line points at four (X12 005010X222A1, 2300 HI
# and 2400 SV107).
MOST_DIAGNOSES = 12
MOST_POINTERS = 4

# The separators and what is no printable letter.
_NOT_ON_THE_WIRE = str.maketrans(dict.fromkeys((*"*~:^", *map(chr, range(32)), "\x7f"), " "))

Severity = Literal["hold", "warn"]


@dataclass(frozen=True)
class ScrubFinding:
    """What is wrong with a claim. `claim_id` names it, `field` where to look, `mend` what to do.

    `hold`: the claim must not leave. `warn`: it may, and somebody should know.
    """

    claim_id: str
    field: str
    why: str
    mend: str = ""
    severity: Severity = "hold"


@lru_cache(maxsize=4096)
def on_the_wire(text: str) -> str:
    """Upper-case ASCII without the separators: the basic character set of X12.

    Letters lose their accents; what has no ASCII letter is lost (the scrubber finds what is lost
    whole).
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(text.translate(_NOT_ON_THE_WIRE).split()).upper()


@lru_cache(maxsize=4096)
def is_npi(value: str) -> bool:
    """Whether `value` has ten digits and the right check digit.

    The check digit is Luhn's over the prefix 80840 and the number (45 CFR 162.406; ISO/IEC 7812).
    """
    if not re.fullmatch(r"\d{10}", value):
        return False
    total = 0
    for place, digit in enumerate(reversed("80840" + value)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def icd10_on_the_wire(code: str) -> str:
    """Without the decimal point, upper case, as X12 wants it."""
    return code.replace(".", "").upper()


def pointers_for(diagnoses: Sequence[str]) -> tuple[int, ...]:
    """The first diagnoses of the claim, primary first: RTM treats the whole condition."""
    return tuple(range(1, min(len(diagnoses), MOST_POINTERS) + 1))
