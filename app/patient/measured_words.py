"""What the measuring said of a recording, as the patient reads it.

The measurement's words are stored in English, for the chart and the EHR too. Here each of its
sentences has its counterpart for the patient, in plain words and by the catalogues in the
language of the page. Those of the camera check and the cues come from their own data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

import structlog
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from app.languages import Language, language
from rtm.exercises import load_library
from vision.camera_check import messages

log = structlog.get_logger(__name__)

# What stands in a sentence for a placeholder: a number, unless its name is here.
_PLACEHOLDERS = {
    "share": r"\d+%",
    "times": r"[\d., s]+",
    "region": r"\w+",
    "exercise": r"[^.:]+",
    "note": r".+",
}
_NUMBER = r"\d[\d.,]*"

# A sentence of `vision` or `rtm`, with placeholders, and what the patient reads for it.
_SENTENCES: Sequence[tuple[str, LazyString]] = (
    # The recording can't be used.
    (
        "The video file is empty (0 bytes). Please record it again.",
        _l("The video is empty. Please record it again."),
    ),
    (
        "This file is not a video that can be read, or it was cut off while sending.",
        _l("We can't play this video. It may have been cut off. Please send it again."),
    ),
    (
        "The video has fewer than two frames that can be shown. Please record it again.",
        _l("The video is too short. Please record it again."),
    ),
    (
        "Nobody can be seen in this video. Please check light and camera.",
        _l("We see nobody in this video. Please check the light and the camera."),
    ),
    (
        "Nobody was found in any frame of this recording.",
        _l("We see nobody in this recording. Please step in front of the camera."),
    ),
    (
        "%(exercise)s can't be measured by camera: %(note)s",
        _l("The camera can't measure this exercise. Please tell us how it went instead."),
    ),
    # A session's result.
    (
        "The joint of this exercise could not be seen: nothing was measured.",
        _l("We could not see the joint, so it was not measured."),
    ),
    (
        "The joint could be seen in %(share)s of the frames only.",
        _l("We could see the joint in only %(share)s of the video."),
    ),
    (
        "The hips were out of view: the arm was measured against the vertical.",
        _l("We could not see your hips. So we measured your arm against a straight line down."),
    ),
    (
        "The video is cut off: %(count)s of its frames could not be read.",
        _l("The video is cut off. %(count)s of its pictures are missing."),
    ),
    ("Walking was left out (%(seconds)s s).", _l("We left out %(seconds)s seconds of walking.")),
    (
        "Attempts below half of the usual range: %(count)s (at %(times)s).",
        _l("Tries that were too small to count: %(count)s (at %(times)s)."),
    ),
    ("Movements not counted: %(count)s.", _l("Moves that we did not count: %(count)s.")),
    # A test of the range of motion.
    ("Recording %(number)s:", _l("Video %(number)s:")),
    (
        "Nobody can be seen. Please check light and camera.",
        _l("We see nobody. Please check the light and the camera."),
    ),
    (
        "The recording does not tell how you stood to the camera.",
        _l("We can't tell how you stood to the camera."),
    ),
    (
        "The camera saw you from another side.",
        _l("The camera saw you from the wrong side."),
    ),
    ("Please face the camera.", _l("Please face the camera.")),
    ("Please turn your side to the camera.", _l("Please turn your side to the camera.")),
    (
        "Your %(region)s could not be seen: nothing was measured.",
        _l("We could not see the joint, so it was not measured."),
    ),
    (
        "No full movement was seen. Please start at rest and move as far as you can.",
        _l("We did not see a full move. Please start at rest. Then move as far as you can."),
    ),
    (
        "Of %(count)s tries the first %(most)s were taken.",
        _l("You did %(count)s tries. We took the first %(most)s."),
    ),
    (
        "%(count)s try was left out: much smaller than the others.",
        _l("We left out %(count)s try. It was much smaller than the others."),
    ),
    (
        "%(count)s tries were left out: much smaller than the others.",
        _l("We left out %(count)s tries. They were much smaller than the others."),
    ),
    (
        "Try %(number)s was left out: the joint was hidden for a part of it.",
        _l("We left out try %(number)s. The joint was hidden for a part of it."),
    ),
    (
        "Your tries differ more than measuring alone can explain (MDC %(mdc)s°). "
        "Rest, and measure again.",
        _l("Your tries are too far apart (more than %(mdc)s°). Rest, and measure again."),
    ),
)


class NoWords(ValueError):
    """A sentence of the measurement has no counterpart here."""


def in_patients_words(stored: Sequence[str]) -> tuple[str, ...]:
    """Each of `stored` in the language of the page; one without a counterpart is left out."""
    told = []
    for text in stored:
        try:
            told.append(translated(text))
        except NoWords:
            log.warning("no_words_for_patients", length=len(text))
    return tuple(told)


def problem_in_patients_words(stored: str | None) -> str | None:
    """Why a recording was refused; what only a program can cause, in general words."""
    if stored is None:
        return None
    try:
        return translated(stored)
    except NoWords:
        return _("We can't read this file. Please record a video and send it again.")


def translated(stored: str) -> str:
    """`stored`, of one or more sentences, in the language of the page. Raises NoWords."""
    return " ".join(_sentences(stored.strip()))


def _sentences(rest: str) -> Iterator[str]:
    while rest:
        found = next(_readings(rest), None)
        if found is None:
            raise NoWords(rest)
        text, rest = found
        yield text


def _readings(rest: str) -> Iterator[tuple[str, str]]:
    """How `rest` may begin: what the patient reads for that, and what comes after it."""
    for sentence, both in _data_sentences().items():
        if rest == sentence or rest.startswith(f"{sentence} "):
            yield both[language()], rest[len(sentence) :].lstrip()
    for pattern, words in _patterns():
        match = pattern.match(rest)
        if match:
            yield str(words) % match.groupdict(), rest[match.end() :]


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], LazyString]]:
    def pattern(sentence: str) -> re.Pattern[str]:
        parts = re.split(r"%\((\w+)\)s", sentence)
        for place in range(1, len(parts), 2):
            name = parts[place]
            parts[place] = f"(?P<{name}>{_PLACEHOLDERS.get(name, _NUMBER)})"
        for place in range(0, len(parts), 2):
            parts[place] = re.escape(parts[place])
        return re.compile("".join(parts) + r"(?:\s+|$)")

    return [(pattern(sentence), words) for sentence, words in _SENTENCES]


@cache
def _data_sentences() -> dict[str, dict[Language, str]]:
    """Messages of the camera check and cues of exercises, by their English; longest first."""
    texts = [*messages().values()]
    for exercise in load_library():
        texts += [fault.cue for fault in exercise.faults]
        texts += [requirement.cue for requirement in exercise.requirements]
    ordered = sorted(texts, key=lambda text: -len(text["en"]))
    return {text["en"]: {"en": text["en"], "es": text["es"]} for text in ordered}
