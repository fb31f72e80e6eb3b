"""The audit packet of one claim: everything that supports it, and where anything does not.

It shows the claim as it left beside a recount of the facts as they stood then, and every fact of
the episode once, with its corrections. A fact that came later is shown as such and counts for
nothing here; a recount that differs is a finding on the first page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from billing.account import Account
from billing.audit_lines import fact_date, line_evidence, recount
from billing.audit_model import (
    AuditPacket,
    ConfirmationRecord,
    DeviceSession,
    Evidence,
    Export,
    FactRecord,
    Finding,
    LineEvidence,
    Monitoring,
    ProgramVersion,
    Recorded,
    Revision,
)
from billing.claim_model import Claim
from billing.claim_state import claim_state
from billing.payers import UNKNOWN_PAYER, Payers, load_payers
from billing.rules import Rules, load_rules
from rtm.ledger import (
    Confirmation,
    Correction,
    Fact,
    FactHistory,
    FactProblem,
    Interaction,
    Ledger,
    MonitoredDay,
    TimeEntry,
)

FORMAT = "homestretch-audit-packet-1"


def audit_packet(
    claim: Claim,
    account: Account,
    export: Export,
    evidence: Evidence,
    made: Recorded,
    rules: Rules | None = None,
    payers: Payers | None = None,
) -> AuditPacket:
    """The packet of `claim`, which left with `export`; `made` is when and for whom.

    `account` is the patient's in the claim's episode, `as_of` the practice's date on which the
    claim left, its `billed` and `busy` as they were then, and its ledger with every fact to date.
    `rules` and `payers` are those shipped, if not given.
    """
    rules = load_rules() if rules is None else rules
    payers = load_payers() if payers is None else payers
    known = _Known(evidence.recorded, export.at)
    then = replace(account, ledger=_as_it_stood(account.ledger, known))
    counting = recount(then, rules, payers)
    lines: list[LineEvidence] = []
    findings: list[Finding] = []
    for line in claim.lines:
        shown, differences = line_evidence(claim, line, counting, evidence.approvals)
        lines.append(shown)
        # A void repeats what it takes back, which the facts need not give any more.
        findings += differences if claim.frequency != "8" else ()
    now, problems = account.ledger.histories
    records = _records(account, now, then.ledger, known, evidence.sessions)
    lines = [_with_later(account, line, records) for line in lines]
    records = [_with_lines(account, record, lines) for record in records]
    monitoring = _monitoring(account, claim, payers)
    return AuditPacket(
        claim=claim,
        export=export,
        left_on=account.as_of,
        made=made,
        state=claim_state(evidence.events),
        findings=tuple(findings),
        gaps=tuple(_gaps(claim, export, monitoring, evidence.programs, records)),
        monitoring=monitoring,
        programs=evidence.programs,
        lines=tuple(lines),
        days=_of(records, MonitoredDay),
        time=_of(records, TimeEntry),
        contacts=_of(records, Interaction),
        unapplied=_unapplied(account.ledger, now, problems, known),
        confirmations=_confirmations(account.ledger, problems, known),
        events=evidence.events,
    )


def packet_json(packet: AuditPacket) -> dict[str, Any]:
    """JSON-ready, as `audit_packet.schema.json` describes it; instants are UTC, money is text."""
    document: dict[str, Any] = _adapter().dump_python(packet, mode="json")
    return {"format": FORMAT, **document}


@cache
def _adapter() -> TypeAdapter[AuditPacket]:
    return TypeAdapter(AuditPacket)


class _Known:
    """Which facts and corrections were there when the claim left."""

    def __init__(self, recorded: Mapping[str, Recorded], left_at: datetime) -> None:
        self._recorded, self._left_at = recorded, left_at.astimezone(UTC)

    def of(self, id_: str) -> Recorded | None:
        return self._recorded.get(id_)

    def fact_is_later(self, fact: Fact) -> bool:
        recorded = self.of(fact.id)
        return recorded is not None and recorded.at.astimezone(UTC) > self._left_at

    def step_is_later(self, step: Correction | Confirmation) -> bool:
        recorded = self.of(step.id)
        at = step.at if recorded is None else recorded.at
        # One without a time zone has no place in time and is never applied.
        return at.tzinfo is not None and at.astimezone(UTC) > self._left_at


def _as_it_stood(ledger: Ledger, known: _Known) -> Ledger:
    return Ledger(
        days=tuple(fact for fact in ledger.days if not known.fact_is_later(fact)),
        time=tuple(fact for fact in ledger.time if not known.fact_is_later(fact)),
        interactions=tuple(f for f in ledger.interactions if not known.fact_is_later(f)),
        corrections=tuple(c for c in ledger.corrections if not known.step_is_later(c)),
        confirmations=tuple(c for c in ledger.confirmations if not known.step_is_later(c)),
    )


# Every fact once ----------------------------------------------------------------------------------


def _records(
    account: Account,
    now: Sequence[FactHistory],
    then: Ledger,
    known: _Known,
    sessions: Mapping[str, DeviceSession],
) -> list[FactRecord]:
    """A record for each fact of the ledger, in the order of dates."""
    stood = {history.first.id: history for history in then.histories[0]}
    records = [_record(history, stood.get(history.first.id), known, sessions) for history in now]
    records += [_twin(fact, known) for fact in _twins(account.ledger)]
    return _labelled(sorted(records, key=lambda record: _order(account, record.original)))


def _record(
    history: FactHistory,
    stood: FactHistory | None,
    known: _Known,
    sessions: Mapping[str, DeviceSession],
) -> FactRecord:
    fact = history.first
    session_id = fact.session_id if isinstance(fact, MonitoredDay) else None
    return FactRecord(
        label="",
        original=fact,
        when_claimed=None if stood is None else stood.standing,
        now=history.standing,
        recorded=known.of(fact.id),
        after_claim=known.fact_is_later(fact),
        revisions=tuple(_revision(s, known) for s in history.steps if isinstance(s, Correction)),
        signature=None if stood is None else stood.signature,
        signature_now=history.signature,
        session=sessions.get(session_id or ""),
        counted_in=(),
        counted_seconds=None,
        not_counted=(),
    )


def _unapplied(
    ledger: Ledger, now: Sequence[FactHistory], problems: Sequence[FactProblem], known: _Known
) -> tuple[Revision, ...]:
    """The corrections that change no fact, and why."""
    applied = {step.id for history in now for step in history.steps}
    why = {problem.fact_id: problem.why for problem in problems}
    return tuple(
        _revision(correction, known, why.get(correction.id, "it bears an id that another has"))
        for correction in ledger.corrections
        if correction.id not in applied
    )


def _confirmations(
    ledger: Ledger, problems: Sequence[FactProblem], known: _Known
) -> tuple[ConfirmationRecord, ...]:
    return tuple(
        ConfirmationRecord(
            confirmation,
            known.of(confirmation.id),
            known.step_is_later(confirmation),
            tuple(problem.why for problem in problems if problem.fact_id == confirmation.id),
        )
        for confirmation in ledger.confirmations
    )


def _twins(ledger: Ledger) -> Iterator[Fact]:
    """The facts that bear an id which an earlier one has: shown, and never counted."""
    seen: set[str] = set()
    facts: list[Fact] = [*ledger.days, *ledger.time, *ledger.interactions]
    for fact in facts:
        if fact.id in seen:
            yield fact
        seen.add(fact.id)


def _twin(fact: Fact, known: _Known) -> FactRecord:
    return FactRecord(
        label="",
        original=fact,
        when_claimed=None,
        now=None,
        recorded=known.of(fact.id),
        after_claim=known.fact_is_later(fact),
        revisions=(),
        signature=None,
        signature_now=None,
        session=None,
        counted_in=(),
        counted_seconds=None,
        not_counted=("an earlier fact bears this id",),
    )


def _revision(correction: Correction, known: _Known, problem: str | None = None) -> Revision:
    return Revision(correction, known.of(correction.id), known.step_is_later(correction), problem)


def _order(account: Account, fact: Fact) -> tuple[str, float, str]:
    if isinstance(fact, MonitoredDay):
        at = fact.captured_at
    else:
        at = fact.start if isinstance(fact, TimeEntry) else fact.at
    instant = 0.0 if at is None or at.tzinfo is None else at.timestamp()
    return fact_date(account, fact).isoformat(), instant, fact.id


def _labelled(records: Sequence[FactRecord]) -> list[FactRecord]:
    """D1, D2 … for days, T for time, C for contacts, each in the order of dates."""
    labelled = []
    letters: dict[type, str] = {MonitoredDay: "D", TimeEntry: "T", Interaction: "C"}
    numbers = dict.fromkeys(letters.values(), 0)
    for record in records:
        letter = letters[type(record.original)]
        numbers[letter] += 1
        labelled.append(replace(record, label=f"{letter}{numbers[letter]}"))
    return labelled


def _of(records: Sequence[FactRecord], kind: type) -> tuple[FactRecord, ...]:
    return tuple(record for record in records if isinstance(record.original, kind))


# Facts and lines ----------------------------------------------------------------------------------


def _bears_on(record: FactRecord, line: LineEvidence) -> bool:
    """Days bear on device and set-up lines, time and contacts on those of a month."""
    return isinstance(record.original, MonitoredDay) != (line.period == "month")


def _with_later(
    account: Account, line: LineEvidence, records: Sequence[FactRecord]
) -> LineEvidence:
    later = tuple(
        record.original.id
        for record in records
        if _bears_on(record, line)
        and (record.after_claim or any(revision.after_claim for revision in record.revisions))
        and any(
            fact is not None and line.first <= fact_date(account, fact) <= line.last
            for fact in (record.original, record.when_claimed, record.now)
        )
    )
    return replace(line, after_claim=later)


def _with_lines(account: Account, record: FactRecord, lines: Sequence[LineEvidence]) -> FactRecord:
    if record.not_counted:
        return record
    fact = record.when_claimed or record.original
    counted = tuple(line.line_id for line in lines if fact.id in _ids(line))
    bearing = [line for line in lines if _bears_on(record, line)]
    seconds = _counted_seconds(account, fact, lines)
    why = _why_not(fact, bearing)
    if record.after_claim:
        why.append("recorded after this claim left")
    elif seconds and not counted:
        why.append("counted in its month, but fills no whole unit of this claim's lines")
    elif not counted and not why:
        near = any(_covers(account, line, fact) for line in bearing)
        why.append(f"{'not needed for' if near else 'outside the dates of'} this claim's lines")
    return replace(record, counted_in=counted, counted_seconds=seconds, not_counted=tuple(why))


def _why_not(fact: Fact, lines: Sequence[LineEvidence]) -> list[str]:
    """Each reason once, with the lines that give it."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for left in line.not_counted:
            if left.fact_id == fact.id:
                found.setdefault(left.why, []).append(line.line_id)
    return [f"{', '.join(ids)}: {why}" for why, ids in found.items()]


def _counted_seconds(account: Account, fact: Fact, lines: Sequence[LineEvidence]) -> float | None:
    """Every line of a month shows all of the month's work, so one of them will do."""
    if not isinstance(fact, TimeEntry):
        return None
    line = next((n for n in lines if n.period == "month" and _covers(account, n, fact)), None)
    if line is None:
        return None
    work = (*line.work, *line.month_work_elsewhere)
    return sum(part.seconds for part in work if part.entry_id == fact.id)


def _covers(account: Account, line: LineEvidence, fact: Fact) -> bool:
    return line.first <= fact_date(account, fact) <= line.last


def _ids(line: LineEvidence) -> set[str]:
    days = {fact_id for day in line.days for fact_id in day.fact_ids}
    return {*days, *(work.entry_id for work in line.work), *line.contacts}


# Around the lines ---------------------------------------------------------------------------------


def _monitoring(account: Account, claim: Claim, payers: Payers) -> Monitoring:
    episode = account.episode
    payer = payers.get(account.payer, payers[UNKNOWN_PAYER])
    return Monitoring(
        episode_id=episode.id,
        start=episode.start,
        end=episode.end,
        time_zone=str(account.time_zone),
        consent=episode.consent,
        agreements=episode.agreements,
        consent_gaps=episode.consent_gaps,
        device=claim.device,
        setup_completed=episode.setup_completed,
        therapy_plan=episode.therapy_plan,
        plan_of_care=episode.plan_of_care,
        practitioner_npi=episode.practitioner_npi,
        payer_profile=payer.title,
        day_of_data=tuple(sorted(payer.settings.day_of_data)),
        day_of_data_basis=payer.basis["day_of_data"],
        no_other_monitoring_attested_at=episode.no_other_monitoring_attested_at,
    )


def _gaps(
    claim: Claim,
    export: Export,
    monitoring: Monitoring,
    programs: Sequence[ProgramVersion],
    records: Sequence[FactRecord],
) -> Iterator[str]:
    """What auditors ask for and nobody recorded."""
    consent, device = monitoring.consent, monitoring.device
    if consent is None:
        yield "no consent of the patient is recorded"
    else:
        if consent.obtained_by is None:
            yield "who obtained the consent is not recorded"
        if consent.text_version is None:
            yield "which text the patient consented to is not recorded"
    if device.regulatory_basis is None:
        yield "no regulatory basis of the device is recorded"
    if device.udi is None:
        yield "the device has no UDI on record"
    if device.version is None:
        yield "the version of the device is not recorded"
    if monitoring.setup_completed is None:
        yield "no set-up and teaching is recorded"
    else:
        yield "what was taught at set-up, and that the patient understood it, is not recorded here"
    if monitoring.plan_of_care is None:
        yield "the certified plan of care is not named (its id or date)"
    if claim.plan_certified_on is None:
        yield "the date on which the plan of care was certified is not recorded"
    if not programs:
        yield "no signed home program is recorded"
    for program in programs:
        if program.careplan_reference is None:
            yield f"the EHR has named no CarePlan for version {program.version} of the program"
    if monitoring.no_other_monitoring_attested_at is None:
        yield "nobody attested that no one else bills RTM or RPM for this patient"
    if any(isinstance(record.original, Interaction) for record in records):
        yield "whether a contact was with the patient or a caregiver is not recorded"
    if export.by is None:
        yield "who exported the claim is not recorded"
