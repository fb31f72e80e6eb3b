"""What goes to an EHR that takes documents only: a page to read, the resources attached."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.hl7.mdm import Author, Document
from app.outcomes import measures
from app.range_tests import change_since_last, stored_result
from app.rtm_book import read_consent_events
from app.session_rows import feedback_texts
from app.sessions import concluded_session
from app.store import (
    EpisodeRow,
    OutboxRow,
    OutcomeResponseRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    RangeTestRow,
    SessionRow,
    from_document,
)
from app.summary_pdf import Section, Summary, summary_pdf
from fhir.bundle import Resource
from fhir.careplan import dose_text
from fhir.document_reference import document_reference
from rtm.consent import with_declarations
from rtm.episode import Episode
from rtm.exercises import load_library
from rtm.program import Program
from rtm.range_of_motion import load_movements
from rtm.session import ExerciseResult

_SIDES = {"left": "left", "right": "right", "bilateral": "both"}


def build_document(context: Context, db: Session, message: OutboxRow) -> Resource:
    """The DocumentReference of a message whose bundle is built; the bundle is attached to it."""
    assert message.bundle is not None, "built before"
    patient = db.get_one(PatientRow, message.patient_id)
    reference = f"Patient/{patient.fhir_id}"
    signer = _signer(db, message)
    summary = _summary(context, db, message, patient)
    return document_reference(
        summary_pdf(summary),
        message.bundle,
        id=message.idempotency_key,
        patient=reference,
        author=reference if signer is None else signer.fhir_user,
        title=summary.title,
        created=summary.made_at,
        replaces=_document_of_the_version_before(db, message),
    )


def build_page(context: Context, db: Session, message: OutboxRow) -> Document:
    """The page alone, for an interface engine."""
    summary = _summary(context, db, message, db.get_one(PatientRow, message.patient_id))
    signer = _signer(db, message)
    return Document(
        id=message.idempotency_key,
        title=summary.title,
        written_at=summary.made_at,
        author=None if signer is None else Author(signer.family, signer.given, signer.npi),
        pdf=summary_pdf(summary),
    )


def _signer(db: Session, message: OutboxRow) -> PractitionerRow | None:
    """Who answers for what is sent; a session is the patient's own."""
    if message.kind != "prescription":
        return None
    signed_by = db.get_one(ProgramRow, int(message.subject)).signed_by
    return db.get_one(PractitionerRow, signed_by)


def _summary(context: Context, db: Session, message: OutboxRow, patient: PatientRow) -> Summary:
    if message.kind == "prescription":
        return _program_summary(db, db.get_one(ProgramRow, int(message.subject)), patient)
    if message.kind == "consent":
        return _consent_summary(db, db.get_one(EpisodeRow, message.subject), patient)
    if message.kind == "range_test":
        return _range_summary(db, db.get_one(RangeTestRow, message.subject), patient)
    if message.kind == "outcome":
        return _outcome_summary(context, db.get_one(OutcomeResponseRow, message.subject), patient)
    return _session_summary(db.get_one(SessionRow, message.subject), patient)


def _program_summary(db: Session, row: ProgramRow, patient: PatientRow) -> Summary:
    program = from_document(Program, row.document)
    signer = db.get_one(PractitionerRow, row.signed_by)
    names = load_library().names()
    exercises = [
        (names[line.exercise_id], _SIDES[line.side], dose_text(line), line.note)
        for line in program.exercises
    ]
    goals = [(goal.description, f"{goal.due:%Y-%m-%d}") for goal in program.goals]
    return Summary(
        f"Home exercise program: {program.title}",
        _named(patient),
        row.signed_at,
        (
            Section(
                "Program",
                (
                    ("For", f"{program.condition_display} ({program.condition_code})"),
                    ("From – to", f"{program.start} – {program.end}"),
                    ("Version", str(program.version)),
                    ("Signed by", f"{signer.name}, {row.signed_at:%Y-%m-%d %H:%M %Z}"),
                ),
            ),
            Section("Exercises", table=(("Exercise", "Side", "Dose", "Note"), *exercises)),
            *((Section("Goals", table=(("Goal", "By"), *goals)),) if goals else ()),
        ),
    )


def _session_summary(row: SessionRow, patient: PatientRow) -> Summary:
    session = concluded_session(row)
    name = load_library()[session.exercise_id].name["en"]
    counted = "counted" if session.result else "as reported"
    return Summary(
        f"Home exercise session: {name}",
        _named(patient),
        row.received_at,
        (
            Section(
                "Session",
                (
                    ("Done", f"{session.started_at:%Y-%m-%d %H:%M %Z}"),
                    ("Side", _SIDES[session.side]),
                    ("Repetitions", f"{session.repetition_count}, {counted}"),
                    ("Duration", f"{session.duration_s:.0f} s"),
                    ("Pain before, after", f"{session.pain.before}, {session.pain.after} of 10"),
                    *((name.capitalize(), text) for name, text in feedback_texts(session.feedback)),
                    *((("Note", session.feedback.note),) if session.feedback.note else ()),
                ),
            ),
            *(_measured(session.result) if session.result else ()),
        ),
    )


def _measured(result: ExerciseResult) -> tuple[Section, ...]:
    angle = result.primary_angle
    facts = [("Score", _of_100(result.score.total))]
    if angle is not None:
        facts.insert(
            0,
            (
                angle.name.replace("_", " ").capitalize(),
                f"{angle.rom_deg:.0f}° ({angle.min_deg:.0f}° to {angle.max_deg:.0f}°)",
            ),
        )
    facts += [("To mind", fault.cue) for fault in result.faults]
    facts += [("Note", warning) for warning in result.quality.warnings]
    return (Section("Measured by camera", facts),)


def _range_summary(db: Session, row: RangeTestRow, patient: PatientRow) -> Summary:
    result, movement = stored_result(row), load_movements()[row.movement_id]
    assert result is not None, "queued only with a result"
    assert result.best_deg is not None, "queued only where something was measured"
    change = change_since_last(db, row)
    facts = [
        ("Best", f"{result.best_deg:.0f}° of {len(result.attempts_deg)} attempts"),
        ("Side", row.side or "–"),
        ("Normal", movement.normal.text),
    ]
    if change is not None:
        moved = f"{change.shown_deg:+d}° (below {change.mdc_deg:.0f}° measuring alone explains it)"
        facts.append(("Moves further by", moved))
    title = movement.id.replace("_", " ")
    return Summary(
        f"Range of motion, measured by the patient: {title}",
        _named(patient),
        row.received_at,
        (Section("Measured by camera", (("Done", f"{row.measured_at:%Y-%m-%d}"), *facts)),),
    )


def _consent_summary(db: Session, row: EpisodeRow, patient: PatientRow) -> Summary:
    events = read_consent_events(db, [patient.id]).get(patient.id, [])
    episode = with_declarations(from_document(Episode, row.document), events)
    assert episode.consent is not None, "queued only with a consent"
    consent = episode.consent
    facts = [
        ("Given", f"{consent.at:%Y-%m-%d %H:%M %Z}, {consent.method}"),
        ("To", "monitoring of exercises done at home, with data sent to the care team"),
        ("From", f"{episode.start}"),
    ]
    if consent.obtained_by:
        facts.append(("Obtained by", consent.obtained_by))
    if consent.text_version:
        facts.append(("Text agreed to", f"version {consent.text_version}"))
    for gap in episode.consent_gaps:
        again = f", given again {gap.until:%Y-%m-%d %H:%M %Z}" if gap.until else ""
        facts.append(("Withdrawn", f"{gap.since:%Y-%m-%d %H:%M %Z}{again}"))
    return Summary(
        "Consent to remote therapeutic monitoring",
        _named(patient),
        row.updated_at,
        (Section("Consent", facts),),
    )


def _outcome_summary(context: Context, row: OutcomeResponseRow, patient: PatientRow) -> Summary:
    measure = measures(context)[row.instrument_id]
    instrument = measure.instrument
    least, most = instrument.score_bounds
    facts = [
        ("Answered", f"{row.answered_at:%Y-%m-%d %H:%M %Z}"),
        ("Score", f"{row.score:g} ({least:g} to {most:g}, {instrument.better} is better)"),
    ]
    if measure.important_change:
        change = measure.important_change
        facts.append((f"{change.name} in points", f"{change.points:g} ({change.source})"))
    answers = [
        (row.names.get(item.id, item.text["en"]), str(row.answers[item.id]))
        for item in instrument.items
        if item.id in row.answers
    ]
    return Summary(
        f"Answered by the patient: {instrument.title['en']}",
        _named(patient),
        row.answered_at,
        (
            Section("Result", facts),
            Section("Answers", table=(("Question", "Answer"), *answers)),
        ),
    )


def _document_of_the_version_before(db: Session, message: OutboxRow) -> str | None:
    """Where the newest earlier version of a program went as a document, if one did."""
    if message.kind != "prescription":
        return None
    row = db.get_one(ProgramRow, int(message.subject))
    keys = [f"program:{row.program_id}:{version}" for version in range(1, row.version)]
    response = db.scalar(
        select(OutboxRow.response)
        .where(
            OutboxRow.idempotency_key.in_(keys),
            OutboxRow.way == "document",
            OutboxRow.status == "delivered",
        )
        .order_by(OutboxRow.id.desc())
        .limit(1)
    )
    return response["locations"][0] if response else None


def _named(patient: PatientRow) -> str:
    return f"{patient.name}, born {patient.birth_date}"


def _of_100(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f} of 100"
