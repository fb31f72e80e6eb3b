"""One claim of an invented patient, with everything that may become of its facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.account import Account, OtherService
from billing.audit_model import (
    Approval,
    AuditPacket,
    DeviceSession,
    Evidence,
    Export,
    ProgramVersion,
    Recorded,
)
from billing.audit_packet import audit_packet
from billing.claim_model import Claim, ClaimLine
from billing.claim_state import ClaimEvent
from billing.rules import Rules, load_rules
from billing.tally import tally
from rtm.episode import Consent, Device, Episode
from rtm.ledger import (
    Confirmation,
    Correction,
    Interaction,
    Ledger,
    MonitoredDay,
    TimeEntry,
)
from tests.billing.sample import sample_claim

START = date(2026, 3, 2)
LEFT_AT = datetime(2026, 4, 1, 15, tzinfo=UTC)
MADE = Recorded(datetime(2026, 11, 24, 16, tzinfo=UTC), "Robin Biller")
NPI = "1999999919"
PT, PTA = "Terry Álvarez", "Zoë Łukasz"
# The rules' own bytes are no matter of the packet's form.
RULES = Rules(tuple(replace(rule_set, sha256="0" * 64) for rule_set in load_rules().sets))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2026; clock times as UTC-6 until the 8th, UTC-5 from then on."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def _days() -> tuple[MonitoredDay, ...]:
    sessions = [
        MonitoredDay(f"day:s{n}", START + timedelta(days=n), at(2 + n, 18), at(2 + n, 19), f"s{n}")
        for n in range(17)
    ]
    return (
        *sessions,
        MonitoredDay("day:again", date(2026, 3, 3), at(3, 22), at(3, 22), "s-again"),
        MonitoredDay("day:log", date(2026, 3, 22), at(22, 17), at(22, 17), kind="log_in"),
        MonitoredDay("day:own", date(2026, 3, 23), at(23, 17), at(23, 17), self_report=True),
        MonitoredDay("day:late", date(2026, 3, 24), at(24, 17), LEFT_AT, "s-late"),
    )


def _timed(id_: str, day: int, start: datetime, minutes: int, **more: object) -> TimeEntry:
    entry = TimeEntry(
        id_,
        date(2026, 3, day),
        minutes * 60,
        "pt",
        "review of the sessions",
        start,
        start + timedelta(minutes=minutes),
        NPI,
        "timer",
        author=PT,
    )
    return replace(entry, **more)  # type: ignore[arg-type]


MISTYPED = TimeEntry(
    "time:typed",
    date(2026, 3, 12),
    130 * 60,
    "pt",
    "program changed: fewer repetitions, longer hold",
    npi=NPI,
    author=PT,
    signed_at=at(12, 20),
)


def story_ledger() -> Ledger:
    """In March: 18 days of data, 47 minutes that count, a call, and what does not count."""
    return Ledger(
        days=_days(),
        time=(
            replace(MISTYPED, id="time:first", seconds=540, local_date=date(2026, 3, 4)),
            _timed("timer:a", 5, at(5, 16), 12),
            _timed(
                "time:pta",
                5,
                at(5, 16, 5),
                10,
                by="pta",
                npi=None,
                author=PTA,
                source="manual",
                signed_at=at(5, 17),
            ),
            MISTYPED,
            _timed("timer:visit", 17, at(17, 14, 20), 20),
            _timed("timer:open", 18, at(18, 14), 5),
            replace(MISTYPED, id="time:gone", seconds=600, activity="review"),
            replace(MISTYPED, id="time:desk", seconds=900, activity="administrative: scheduling"),
            replace(MISTYPED, id="time:late", seconds=720, local_date=date(2026, 3, 30)),
        ),
        interactions=(
            Interaction("talk:call", at(10, 20), "phone", 360, NPI, "pt"),
            Interaction("talk:text", at(11, 20), "message", 0, NPI, "pt"),
        ),
        corrections=(
            Correction(
                "fix:typed",
                "time:typed",
                PT,
                "typed 130 for 13",
                at(13, 15),
                replace(MISTYPED, id="time:typed-2", seconds=13 * 60),
                NPI,
            ),
            Correction("fix:gone", "time:gone", PT, "logged for another patient", at(14, 15), None),
            Correction("fix:lost", "time:nowhere", PT, "no such entry", at(15, 15), None),
            Correction(
                "fix:late",
                "day:s4",
                "Robin Biller",
                "the session was a test of the camera",
                LEFT_AT + timedelta(days=9),
                None,
            ),
        ),
        confirmations=(
            Confirmation(
                "sign:1",
                ("timer:a", "timer:visit"),
                PT,
                "pt",
                at(17, 21),
                "This is my time, spent as stated.",
                NPI,
            ),
        ),
    )


def story_account(ledger: Ledger | None = None) -> Account:
    """The patient on the practice's day on which the claim left."""
    return Account(
        time_zone=ZoneInfo("America/Chicago"),
        as_of=date(2026, 4, 1),
        payer="medicare",
        episode=Episode(
            id="episode-1",
            start=START,
            end=None,
            setup_completed=at(2, 16),
            consent=Consent(at(2, 15), PT, "verbal", "2026-11"),
            device=Device("Homestretch", "musculoskeletal", version="0.1.0"),
            therapy_plan="GP",
            practitioner_npi=NPI,
            no_other_monitoring_attested_at=at(2, 15),
            plan_of_care="POC-2026-03-01",
        ),
        ledger=story_ledger() if ledger is None else ledger,
        other_services=(OtherService(date(2026, 3, 17), "97110", NPI, at(17, 14), at(17, 14, 30)),),
        diagnoses=("M17.11",),
        practitioner_kind="pt",
    )


def story_recorded() -> dict[str, Recorded]:
    """Everything was written down before the claim left, but for what says `late`."""
    ledger = story_ledger()
    facts = [*ledger.days, *ledger.time, *ledger.interactions, *ledger.corrections]
    recorded = {
        fact.id: Recorded(at(25, 15), "patient" if fact.id.startswith("day") else PT)
        for fact in facts
    }
    later = Recorded(LEFT_AT + timedelta(days=9), "Robin Biller")
    return {**recorded, "day:late": later, "time:late": later, "fix:late": later}


def as_claimed(account: Account, claim_id: str = "HS-7") -> Claim:
    """The claim that `account` gives, with every charge of the tally."""
    lines = tuple(
        ClaimLine(f"{claim_id}-{number}", charge, (1, 2))
        for number, charge in enumerate(tally(account, RULES).charges, start=1)
    )
    sample = sample_claim()
    return replace(
        sample,
        id=claim_id,
        lines=lines,
        device=replace(account.episode.device, regulatory_basis="recorded for this test"),
    )


def story_claim() -> Claim:
    """As it left: without what came later."""
    ledger = story_ledger()
    before = replace(
        ledger,
        days=tuple(fact for fact in ledger.days if fact.id != "day:late"),
        time=tuple(fact for fact in ledger.time if fact.id != "time:late"),
        corrections=tuple(c for c in ledger.corrections if c.id != "fix:late"),
    )
    return as_claimed(story_account(before))


EXPORT = Export("837p", 7, "5e" * 32, LEFT_AT, "Robin Biller", "claims-2026-03.edi")
PROGRAM = ProgramVersion(
    "program-1",
    1,
    "Knee osteoarthritis: strength",
    "M17.11 Unilateral primary osteoarthritis, right knee",
    ("straight_leg_raise right 3 × 10", "heel_slide right 2 × 15"),
    START,
    date(2026, 5, 2),
    Recorded(at(2, 15), PT),
    "CarePlan/41",
    at(2, 16),
)


def story_evidence() -> Evidence:
    return Evidence(
        recorded=story_recorded(),
        programs=(PROGRAM, replace(PROGRAM, version=2, signed=Recorded(at(12, 20), PT))),
        sessions={
            "s0": DeviceSession("s0", "straight_leg_raise", "right", "video", "scored", "ab" * 32)
        },
        approvals=(
            Approval("98980", date(2026, 3, 31), ("GP",), Recorded(LEFT_AT, "Robin Biller")),
        ),
        events=(
            ClaimEvent("HS-7", "built", date(2026, 4, 1), "export 7"),
            ClaimEvent("HS-7", "exported", date(2026, 4, 1), "export 7"),
            ClaimEvent("HS-7", "file_accepted", date(2026, 4, 2), "999 7 7"),
        ),
    )


def story_packet(claim: Claim | None = None) -> AuditPacket:
    claim = story_claim() if claim is None else claim
    return audit_packet(claim, story_account(), EXPORT, story_evidence(), MADE, RULES)
