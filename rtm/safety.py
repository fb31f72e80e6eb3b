"""Safety questions before a program is begun, and what in a session is a warning sign.

Questions, bounds and stop reasons are data with sources in `safety.yaml`. Nothing here diagnoses:
an outcome says whom to call, or that the exercises may go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from rtm.checked_yaml import check_document, shipped_document
from rtm.feedback import Feedback
from rtm.program import Program
from rtm.protocols import UnknownProtocol, load_protocols
from rtm.session import Pain

Outcome = Literal["go_on", "stop_call_care_team", "stop_call_emergency"]

# From the mildest; the gravest answer decides.
OUTCOMES: tuple[Outcome, ...] = ("go_on", "stop_call_care_team", "stop_call_emergency")


class InvalidSafetyData(ValueError):
    """The data break the schema, or name a source, region or protocol that there is not."""


class InvalidScreen(ValueError):
    """Answers that say neither to go on nor to stop; the message names the questions."""


@dataclass(frozen=True)
class Source:
    """`checked` is False where the figure or wording was not seen in the source itself."""

    text: str
    checked: bool


@dataclass(frozen=True)
class Question:
    """To be answered yes or no; a yes leads to `outcome`. `text` is keyed by language.

    It is for everyone where both `regions` and `protocols` are empty.
    """

    id: str
    text: Mapping[str, str]
    outcome: Outcome
    source: Source
    regions: frozenset[str]
    protocols: frozenset[str]

    def is_for(self, protocol_id: str, region: str) -> bool:
        everyone = not self.regions and not self.protocols
        return everyone or region in self.regions or protocol_id in self.protocols


@dataclass(frozen=True)
class StopReason:
    """Why a patient broke off a session; `outcome` is what follows from it at once."""

    id: str
    text: Mapping[str, str]
    outcome: Outcome
    source: Source


@dataclass(frozen=True)
class Bound:
    """On the 0–10 numeric rating scale of pain."""

    at_least: int
    source: Source


@dataclass(frozen=True)
class Reason:
    """Why an outcome is what it is, in the clinician's words; `id` is the question's or rule's."""

    id: str
    text: str


@dataclass(frozen=True)
class Judgement:
    """`reasons` is empty where the exercises may go on."""

    outcome: Outcome
    reasons: tuple[Reason, ...]

    @property
    def stops(self) -> bool:
        return self.outcome != "go_on"


@dataclass(frozen=True)
class Screen:
    """One time that a program's questions were answered. `id` is made with the page.

    After a yes the others need no answer: whoever must call somebody is not kept.
    """

    id: str
    program_id: str
    program_version: int
    questions_version: str
    answers: Mapping[str, bool]
    outcome: Outcome
    answered_at: datetime


@dataclass(frozen=True)
class SafetyRules:
    """The data of `safety.yaml`."""

    version: str
    questions: tuple[Question, ...]
    pain_severity: Bound
    pain_rise: Bound
    stop_reasons: tuple[StopReason, ...]

    def questions_for(self, program: Program) -> tuple[Question, ...]:
        """What is asked before `program`; everything where its protocol is not known here."""
        try:
            protocol = load_protocols()[program.protocol_id]
        except UnknownProtocol:
            return self.questions
        return tuple(q for q in self.questions if q.is_for(protocol.id, protocol.region))

    def judge(self, program: Program, answers: Mapping[str, bool]) -> Judgement:
        """What follows from `answers` by question id; the gravest yes decides.

        Raises:
            InvalidScreen: without a yes, a question of the program is not answered; or another
                than the program's is.
        """
        questions = self.questions_for(program)
        asked = {question.id for question in questions}
        yes = [question for question in questions if answers.get(question.id)]
        if other := ", ".join(sorted(set(answers) - asked)):
            raise InvalidScreen(f"not asked: {other}")
        if not yes and (missing := ", ".join(sorted(asked - set(answers)))):
            raise InvalidScreen(f"not answered: {missing}")
        return Judgement(
            _gravest(question.outcome for question in yes),
            tuple(Reason(question.id, f"Yes to: {question.text['en']}") for question in yes),
        )

    def judge_session(self, pain: Pain, feedback: Feedback) -> Judgement:
        """Whether a session shows a warning sign: severe pain, a rise of pain, or why it stopped.

        A stop reason that is not in the data says nothing here.
        """
        reasons: list[Reason] = []
        outcomes: list[Outcome] = []
        rise = pain.after - pain.before
        if pain.after >= self.pain_severity.at_least:
            outcomes.append("stop_call_care_team")
            reasons.append(Reason("pain_severity", f"Pain {pain.after} of 10 after the session"))
        if rise >= self.pain_rise.at_least:
            outcomes.append("stop_call_care_team")
            reasons.append(
                Reason("pain_rise", f"Pain rose by {rise}, from {pain.before} to {pain.after}")
            )
        stopped = self.stop_reason(feedback.stopped_reason)
        if stopped is not None and stopped.outcome != "go_on":
            outcomes.append(stopped.outcome)
            reasons.append(Reason(stopped.id, f"Stopped the session: {stopped.text['en']}"))
        return Judgement(_gravest(outcomes), tuple(reasons))

    def stop_reason(self, reason_id: str | None) -> StopReason | None:
        return next((one for one in self.stop_reasons if one.id == reason_id), None)


def screen_due(
    program: Program, screens: Iterable[Screen], warnings: Iterable[datetime], now: datetime
) -> bool:
    """Whether the questions must be answered before the next session of `program`.

    They are before the first session of each version of a program, again after an answer that
    stopped it, and again after a session with a warning sign; `warnings` are the instants at which
    such sessions arrived. Nothing later than `now` counts.
    """
    answered = [
        screen
        for screen in screens
        if (screen.program_id, screen.program_version) == (program.id, program.version)
        and screen.answered_at <= now
    ]
    if not answered:
        return True
    newest = max(answered, key=lambda screen: screen.answered_at)
    if newest.outcome != "go_on":
        return True
    return any(newest.answered_at < at <= now for at in warnings)


@cache
def load_safety() -> SafetyRules:
    """The rules shipped with this package. Raises InvalidSafetyData."""
    return read_safety(shipped_document("safety.yaml"))


def read_safety(document: Any) -> SafetyRules:
    """Raises InvalidSafetyData."""
    check_document(document, "safety.schema.json", InvalidSafetyData, "safety: ")
    sources = {id_: Source(**source) for id_, source in document["sources"].items()}
    protocols = {protocol.id: protocol.region for protocol in load_protocols()}

    def source(id_: str) -> Source:
        if id_ not in sources:
            raise InvalidSafetyData(f"safety: there is no source {id_}")
        return sources[id_]

    for one in (*document["questions"], *document["stop_reasons"]):
        for known, key in ((set(protocols.values()), "regions"), (set(protocols), "protocols")):
            if unknown := set(one.get(key, ())) - known:
                raise InvalidSafetyData(f"safety: {one['id']} names unknown {key}: {unknown}")
    for key in ("questions", "stop_reasons"):
        ids = [one["id"] for one in document[key]]
        if len(ids) != len(set(ids)):
            raise InvalidSafetyData(f"safety: two {key} have one id")
    bounds = {
        name: Bound(bound["at_least"], source(bound["source"]))
        for name, bound in document["session"].items()
    }
    return SafetyRules(
        version=document["version"],
        questions=tuple(
            Question(
                one["id"],
                one["text"],
                one["outcome"],
                source(one["source"]),
                frozenset(one.get("regions", ())),
                frozenset(one.get("protocols", ())),
            )
            for one in document["questions"]
        ),
        pain_severity=bounds["pain_severity"],
        pain_rise=bounds["pain_rise"],
        stop_reasons=tuple(
            StopReason(one["id"], one["text"], one["outcome"], source(one["source"]))
            for one in document["stop_reasons"]
        ),
    )


def _gravest(outcomes: Iterable[Outcome]) -> Outcome:
    return max(outcomes, key=OUTCOMES.index, default="go_on")
