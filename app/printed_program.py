"""The patient's signed program as the paper that is given along."""

from __future__ import annotations

from flask import Response
from flask_babel import force_locale, format_date
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.context import Context
from app.languages import Language
from app.patient.dose_words import days_in_plain_words, dose_in_plain_words
from app.prescribing import current_program
from app.program_pdf import PaperExercise, PaperProgram, program_pdf
from app.store import PatientRow, PractitionerRow, ProgramRow
from rtm.exercises import load_library
from rtm.exercises.drawing import draw
from rtm.program import PrescribedExercise, Program
from rtm.protocols import load_protocols


def printed_program(
    context: Context, tenant_id: str, patient_id: int, language: Language
) -> bytes | None:
    """The newest signed version as PDF in `language`; None without one."""
    with context.database.begin(tenant_id) as db:
        current = current_program(db, patient_id)
        if current is None:
            return None
        paper = _paper(db, context, *current, language)
    return program_pdf(paper)


def pdf_answer(pdf: bytes) -> Response:
    """For a browser, which shows it or saves it by this name."""
    disposition = {"Content-Disposition": 'inline; filename="program.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=disposition)


def _paper(
    db: Session, context: Context, row: ProgramRow, program: Program, language: Language
) -> PaperProgram:
    patient = db.get_one(PatientRow, row.patient_id)
    signer = db.get_one(PractitionerRow, row.signed_by)
    protocol = load_protocols()[program.protocol_id]
    phase = protocol.phase(program.phase_id)
    with force_locale(language):
        return PaperProgram(
            language=language,
            title=_("My exercises at home"),
            subtitle=patient.name,
            lines=(
                f"{protocol.title[language]}: {phase.title[language]}",
                _(
                    "From %(start)s to %(end)s.",
                    start=format_date(program.start, "long"),
                    end=format_date(program.end, "long"),
                ),
                _("From your care team: %(name)s", name=signer.name),
            ),
            exercises=[_exercise(line, language) for line in program.exercises],
            captions=(_("Start"), _("Then")),
            warnings=(
                *(
                    ((_("Keep in mind"), [item.text[language] for item in protocol.precautions]),)
                    if protocol.precautions
                    else ()
                ),
                (
                    _("Call your care team right away if you have:"),
                    [flag[language] for flag in protocol.red_flags],
                ),
                (
                    _("Safety first"),
                    [
                        _(
                            "Stop if you feel sharp pain, dizziness or chest pain. "
                            "Call your care team, or 911 in an emergency."
                        )
                    ],
                ),
            ),
            portal_url=f"{context.settings.base_url}/portal",
            portal_words=_("Scan this with your phone to open your exercises."),
            foot=_(
                "Homestretch, program version %(version)s, signed %(day)s",
                version=program.version,
                day=format_date(row.signed_at, "medium"),
            ),
            foot_page=_("page {page} of {pages}"),
            made_at=row.signed_at,
        )


def _exercise(line: PrescribedExercise, language: Language) -> PaperExercise:
    exercise = load_library()[line.exercise_id]
    return PaperExercise(
        name=exercise.name[language],
        dose=f"{dose_in_plain_words(line)}, {days_in_plain_words(line)}",
        steps=exercise.steps[language],
        note=line.note,
        mind=(
            (_("What you should feel"), [exercise.feel[language]]),
            (
                _("Ask your care team first if this is you"),
                exercise.contraindications[language],
            ),
        ),
        drawing=draw(exercise, mirrored=line.side == "left"),
    )
