"""The audit packet as PDF: what a person reads, with selectable text and bookmarks.

Every fact is named by its label (D a day, T time, C a contact, L a line of the claim); the last
section gives the ids that the labels stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from billing.audit_lines import in_minutes
from billing.audit_model import (
    AuditPacket,
    CountedWork,
    FactRecord,
    LineEvidence,
    Recorded,
    Revision,
)
from billing.audit_pages import GREEN, Pages, Row
from billing.claim_model import Practitioner
from rtm.episode import Consent
from rtm.ledger import Fact, Interaction, MonitoredDay, Signature, TimeEntry

_KINDS_OF_CLAIM = {"1": "original", "7": "replacement", "8": "void"}


def audit_packet_pdf(packet: AuditPacket) -> bytes:
    """The packet on US letter, landscape. The same packet gives the same bytes.

    A character that the font lacks is written as its code point, as in [U+4E2D]: nothing is lost.
    """
    pages = Pages(
        title=f"Audit packet of claim {packet.claim.id}",
        foot=f"Claim {packet.claim.id}: audit packet of {packet.made.at:%Y-%m-%d %H:%M} UTC",
        made_at=packet.made.at,
        zone=ZoneInfo(packet.monitoring.time_zone),
        labels={
            **{id_: record.label for record in packet.facts for id_ in _ids_of(record)},
            **{line.line_id: f"L{n}" for n, line in enumerate(packet.lines, start=1)},
        },
    )
    pages.add_page()
    _first_page(pages, packet)
    _monitoring(pages, packet)
    _programs(pages, packet)
    for line in packet.lines:
        _line(pages, line)
    _device_log(pages, packet)
    _time_log(pages, packet)
    _contact_log(pages, packet)
    _corrections(pages, packet)
    _signatures(pages, packet)
    _events(pages, packet)
    _index(pages, packet)
    return bytes(pages.output())


def _ids_of(record: FactRecord) -> Iterator[str]:
    """The ids that a fact bore from its first record to today, but for those of its twin."""
    if record.now is None and record.when_claimed is None and not record.revisions:
        return
    yield record.original.id
    for revision in record.revisions:
        if revision.correction.replacement is not None:
            yield revision.correction.replacement.id


# The claim ----------------------------------------------------------------------------------------


def _first_page(pages: Pages, packet: AuditPacket) -> None:
    claim, export, patient = packet.claim, packet.export, packet.claim.patient
    pages.title_line(f"Audit packet: claim {claim.id}")
    _verdict(pages, packet)
    number = f" of the payer's {claim.payer_claim_number}" if claim.payer_claim_number else ""
    pages.pairs(
        [
            ("Patient", f"{patient.given} {patient.family}, born {patient.birth_date}"),
            ("Insured", f"{claim.subscriber.member_id} with {claim.payer.name}"),
            (
                "Billing provider",
                f"{claim.billing_provider.name}, NPI {claim.billing_provider.npi}",
            ),
            ("Rendering practitioner", _person(claim.rendering)),
            ("Who certifies the plan of care", _person(claim.referring)),
            ("Diagnoses", ", ".join(claim.diagnoses)),
            ("Claim", f"{_KINDS_OF_CLAIM[claim.frequency]}{number}, left on {packet.left_on}"),
            (
                "Exported",
                f"{export.format} file{' ' + export.file_name if export.file_name else ''},"
                f" control number {export.control_number}, {pages.clock(export.at)}"
                f" by {export.by or 'somebody who is not recorded'}",
            ),
            ("SHA-256 of the exported bytes", export.sha256),
            ("State today", packet.state.status.replace("_", " ")),
            ("Packet made", _who(pages, packet.made)),
            ("Clock times", f"those of {packet.monitoring.time_zone}, where the patient lives"),
        ]
    )
    pages.heading("Lines of the claim")
    pages.grid(
        (
            "No.",
            "Line",
            "Code",
            "What",
            "Units",
            "Modifiers",
            "Service",
            "Amount",
            "Counted",
            "Recount",
        ),
        (4, 14, 6, 20, 5, 9, 12, 8, 31, 9),
        [_line_row(pages, packet, line) for line in packet.lines],
    )
    pages.paragraph(f"Total of the claim: {claim.total}")
    pages.heading("What this packet does not show")
    pages.grid(("Nobody recorded it here",), (100,), [[gap] for gap in packet.gaps])


def _verdict(pages: Pages, packet: AuditPacket) -> None:
    """The recount's answer comes first, and every difference in full."""
    if packet.claim.frequency == "8":
        pages.paragraph("A void: its lines are those that it takes back, and are not recounted.")
        return
    if not packet.findings:
        said = "The recount from the facts, as they stood when the claim left, gives every line."
        pages.paragraph(said, GREEN)
        return
    count = len(packet.findings)
    differences = f"{count} difference{'' if count == 1 else 's'}"
    pages.alarm(f"FINDING: the facts do not give this claim as it was sent ({differences}).")
    pages.grid(
        ("Line", "Difference"),
        (8, 92),
        [
            [pages.label(finding.line_id or ""), pages.with_labels(finding.why)]
            for finding in packet.findings
        ],
    )


def _person(someone: Practitioner | None) -> str:
    if someone is None:
        return "not named"
    return f"{someone.given} {someone.family}, NPI {someone.npi}"


def _who(pages: Pages, recorded: Recorded | None) -> str:
    return "" if recorded is None else f"{recorded.by}, {pages.clock(recorded.at)}"


def _line_row(pages: Pages, packet: AuditPacket, line: LineEvidence) -> Row:
    differs = any(finding.line_id == line.line_id for finding in packet.findings)
    return (
        pages.label(line.line_id),
        line.line_id,
        line.code,
        line.label,
        str(line.units),
        " ".join(line.modifiers),
        _span(line.service_from, line.service_date),
        "" if line.amount is None else str(line.amount),
        line.counted,
        "void" if packet.claim.frequency == "8" else "DIFFERS" if differs else "agrees",
    )


def _span(first: date, last: date) -> str:
    return str(last) if first == last else f"{first} to {last}"


def _consent(pages: Pages, consent: Consent, by: str) -> str:
    return (
        f"{pages.clock(consent.at)}, {consent.method}, {by}"
        f" {consent.obtained_by or 'nobody on record'}, text"
        f" {consent.text_version or 'not recorded'}"
    )


def _monitoring(pages: Pages, packet: AuditPacket) -> None:
    facts, device = packet.monitoring, packet.monitoring.device
    consent, attested = facts.consent, facts.no_other_monitoring_attested_at
    pages.heading("Consent, device, teaching, plan of care")
    pages.pairs(
        [
            ("Episode", f"{facts.episode_id}, {facts.start} to {facts.end or 'today'}"),
            (
                "Consent",
                "NOT RECORDED" if consent is None else _consent(pages, consent, "obtained by"),
            ),
            *(
                ("Agreed by the patient in the portal", _consent(pages, agreed, "signed by"))
                for agreed in facts.agreements
            ),
            *(
                (
                    "Consent withdrawn",
                    f"{pages.clock(gap.since)}, given again: {pages.clock(gap.until) or 'no'}",
                )
                for gap in facts.consent_gaps
            ),
            (
                "Device",
                f"{device.name}, version {device.version or 'not recorded'}, {device.system}"
                + (", self-report" if device.self_report else ""),
            ),
            ("UDI of the device", device.udi or "not recorded"),
            ("Regulatory basis of the device", device.regulatory_basis or "NOT RECORDED"),
            ("Set-up and teaching", pages.clock(facts.setup_completed) or "not recorded"),
            ("Therapy plan", facts.therapy_plan or "none: outside a therapy plan of care"),
            ("Plan of care", facts.plan_of_care or "not named"),
            (
                "Plan certified",
                "not recorded"
                if packet.claim.plan_certified_on is None
                else f"{packet.claim.plan_certified_on}, by {_person(packet.claim.referring)}",
            ),
            ("First treatment under the plan", str(packet.claim.plan_started_on or "not recorded")),
            ("Practitioner of record", f"NPI {facts.practitioner_npi or 'not recorded'}"),
            (
                "Does anybody else bill RTM or RPM for this patient?",
                f"No: attested {pages.clock(attested)}" if attested else "NOT ASKED",
            ),
            ("Rules of the payer", facts.payer_profile),
            (
                "What makes a day of data",
                f"{', '.join(facts.day_of_data)} ({facts.day_of_data_basis})",
            ),
        ]
    )


def _programs(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Home program and CarePlan")
    pages.grid(
        ("No.", "Program", "Condition", "Exercises", "From", "To", "Signed", "CarePlan in the EHR"),
        (4, 16, 18, 28, 8, 8, 15, 17),
        [
            (
                str(program.version),
                program.title,
                program.condition,
                "; ".join(program.exercises),
                str(program.start),
                str(program.end),
                _who(pages, program.signed),
                program.careplan_reference or "none named"
                if program.read_back_at is None
                else f"{program.careplan_reference}, read back {pages.clock(program.read_back_at)}",
            )
            for program in packet.programs
        ],
    )


# One line -----------------------------------------------------------------------------------------


def _line(pages: Pages, line: LineEvidence) -> None:
    modifiers = "".join(f"-{modifier}" for modifier in line.modifiers)
    number = pages.label(line.line_id)
    pages.heading(f"{number}: {line.code}{modifiers} × {line.units}, {line.label}")
    dates = f"{line.rule_set_valid_from} to {line.rule_set_valid_to}"
    approval = None if line.approval is None else line.approval.approved
    pages.pairs(
        [
            ("Line", line.line_id),
            ("Date of service", _span(line.service_from, line.service_date)),
            ("Time charged for", f"{line.first} to {line.last}"),
            ("Diagnoses", ", ".join(line.diagnoses)),
            ("Needed", line.needed),
            ("Counted", line.counted),
            (
                "Rules",
                f"{line.rule_set}, not loaded"
                if line.rule_set_sha256 is None
                else f"{line.rule_set}, {dates}, version {line.rule_set_sha256}",
            ),
            ("Recount", _recount(line)),
            *([("Looked at before it left", _who(pages, approval))] if approval else []),
        ]
    )
    pages.heading("Reasons, as the claim left with them", level=1)
    pages.grid(
        ("Rule", "Facts", "Source"),
        (20, 45, 35),
        [
            (reason.rule, pages.with_labels(_in_words(reason.facts)), reason.source)
            for reason in line.reasons
        ],
    )
    if line.period == "month":
        _month(pages, line)
    else:
        pages.heading("Days with data that count", level=1)
        days = [(str(day.date), ", ".join(map(pages.label, day.fact_ids))) for day in line.days]
        pages.grid(("Day", "Facts", "Day", "Facts"), (15, 35, 15, 35), _in_two_columns(days))
    pages.heading("Facts of these dates that do not count, and why", level=1)
    pages.grid(
        ("Fact", "Not counted", "Why"),
        (10, 14, 76),
        [
            (
                pages.label(left.fact_id),
                "whole" if left.seconds is None else in_minutes(left.seconds),
                pages.with_labels(left.why),
            )
            for left in line.not_counted
        ],
    )
    if line.after_claim:
        pages.paragraph(
            "Recorded or changed after this claim left, and not counted here: "
            + ", ".join(map(pages.label, line.after_claim))
        )


def _recount(line: LineEvidence) -> str:
    if line.recount is None:
        return "gives no such line"
    again = line.recount
    return (
        f"{again.units} unit{'' if again.units == 1 else 's'}, {' '.join(again.modifiers)},"
        f" {_span(again.service_from, again.service_date)},"
        f" {'no amount' if again.amount is None else again.amount}"
    )


def _in_words(facts: Mapping[str, object]) -> str:
    """The facts of a reason; lists in full."""
    return "; ".join(
        f"{name.replace('_', ' ')}: "
        + (", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in facts.items()
    )


def _month(pages: Pages, line: LineEvidence) -> None:
    pages.heading("Minutes that fill this line", level=1)
    _work(pages, line.work)
    pages.heading("Counted in the month, but filling another line or no whole unit", level=1)
    _work(pages, line.month_work_elsewhere)
    pages.paragraph(f"Live contacts: {', '.join(map(pages.label, line.contacts)) or 'none'}")


def _work(pages: Pages, work: tuple[CountedWork, ...]) -> None:
    rows = [
        (pages.label(part.entry_id), str(part.date), part.by.upper(), in_minutes(part.seconds))
        for part in work
    ]
    if rows:
        rows.append(("Sum", "", "", in_minutes(sum(part.seconds for part in work))))
    pages.grid(("Entry", "Date", "By", "Time"), (15, 25, 25, 35), rows)


# The logs -----------------------------------------------------------------------------------------


def _device_log(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Device data log: every day of the episode on which anything came")
    pages.grid(
        ("No.", "Day", "Captured", "Received", "Origin", "Recorded", "Counts in", "Remarks"),
        (5, 8, 14, 14, 25, 18, 7, 31),
        [_day_row(pages, record) for record in packet.days],
    )


def _day_row(pages: Pages, record: FactRecord) -> Row:
    fact = record.original
    assert isinstance(fact, MonitoredDay), "these are days"
    kind = fact.data_kind.replace("_", "-")
    session = record.session
    origin = [kind, *(["reported by the patient"] if fact.self_report else [])]
    if session is not None:
        origin.append(f"{session.exercise_id} {session.side}, {session.source}, {session.status}")
    return (
        record.label,
        str(fact.local_date),
        pages.clock(fact.captured_at),
        pages.clock(fact.received_at),
        ", ".join(origin),
        _who(pages, record.recorded),
        ", ".join(map(pages.label, record.counted_in)),
        _remarks(pages, record),
    )


def _time_log(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Time log: every entry of the episode, as first recorded")
    pages.grid(
        (
            "No.",
            "Date",
            "Start",
            "End",
            "Logged",
            "Counted",
            "Who",
            "Activity",
            "Signed",
            "Counts in",
            "Remarks",
        ),
        (4, 8, 7, 7, 7, 7, 15, 17, 17, 7, 26),
        [_time_row(pages, record) for record in packet.time],
    )


def _time_row(pages: Pages, record: FactRecord) -> Row:
    entry = record.original
    assert isinstance(entry, TimeEntry), "these are time entries"
    stood = record.when_claimed
    activity = stood.activity if isinstance(stood, TimeEntry) else entry.activity
    return (
        record.label,
        str(entry.local_date),
        pages.hour(entry.start),
        pages.hour(entry.end),
        in_minutes(entry.seconds),
        "" if record.counted_seconds is None else in_minutes(record.counted_seconds),
        _worker(entry, record),
        f"{activity} ({entry.source})",
        "" if stood is None else _signed(pages, record.signature),
        ", ".join(map(pages.label, record.counted_in)),
        _remarks(pages, record),
    )


def _worker(entry: TimeEntry, record: FactRecord) -> str:
    """Name, credential, NPI, and under whom."""
    name = entry.author or ("" if record.recorded is None else record.recorded.by)
    npi = f"NPI {entry.npi}" if entry.npi else ""
    under = f"under NPI {entry.supervised_by}" if entry.supervised_by else ""
    return ", ".join(part for part in (name, entry.by.upper(), npi, under) if part)


def _signed(pages: Pages, signature: Signature | None) -> str:
    if signature is None:
        return "not signed"
    at = pages.clock(signature.at) or "at no recorded time"
    return f"{signature.act} by {signature.author or signature.npi or 'nobody on record'}, {at}"


def _contact_log(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Contacts: every one of the episode")
    pages.grid(
        ("No.", "When", "How", "Length", "Who", "Recorded", "Counts in", "Remarks"),
        (5, 14, 10, 10, 18, 20, 7, 38),
        [_contact_row(pages, record) for record in packet.contacts],
    )


def _contact_row(pages: Pages, record: FactRecord) -> Row:
    talk = record.original
    assert isinstance(talk, Interaction), "these are contacts"
    who = ", ".join(
        part for part in ((talk.by or "").upper(), f"NPI {talk.npi}" if talk.npi else "") if part
    )
    return (
        record.label,
        pages.clock(talk.at),
        talk.kind.replace("_", " ") + ("" if talk.is_live else ", not live"),
        in_minutes(talk.seconds),
        who,
        _who(pages, record.recorded),
        ", ".join(map(pages.label, record.counted_in)),
        _remarks(pages, record),
    )


def _remarks(pages: Pages, record: FactRecord) -> str:
    """Why it does not count, and that it was corrected."""
    said = [pages.with_labels(why) for why in record.not_counted]
    if any(not revision.after_claim for revision in record.revisions):
        said.append("corrected, see below")
    if any(revision.after_claim for revision in record.revisions):
        said.append("corrected after this claim left, see below")
    return "; ".join(said)


def _corrections(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Corrections")
    rows = [
        _correction_row(pages, record.label, revision)
        for record in packet.facts
        for revision in record.revisions
    ]
    rows += [
        _correction_row(pages, pages.label(revision.correction.corrects), revision)
        for revision in packet.unapplied
    ]
    pages.grid(
        ("Fact", "Author", "At", "Reason", "Becomes", "Recorded", "Remarks"),
        (10, 14, 13, 22, 38, 16, 20),
        rows,
    )


def _correction_row(pages: Pages, label: str, revision: Revision) -> Row:
    correction = revision.correction
    said = ["after this claim left"] if revision.after_claim else []
    if revision.problem:
        said.append(f"not applied: {pages.with_labels(revision.problem)}")
    replacement = correction.replacement
    return (
        label,
        correction.author,
        pages.clock(correction.at),
        correction.reason,
        "nothing: retracted" if replacement is None else _fact_in_words(pages, replacement),
        _who(pages, revision.recorded),
        "; ".join(said),
    )


def _fact_in_words(pages: Pages, fact: Fact) -> str:
    if isinstance(fact, MonitoredDay):
        return f"{fact.local_date}, {fact.data_kind.replace('_', '-')}"
    if isinstance(fact, Interaction):
        return f"{fact.kind.replace('_', ' ')}, {pages.clock(fact.at)}, {in_minutes(fact.seconds)}"
    hours = f", {pages.hour(fact.start)} to {pages.hour(fact.end)}" if fact.start else ""
    when = f"{fact.local_date}{hours}"
    return f"{when}, {in_minutes(fact.seconds)}, {fact.by.upper()}, {fact.activity}"


def _signatures(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("Signatures under time")
    pages.grid(
        ("Signed by", "At", "Entries", "Text that was signed", "Remarks"),
        (20, 13, 30, 40, 22),
        [
            (
                ", ".join(
                    part
                    for part in (
                        signed.confirmation.author,
                        signed.confirmation.by.upper(),
                        f"NPI {signed.confirmation.npi}" if signed.confirmation.npi else "",
                    )
                    if part
                ),
                pages.clock(signed.confirmation.at),
                ", ".join(map(pages.label, signed.confirmation.entry_ids)),
                signed.confirmation.statement,
                "; ".join(
                    [
                        *(["after this claim left"] if signed.after_claim else []),
                        *(f"not applied: {pages.with_labels(why)}" for why in signed.problems),
                    ]
                ),
            )
            for signed in packet.confirmations
        ],
    )


def _events(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("What became of the claim")
    pages.grid(
        ("Date", "What", "Source", "Payer's number", "Paid", "Reasons"),
        (10, 14, 20, 16, 10, 40),
        [
            (
                str(event.on),
                event.kind.replace("_", " "),
                event.source,
                event.payer_claim_number or "",
                "" if event.paid is None else str(event.paid),
                "; ".join((*event.reasons, *event.remarks)),
            )
            for event in packet.events
        ],
    )


def _index(pages: Pages, packet: AuditPacket) -> None:
    pages.heading("The ids that the labels stand for")
    rows = [(record.label, _all_ids(record)) for record in packet.facts]
    pages.grid(("No.", "Id", "No.", "Id"), (5, 45, 5, 45), _in_two_columns(rows))


def _in_two_columns(rows: Sequence[tuple[str, str]]) -> list[Row]:
    """The first half on the left, the second on the right."""
    half = -(-len(rows) // 2)
    right = [*rows[half:], ("", "")]
    return [(*rows[n], *right[n]) for n in range(half)]


def _all_ids(record: FactRecord) -> str:
    said = [record.original.id]
    for revision in record.revisions:
        replacement = revision.correction.replacement
        said.append(f"corrected by {revision.correction.id}")
        if replacement is not None and replacement.id != record.original.id:
            said.append(f"then {replacement.id}")
    return ", ".join(said)
