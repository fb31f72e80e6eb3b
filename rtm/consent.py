"""What a patient declared about being monitored, and what follows for an episode.

A declaration is a fact and never changed. The care team's record of a spoken consent stands in the
episode itself (`rtm.episode.Consent`); what the patient declares in the portal comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rtm.episode import Consent, ConsentGap, Episode

Language = Literal["en", "es"]


@dataclass(frozen=True)
class ConsentEvent:
    """The patient agreed to the text of `text_version`, declined it, or withdrew the consent.

    `language` is the one in which the text was shown; `signed_name` what the patient typed to
    agree. A withdrawal has neither version nor name of its own: it needs no form.
    """

    id: str
    kind: Literal["agreed", "declined", "withdrawn"]
    at: datetime
    language: Language
    text_version: str | None = None
    signed_name: str | None = None

    def as_consent(self) -> Consent:
        """Of an agreement, as billing and its auditors ask for it."""
        return Consent(self.at, self.signed_name, "electronic", self.text_version)


def is_stopped(episode: Episode | None, events: Sequence[ConsentEvent]) -> bool:
    """Whether the newest declaration is a "no": nothing new may be recorded.

    A consent that the care team recorded after it counts as a new "yes".
    """
    newest = max(events, key=lambda event: event.at, default=None)
    if newest is None or newest.kind == "agreed":
        return False
    spoken = episode.consent.at if episode is not None and episode.consent is not None else None
    return spoken is None or spoken <= newest.at


def with_declarations(episode: Episode, events: Sequence[ConsentEvent]) -> Episode:
    """`episode` with what the patient declared: agreements, and the gaps between a "no" and the
    next "yes". Where the care team recorded no consent, the first agreement is it.

    Events after the episode's end leave it as it is.
    """
    last = episode.end
    mine = sorted(
        (event for event in events if last is None or event.at.date() <= last),
        key=lambda event: event.at,
    )
    agreed = tuple(event.as_consent() for event in mine if event.kind == "agreed")
    consent = episode.consent or next(iter(agreed), None)
    return replace(
        episode, consent=consent, agreements=agreed, consent_gaps=_gaps(episode.consent, mine)
    )


def _gaps(spoken: Consent | None, events: Sequence[ConsentEvent]) -> tuple[ConsentGap, ...]:
    turns = [(event.at, event.kind == "agreed") for event in events]
    if spoken is not None:
        turns.append((spoken.at, True))
    gaps: list[ConsentGap] = []
    since: datetime | None = None
    for at, yes in sorted(turns):
        if yes and since is not None:
            gaps.append(ConsentGap(since, at))
            since = None
        elif not yes and since is None:
            since = at
    if since is not None:
        gaps.append(ConsentGap(since))
    return tuple(gaps)
