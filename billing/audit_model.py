"""What an audit packet is made from and what it says: plain frozen values.

Auditors ask for each line of a claim for the order or plan of care, consent, the device, teaching,
every day of data, every minute with who, when and what, live contact, the rule and the computation,
and what left (OIG OEI-02-23-00260, September 2024, on RPM; house list after it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from billing.account import Reason
from billing.claim_model import Claim
from billing.claim_state import ClaimEvent, ClaimState
from billing.rules import Period
from rtm.episode import Consent, ConsentGap, Device, TherapyPlan
from rtm.ledger import Confirmation, Correction, Fact, ProviderKind, Signature


@dataclass(frozen=True)
class Recorded:
    """When something was written down or done, and by whom."""

    at: datetime
    by: str


@dataclass(frozen=True)
class Export:
    """The file that a claim left in. `sha256` is of its bytes; `by` None where nobody noted it."""

    format: str
    control_number: int
    sha256: str
    at: datetime
    by: str | None = None
    file_name: str | None = None


@dataclass(frozen=True)
class ProgramVersion:
    """One signed version of the home program, and the CarePlan that the EHR has for it."""

    program_id: str
    version: int
    title: str
    condition: str
    exercises: tuple[str, ...]
    start: date
    end: date
    signed: Recorded
    careplan_reference: str | None = None
    read_back_at: datetime | None = None


@dataclass(frozen=True)
class DeviceSession:
    """What a day of data rests on. `source` is how it came: video, landmarks or a manual log."""

    id: str
    exercise_id: str
    side: str
    source: str
    status: str
    recording_sha256: str | None = None


@dataclass(frozen=True)
class Approval:
    """That a person looked at a charge under review and let it leave."""

    code: str
    last: date
    modifiers: tuple[str, ...]
    approved: Recorded


@dataclass(frozen=True)
class Evidence:
    """What is known beside claim and account.

    `recorded` says for the id of a fact or correction when it was written down and by whom; one
    that it does not name counts as there before the claim left, a correction by its own time.
    `sessions` are by session id.
    """

    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    programs: tuple[ProgramVersion, ...] = ()
    sessions: Mapping[str, DeviceSession] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    events: tuple[ClaimEvent, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The packet's own recount and the claim differ; `line_id` None where no line is meant."""

    line_id: str | None
    why: str


@dataclass(frozen=True)
class CountedDay:
    """A day of data that a line counts, and the facts that make it one."""

    date: date
    fact_ids: tuple[str, ...]


@dataclass(frozen=True)
class CountedWork:
    """A stretch of a time entry, on the practice's `date`."""

    entry_id: str
    date: date
    seconds: float
    by: ProviderKind


@dataclass(frozen=True)
class NotCounted:
    """A fact of a line's dates that does not count, or `seconds` of it, and why."""

    fact_id: str
    why: str
    seconds: float | None = None


@dataclass(frozen=True)
class Recount:
    """What the facts as they stood when the claim left give by the rules loaded now."""

    units: int
    modifiers: tuple[str, ...]
    service_from: date
    service_date: date
    amount: Decimal | None


@dataclass(frozen=True)
class LineEvidence:
    """One claim line and what it rests on.

    `period` is the clock by which the code counts, None where its rules are not loaded. `reasons`
    are as the claim left with them, everything else is counted again from the facts.
    `work` fills this line's units; `month_work_elsewhere` is the rest of the month's counted
    work, which fills another line or no whole unit. `contacts` are the live ones that open the
    month. `after_claim` are facts of these dates that came or changed after the claim left.
    """

    line_id: str
    code: str
    label: str
    period: Period | None
    units: int
    modifiers: tuple[str, ...]
    diagnoses: tuple[str, ...]
    first: date
    last: date
    service_from: date
    service_date: date
    amount: Decimal | None
    reasons: tuple[Reason, ...]
    rule_set: str
    rule_set_valid_from: date | None
    rule_set_valid_to: date | None
    rule_set_sha256: str | None
    needed: str
    counted: str
    days: tuple[CountedDay, ...]
    work: tuple[CountedWork, ...]
    month_work_elsewhere: tuple[CountedWork, ...]
    contacts: tuple[str, ...]
    not_counted: tuple[NotCounted, ...]
    after_claim: tuple[str, ...]
    approval: Approval | None
    recount: Recount | None


@dataclass(frozen=True)
class Revision:
    """A correction. `problem` says why it could not be applied, where it could not."""

    correction: Correction
    recorded: Recorded | None
    after_claim: bool
    problem: str | None = None


@dataclass(frozen=True)
class ConfirmationRecord:
    """A signature under time entries. `problems` say which of them it could not sign, and why."""

    confirmation: Confirmation
    recorded: Recorded | None
    after_claim: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class FactRecord:
    """One fact of the ledger with everything that became of it.

    `label` names it in the packet (D a day, T time, C a contact). `when_claimed` is what stood
    when the claim left, `now` what stands today; None where nothing does. `signature` is who
    vouched for it when the claim left, `signature_now` who does today; only time is signed.
    `counted_in` are the lines that rest on it; `counted_seconds` is how much of a time entry the
    months of this claim count, None outside of them.
    """

    label: str
    original: Fact
    when_claimed: Fact | None
    now: Fact | None
    recorded: Recorded | None
    after_claim: bool
    revisions: tuple[Revision, ...]
    signature: Signature | None
    signature_now: Signature | None
    session: DeviceSession | None
    counted_in: tuple[str, ...]
    counted_seconds: float | None
    not_counted: tuple[str, ...]


@dataclass(frozen=True)
class Monitoring:
    """The episode's part of the packet: consent, device, teaching, plan of care, definitions.

    `agreements` are what the patient agreed to in the portal, `consent_gaps` from when until when
    the consent was withdrawn.
    """

    episode_id: str
    start: date
    end: date | None
    time_zone: str
    consent: Consent | None
    agreements: tuple[Consent, ...]
    consent_gaps: tuple[ConsentGap, ...]
    device: Device
    setup_completed: datetime | None
    therapy_plan: TherapyPlan | None
    plan_of_care: str | None
    practitioner_npi: str | None
    payer_profile: str
    day_of_data: tuple[str, ...]
    day_of_data_basis: str
    no_other_monitoring_attested_at: datetime | None


@dataclass(frozen=True)
class AuditPacket:
    """Everything that supports one claim. `left_on` is the practice's date on which it left.

    `findings` are where the recount differs from the claim, `gaps` what auditors ask for and
    this packet can't show. Days, time and contacts hold every fact of the episode once.
    """

    claim: Claim
    export: Export
    left_on: date
    made: Recorded
    state: ClaimState
    findings: tuple[Finding, ...]
    gaps: tuple[str, ...]
    monitoring: Monitoring
    programs: tuple[ProgramVersion, ...]
    lines: tuple[LineEvidence, ...]
    days: tuple[FactRecord, ...]
    time: tuple[FactRecord, ...]
    contacts: tuple[FactRecord, ...]
    unapplied: tuple[Revision, ...]
    confirmations: tuple[ConfirmationRecord, ...]
    events: tuple[ClaimEvent, ...]

    @property
    def facts(self) -> tuple[FactRecord, ...]:
        return (*self.days, *self.time, *self.contacts)
