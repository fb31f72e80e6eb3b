"""The `homestretch` command.

Errors are one line on stderr: exit 2 for bad input, 1 for a failure.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from app import __version__
from app.hl7_command import hl7, hl7_listen

if TYPE_CHECKING:
    from app.billing_office.corrections import ChangeDone
    from app.config import Settings
    from app.context import Context
    from app.store import Tenant
    from rtm.protocols import ProtocolLibrary


class CliError(click.ClickException):
    """Bad input (exit 2)."""

    exit_code = 2


class CliFailure(CliError):
    """The input was good, but the work failed (exit 1)."""

    exit_code = 1


def run() -> None:
    """The console command: `main` with its errors as one line each."""
    try:
        sys.exit(main(standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "homestretch"
        _say(f"{error.format_message()} See `{command} --help`.", error.exit_code)
    except click.ClickException as error:
        _say(error.format_message(), error.exit_code)
    except click.Abort:
        _say("interrupted", 1)


def _say(message: str, exit_code: int) -> None:
    click.echo(f"homestretch: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)


@click.group()
@click.version_option(__version__, prog_name="homestretch")
def main() -> None:
    """Remote therapeutic monitoring for musculoskeletal care, inside the EHR."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--exercise", "exercise_id", required=True, help="Id from `homestretch exercises`.")
@click.option("--side", type=click.Choice(["left", "right", "bilateral"]))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for plot and overlay video.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (the default prints it too).")
def score(file: Path, exercise_id: str, side: str | None, out: Path | None, as_json: bool) -> None:
    """Measure repetitions, range of motion and form in a video or landmark series FILE."""
    from app.scoring_command import score_to_folder  # mediapipe takes a second to import

    result = score_to_folder(file, exercise_id, side, out)
    click.echo(json.dumps(result, indent=None if as_json else 2))


@main.command("range")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--joint", "joint_id", required=True, help="E.g. knee_flexion; an unknown id lists all."
)
@click.option("--side", type=click.Choice(["left", "right"]), help="Else the one that moves more.")
@click.option("--previous", "previous_deg", type=float, help="Degrees to compare with.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (the default prints it too).")
def range_(
    file: Path,
    joint_id: str,
    side: Literal["left", "right"] | None,
    previous_deg: float | None,
    as_json: bool,
) -> None:
    """Measure one joint's range of motion: the best of up to three attempts in FILE."""
    from app.range_command import measure_to_json  # mediapipe takes a second to import

    result = measure_to_json(file, joint_id, side, previous_deg)
    click.echo(json.dumps(result, indent=None if as_json else 2))


@main.command()
@click.option("--json", "as_json", is_flag=True)
def exercises(as_json: bool) -> None:
    """List the exercise library."""
    from rtm.exercises import load_library

    library = list(load_library())
    if as_json:
        click.echo(json.dumps([asdict(exercise) for exercise in library]))
        return
    for exercise in library:
        click.echo(f"{exercise.id:32} {exercise.measurement:12} {exercise.name['en']}")


@main.command()
@click.option("--json", "as_json", is_flag=True)
def protocols(as_json: bool) -> None:
    """List the condition protocols, with this deployment's variants, and their phases."""
    found = list(_protocols())
    if as_json:
        click.echo(json.dumps([asdict(protocol) for protocol in found], default=str))
        return
    for protocol in found:
        for phase in protocol.phases:
            click.echo(f"{protocol.id:32} {phase.id:24} {protocol.title['en']}")


@main.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (the default prints it too).")
def tally(case: Path, as_json: bool) -> None:
    """Tally one CASE.json by the RTM rules in force on its dates; no database."""
    from billing.case import InvalidCase, read_case, tally_json
    from billing.tally import tally as tally_case

    try:
        document = json.loads(case.read_text("utf-8"))
        result = tally_json(tally_case(read_case(document)))
    except OSError as error:
        raise CliError(f"{case}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CliError(f"{case}: not JSON: {error}") from None
    except InvalidCase as error:
        raise CliError(f"{case}: {error}") from None
    click.echo(json.dumps(result, indent=None if as_json else 2))


@main.group()
def rules() -> None:
    """The billing rules."""


@rules.command("list")
@click.option("--on", "day", required=True, help="Date of service, YYYY-MM-DD")
@click.option("--payer", "payer_id", default="medicare", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def rules_list(day: str, payer_id: str, as_json: bool) -> None:
    """List the RTM rules in force on a date, as a payer has them, each with its source."""
    from billing.rule_listing import NoRules, list_rules, listing_text

    try:
        listing = list_rules(day, payer_id)
    except NoRules as error:
        raise CliError(str(error)) from None
    click.echo(json.dumps(listing) if as_json else listing_text(listing))


@rules.command("load-ncci")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--quarter", required=True, help="The quarter of the files, e.g. 2026Q4.")
@click.option("--kind", type=click.Choice(["ptp", "mue"]), help="What they must be; else as read.")
@click.option("--replace", is_flag=True, help="Take the place of what is loaded for the quarter.")
def rules_load_ncci(
    files: tuple[Path, ...], quarter: str, kind: Literal["ptp", "mue"] | None, replace: bool
) -> None:
    """Load CMS's quarterly NCCI table for practitioners from FILES, as .txt or .csv.

    Give every part of a PTP table at once (ccipra-...-f1.txt to -f4.txt), or the one MUE file.
    Spreadsheets (.xlsx) and archives (.zip) are not read: unpack them first. What touches RTM is
    kept in HOMESTRETCH_EDITS_DIR and used for each claim by its date of service.
    """
    from app.context import utc_now
    from app.ncci import LoadRefused, load_ncci

    try:
        done = load_ncci(_settings(), files, quarter, now=utc_now(), kind=kind, replace=replace)
    except LoadRefused as error:
        raise CliError(str(error)) from None
    for warning in done.warnings:
        click.echo(f"homestretch: warning: {warning}", err=True)
    click.echo(
        f"{done.path}: {done.kind.upper()} table of {quarter}, {done.kept} of {done.row_count} "
        "entries touch our codes"
    )


@main.group()
def claims() -> None:
    """Claims from the database."""


@claims.command("export")
@click.option("--month", required=True, help="YYYY-MM")
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["837", "837p", "837i", "cms1500", "cms1500-pdf", "dft", "fhir"]),
    help="837 is 837P or 837I, whichever this kind of entity claims on.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The file; of further receivers beside it, as claims-2.837 beside claims.837.",
)
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes for many patients; else one a core."
)
def claims_export(
    month: str, format_: str, out: Path, tenant_id: str | None, workers: int | None
) -> None:
    """Write the month's claims; a charge leaves once, the same export again gives the same."""
    from app.billing_office.close import WorkerDied
    from app.billing_office.export import ExportRefused, export_month

    if not out.parent.is_dir():
        raise CliError(f"{out}: there is no folder {out.parent}")
    with _database_errors():
        context = _migrated_context()
        try:
            tenant = _only_tenant(context, tenant_id)
            workers = workers or os.cpu_count() or 1
            done = export_month(context, tenant, month, format_, workers=workers)
        except ExportRefused as error:
            raise CliError(str(error)) from None
        except WorkerDied as error:
            raise CliFailure(str(error)) from None
    paths = [_numbered(out, number) for number in range(1, len(done.files) + 1)]
    for path, file in zip(paths, done.files, strict=True):
        _write(path, file.data)
    for line in done.held:
        click.echo(f"homestretch: held: {line}", err=True)
    for line in done.warned:
        click.echo(f"homestretch: warning: {line}", err=True)
    where = ", ".join(str(path) for path in paths)
    click.echo(f"{where}: {done.claim_count} claims, {done.line_count} lines, total {done.total}")


@claims.command("import-ack")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_import_ack(file: Path, tenant_id: str | None) -> None:
    """Import a TA1, 999, 277CA or 835 FILE; again has no further effect."""
    from app.billing_office.acknowledgements import ImportRefused, import_answers

    try:
        content = file.read_bytes()
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from None
    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            done = import_answers(context, tenant, file.name, content, by="command line")
        except ImportRefused as error:
            raise CliError(f"{file}: {error}") from None
    for finding in done.findings:
        click.echo(f"homestretch: finding: {finding}", err=True)
    if done.imported_before is not None:
        click.echo(f"{file}: imported before, on {done.imported_before:%Y-%m-%d}")
    states = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(done.states.items()))
    click.echo(
        f"{file}: {done.sets} answers, {done.new_events} new events; claims: {states or 'none'}; "
        f"paid {done.paid}; {done.released} charges to bill anew"
    )


@claims.command("unbill")
@click.argument("claim_id")
@click.option("--reason", required=True, help="Why the claim is taken back.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_unbill(claim_id: str, reason: str, tenant_id: str | None) -> None:
    """Take CLAIM_ID back, so that its charges are billed anew."""
    from app.billing_office.claim_events import UnbillRefused, unbill

    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            released = unbill(context, tenant, claim_id, reason.strip(), by="command line")
        except UnbillRefused as error:
            raise CliError(str(error)) from None
    click.echo(f"{claim_id}: un-billed, {released} charges to bill anew")


@claims.command("reopen")
@click.argument("claim_id")
@click.option("--reason", required=True, help="What the payer is asked to look at again.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_reopen(claim_id: str, reason: str, tenant_id: str | None) -> None:
    """Note that the payer was asked to look again at its decision on CLAIM_ID."""
    from app.billing_office.claim_events import ReopenRefused, reopen

    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            reopen(context, tenant, claim_id, reason.strip(), by="command line")
        except ReopenRefused as error:
            raise CliError(str(error)) from None
    click.echo(f"{claim_id}: reopened")


@claims.command("correct")
@click.argument("claim_id")
@click.option("--reason", required=True, help="What was wrong with the claim.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: NEW_CLAIM_ID.837 or alike.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_correct(claim_id: str, reason: str, out: Path | None, tenant_id: str | None) -> None:
    """Write a corrected claim (frequency 7) in place of CLAIM_ID, from today's facts."""
    from app.billing_office.corrections import correct

    _change("corrected by", correct, claim_id, reason, out, tenant_id)


@claims.command("void")
@click.argument("claim_id")
@click.option("--reason", required=True, help="Why the claim is taken back from the payer.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: NEW_CLAIM_ID.837 or alike.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_void(claim_id: str, reason: str, out: Path | None, tenant_id: str | None) -> None:
    """Write a void (frequency 8) of CLAIM_ID; its charges are free once the payer has taken it."""
    from app.billing_office.corrections import void

    _change("voided by", void, claim_id, reason, out, tenant_id)


def _change(
    how: str,
    change: Callable[[Context, str, str, str, str], ChangeDone],
    claim_id: str,
    reason: str,
    out: Path | None,
    tenant_id: str | None,
) -> None:
    from app.billing_office.corrections import ChangeRefused
    from app.billing_office.export_formats import FACTS

    if out is not None and not out.parent.is_dir():
        raise CliError(f"{out}: there is no folder {out.parent}")
    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            done = change(context, tenant, claim_id, reason.strip(), "command line")
        except ChangeRefused as error:
            raise CliError(str(error)) from None
    path = out or Path(f"{done.claim_id}.{FACTS[done.file.format].suffix}")
    _write(path, done.file.data)
    for line in done.warned:
        click.echo(f"homestretch: warning: {line}", err=True)
    click.echo(f"{claim_id}: {how} {done.claim_id}, in {path}")


@claims.command("send-dft")
@click.option("--month", required=True, help="YYYY-MM")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_send_dft(month: str, tenant_id: str | None) -> None:
    """Send the month's new charges to the EHR's billing over MLLP, and what has no answer yet."""
    from app.billing_office.charge_messages import NoInterface, queue_charges
    from app.billing_office.export import ExportRefused

    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            queued = queue_charges(context, tenant, month)
        except (ExportRefused, NoInterface) as error:
            raise CliError(str(error)) from None
        for line in queued.held:
            click.echo(f"homestretch: held: {line}", err=True)
        for line in queued.warned:
            click.echo(f"homestretch: warning: {line}", err=True)
        _deliver(context, tenant, f"{queued.claim_count} new claims, total {queued.total}")


@claims.command("resend-dft")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_resend_dft(tenant_id: str | None) -> None:
    """Send again every charge message that has no answer, each with its first control id."""
    with _database_errors():
        context = _migrated_context()
        _deliver(context, _only_tenant(context, tenant_id), "no new claims")


@claims.command("packet")
@click.argument("claim_id")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A file ending in .pdf or .json."
)
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_packet(claim_id: str, out: Path, tenant_id: str | None) -> None:
    """Write the audit packet of CLAIM_ID: everything that supports it. It holds patient data."""
    from app.billing_office.audit_packet import packet_file
    from app.billing_office.claim_book import ClaimNotKept, ClaimUnknown

    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in ("pdf", "json"):
        raise CliError(f"{out}: name a file that ends in .pdf or .json")
    if not out.parent.is_dir():
        raise CliError(f"{out}: there is no folder {out.parent}")
    with _database_errors():
        context = _migrated_context()
        tenant = _only_tenant(context, tenant_id)
        try:
            content = packet_file(
                context, tenant, claim_id, "pdf" if suffix == "pdf" else "json", "command line"
            )
        except (ClaimUnknown, ClaimNotKept) as error:
            raise CliError(str(error)) from None
    try:
        out.write_bytes(content)
    except OSError as error:
        raise CliFailure(f"{out}: {error.strerror}") from None
    click.echo(f"{out}: audit packet of claim {claim_id}")


def _deliver(context: Context, tenant: str, what: str) -> None:
    """Raises CliFailure where a message has no answer yet."""
    from app.billing_office.charge_messages import NoInterface, deliver_charges

    try:
        done = deliver_charges(context, tenant)
    except NoInterface as error:
        raise CliError(str(error)) from None
    for line in done.refused:
        click.echo(f"homestretch: refused: {line}", err=True)
    click.echo(
        f"{what}; {done.accepted} accepted, {len(done.refused)} refused, "
        f"{done.unanswered} not acknowledged, {done.elsewhere} being sent elsewhere"
    )
    if done.unanswered:
        raise CliFailure(
            f"{done.unanswered} messages have no answer ({done.failure}); they stay and are sent "
            "again by `homestretch claims resend-dft`"
        )


def _numbered(path: Path, number: int) -> Path:
    """`path` for the first file, and beside it claims-2.837, claims-3.837, ..."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _write(path: Path, data: bytes) -> None:
    """Raises CliFailure: what left is kept, and exporting again gives it."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CliFailure(
            f"{path}: {error.strerror}; the file is kept: export again, or fetch it in the billing "
            "office"
        ) from None


@main.command("deletion-requests")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def deletion_requests(tenant_id: str | None) -> None:
    """Patients who asked to have their data deleted and wait for an answer."""
    from app.data_requests import open_deletions

    with _database_errors():
        context = _migrated_context()
        for line in open_deletions(context, _only_tenant(context, tenant_id)):
            click.echo(line)


@main.command()
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def reminders(tenant_id: str | None) -> None:
    """Which channels are set up, and what became of the reminders."""
    from app.reminders_command import reminder_lines

    with _database_errors():
        context = _migrated_context()
        for line in reminder_lines(context, _only_tenant(context, tenant_id)):
            click.echo(line)


@main.group()
def alerts() -> None:
    """Alerts to clinicians."""


@alerts.command("load")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def alert_load(days: int, as_csv: bool, tenant_id: str | None) -> None:
    """How many alerts each clinician got lately, and how soon they were acknowledged."""
    from app.alert_load import LOAD_HEADER, load_lines, read_loads

    with _database_errors():
        context = _migrated_context()
        with context.database.begin(_only_tenant(context, tenant_id)) as db:
            loads = read_loads(db, context.now(), days)
    if as_csv:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(LOAD_HEADER)
        rows.writerows(load.row for load in loads)
        return
    for line in load_lines(loads):
        click.echo(line)


@main.group()
def outbox() -> None:
    """What is on its way to the EHR."""


@outbox.command("list")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def outbox_list(tenant_id: str | None) -> None:
    """Count messages by kind, way and state; name those set aside, and why."""
    from app.outbox_command import outbox_lines

    with _database_errors():
        context = _migrated_context()
        for line in outbox_lines(context, _only_tenant(context, tenant_id)):
            click.echo(line)


@outbox.command("retry")
@click.option("--message", type=int, help="One message by its number; else all set aside.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def outbox_retry(message: int | None, tenant_id: str | None) -> None:
    """Put messages that were set aside back in the queue."""
    from app.outbox_command import retry_all

    with _database_errors():
        context = _migrated_context()
        count = retry_all(context, _only_tenant(context, tenant_id), message)
    if message is not None and count == 0:
        raise CliError(f"no message {message} was set aside")
    click.echo(f"{count} messages are in the queue again")


@main.group()
def patient() -> None:
    """The patients here."""


@patient.command("merge")
@click.argument("given_up", type=int)
@click.option("--into", "surviving", type=int, required=True, help="The patient who goes on.")
@click.option("--reason", required=True, help="Why the two are one person, and who decided it.")
@click.option("--dry-run", is_flag=True, help="Say what would move, and change nothing.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def patient_merge(
    given_up: int, surviving: int, reason: str, dry_run: bool, tenant_id: str | None
) -> None:
    """Put patient GIVEN_UP, by the number of the row, together with another who is the same person.

    Refused where both have episodes that overlap. Facts keep their ids; claims that left keep the
    identity under which they went. It can't be undone by a command.
    """
    from app.patient_merge import MergeRefused, merge_patients

    if not reason.strip():
        raise CliError("--reason must say why")
    with _database_errors():
        context = _migrated_context()
        try:
            done = merge_patients(
                context,
                _only_tenant(context, tenant_id),
                given_up,
                surviving,
                reason=reason.strip(),
                by="command line",
                dry_run=dry_run,
            )
        except MergeRefused as error:
            raise CliError(str(error)) from None
    for name, count in sorted(done.moved.items()):
        click.echo(f"  {name}: {count}")
    for name in done.kept:
        click.echo(f"homestretch: warning: {name}: both had one; the surviving's holds", err=True)
    what = "would be merged" if dry_run else "merged"
    click.echo(f"patient {given_up}: {what} into patient {surviving}")


@main.group()
def jobs() -> None:
    """Background work that failed through a fault of ours, and waits or was set aside."""


@jobs.command("list")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def jobs_list(tenant_id: str | None) -> None:
    """List what failed: its number, what it was about, how often, and where in the code."""
    from app.jobs.failures import failures

    with _database_errors():
        context = _migrated_context()
        with context.database.begin(_only_tenant(context, tenant_id)) as session:
            for row in failures(session):
                state = (
                    "set aside" if row.set_aside_at else f"again at {row.next_attempt_at:%H:%M}Z"
                )
                click.echo(
                    f"{row.id}  {row.task}  {row.subject}  {row.attempts} attempts, {state}: "
                    f"{row.last_error}"
                )


@jobs.command("retry")
@click.option("--job", "job_id", type=int, help="One by its number; else all.")
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def jobs_retry(job_id: int | None, tenant_id: str | None) -> None:
    """Let the next sweep try what failed again."""
    from app.jobs.failures import let_go

    with _database_errors():
        context = _migrated_context()
        with context.database.begin(_only_tenant(context, tenant_id)) as session:
            count = let_go(session, job_id)
    if job_id is not None and count == 0:
        raise CliError(f"no failed job has the number {job_id}")
    click.echo(f"{count} jobs will be tried again")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """Serve the application; with the embedded broker, background work runs in it too."""
    from app.server import serve as run

    _protocols()
    run(_settings(), host, port)


@main.command()
@click.option("--beat/--no-beat", default=True, show_default=True, help="Also run the schedule.")
@click.option("--concurrency", default=1, show_default=True)
def worker(beat: bool, concurrency: int) -> None:
    """Run a background worker against the broker in HOMESTRETCH_BROKER_URL."""
    from app import logs
    from app.jobs.queue import make_celery

    if _settings().is_embedded:
        raise CliError("HOMESTRETCH_BROKER_URL is memory://: `homestretch serve` runs that worker")
    logs.configure()
    with _database_errors():
        celery = make_celery(_migrated_context())
    arguments = ["worker", "--loglevel=INFO", f"--concurrency={concurrency}"]
    celery.worker_main([*arguments, "--beat"] if beat else arguments)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8001, show_default=True)
@click.option("--app-url", default="http://127.0.0.1:8000", show_default=True)
@click.option("--data-dir", type=click.Path(path_type=Path), default=Path("var"))
@click.option("--profile", default="open", show_default=True, help="Kind of EHR; an unknown lists.")
def sandbox(host: str, port: int, app_url: str, data_dir: Path, profile: str) -> None:
    """Serve the development EHR: synthetic patients, SMART launch, FHIR R4."""
    from app.demo.sandbox_process import run_sandbox
    from smart_launch.sandbox.profiles import profiles

    if profile not in profiles():
        raise CliError(f"there is no profile {profile!r}; there are {', '.join(profiles())}")
    run_sandbox(host, port, app_url, data_dir, profile)


@main.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Apply every migration not yet applied."""
    from app.context import open_context
    from app.store.upgrade import upgrade as run

    with _database_errors():
        run(open_context(_settings()).database.engine)
    click.echo("database is current")


@main.command()
@click.option("--once", is_flag=True, help="Run the whole path headless and write var/demo.")
@click.option("--data-dir", type=click.Path(path_type=Path), default=Path("var"))
@click.option("--port", default=8000, show_default=True)
@click.option("--ehr-port", default=8001, show_default=True)
def demo(once: bool, data_dir: Path, port: int, ehr_port: int) -> None:
    """Serve the app and a sandbox EHR with synthetic patients and a month of history."""
    if once:
        from app.demo.once import run_once

        sys.exit(run_once(data_dir / "demo"))
    from app.demo.serve import run_demo

    sys.exit(run_demo(data_dir / "demo-serve", port, ehr_port))


@main.group()
def tenant() -> None:
    """The health systems that are registered here."""


@tenant.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Change a tenant that is there.")
def tenant_add(file: Path, replace: bool) -> None:
    """Register the health system that FILE (YAML) describes; see docs/tenants.md."""
    from app.tenant_clients import callback_path
    from app.tenant_settings import TenantRefused, add_tenant, read_settings

    try:
        settings = read_settings(file.read_text("utf-8"))
        with _database_errors():
            context = _migrated_context()
            added = add_tenant(context, settings, _ask_secret, replace=replace)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from None
    except (TenantRefused, UnicodeDecodeError) as error:
        raise CliError(f"{file}: {error}") from None
    base = context.settings.base_url
    click.echo(f"{added.id}: registered. At the EHR, register these:")
    click.echo(f"  launch URL    {base}/launch")
    click.echo(f"  redirect URI  {base}{callback_path(added.id, 'clinician')}   clinician")
    click.echo(f"  redirect URI  {base}{callback_path(added.id, 'portal')}   portal")
    click.echo(f"  JWKS URL      {base}/.well-known/jwks.json")


@tenant.command("list")
@click.option("--json", "as_json", is_flag=True)
def tenant_list(as_json: bool) -> None:
    """List the registered health systems; secrets are not shown."""
    from app.tenant_listing import tenant_lines, tenants_json

    with _database_errors():
        context = _migrated_context()
        if as_json:
            click.echo(json.dumps(tenants_json(context)))
            return
        for line in tenant_lines(context):
            click.echo(line)


@tenant.command("check")
@click.argument("tenant_id", required=False)
@click.option("--json", "as_json", is_flag=True)
def tenant_check(tenant_id: str | None, as_json: bool) -> None:
    """Ask the live EHR what will work and what will not; exit 1 if the main work would fail."""
    from app.tenant_check import check_tenant

    with _database_errors():
        context = _migrated_context()
        checked = check_tenant(context, _tenant_row(context, _only_tenant(context, tenant_id)))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in checked.findings]))
    else:
        for finding in checked.findings:
            click.echo(f"{finding.state:8} {finding.what:32} {finding.why}")
    if not checked.works:
        sys.exit(1)


@tenant.command("population")
@click.argument("tenant_id", required=False)
@click.option("--group", "group_id", help="A Group at the EHR; else the tenant's, else everybody.")
@click.option("--since", help="YYYY-MM-DD, or `last`: only who changed from then.")
@click.option("--dry-run", is_flag=True, help="Read all, keep nothing.")
@click.option("--anew", is_flag=True, help="Don't go on with a reading that stopped.")
@click.option("--list", "with_list", is_flag=True, help="Name the records that were refused.")
@click.option("--json", "as_json", is_flag=True)
def tenant_population(
    tenant_id: str | None,
    group_id: str | None,
    since: str | None,
    dry_run: bool,
    anew: bool,
    with_list: bool,
    as_json: bool,
) -> None:
    """Read the EHR's people by bulk export, as candidates; again goes on or brings up to date.

    Nobody is monitored by it: a clinician starts an episode with consent. Exit 1 where a part could
    not be read.
    """
    from app import logs
    from app.population import PopulationInterrupted, PopulationRefused, read_population
    from app.population_command import parse_since, summary_json, summary_lines

    logs.configure()
    with _database_errors():
        context = _migrated_context()
        row = _tenant_row(context, _only_tenant(context, tenant_id))
        group_id = group_id or row.population.get("group")
        try:
            summary = read_population(
                context,
                row.id,
                group_id=group_id,
                since=parse_since(context, row, group_id, since),
                dry_run=dry_run,
                anew=anew,
                say=lambda line: click.echo(line, err=True),
            )
        except PopulationRefused as error:
            raise CliError(str(error)) from None
        except PopulationInterrupted as error:
            raise CliFailure(f"{error}; the same command goes on from here") from None
    if as_json:
        click.echo(json.dumps(summary_json(summary, with_list=with_list)))
    else:
        for line in summary_lines(summary, dry_run=dry_run, with_list=with_list):
            click.echo(line)
    if summary.incomplete:
        raise CliFailure("a part of the export could not be read; see above")


@main.group()
def keys() -> None:
    """The keys that sign our client assertions."""


@keys.command("list")
def keys_list() -> None:
    """List the keys, newest first, with their use."""
    from app.context import open_context

    context = open_context(_settings())
    now = context.now()
    for key in context.keys.signing.all():
        use = "signs" if key.may_sign(now) else "published" if key.is_published(now) else "ended"
        until = f" until {key.published_until:%Y-%m-%d}" if key.published_until else ""
        click.echo(f"{key.key.kid} {key.algorithm} {use}{until}")


@keys.command("rotate")
@click.option("--keep-days", default=30, show_default=True, help="Publish the old ones so long.")
@click.option("--compromised", is_flag=True, help="End the old ones now.")
def keys_rotate(keep_days: int, compromised: bool) -> None:
    """Make new keys; they sign once every EHR can have fetched them."""
    from datetime import timedelta

    from app.context import open_context
    from app.signing_keys import KeyFile

    context = open_context(_settings())
    if not isinstance(context.keys.signing, KeyFile):
        raise CliError(
            "the keys come from HOMESTRETCH_BACKEND_PRIVATE_KEY; docs/tenants.md says how to rotate"
        )
    keep = timedelta(days=keep_days)
    context.keys.signing.rotate(context.now(), keep=keep, compromised=compromised)
    click.echo("new keys are published; where an EHR holds them by hand, enter them there now")


def _ask_secret(client: str) -> str:
    """From the terminal unseen, else a line of standard input."""
    if sys.stdin.isatty():
        answer: str = click.prompt(f"Secret of the {client} client", hide_input=True)
        return answer
    return sys.stdin.readline().rstrip("\r\n")


main.add_command(hl7)
main.add_command(hl7_listen)


@contextmanager
def _database_errors() -> Iterator[None]:
    """Raises CliFailure where the database does not do its part."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        kind = type(error).__name__
        raise CliFailure(f"the database failed ({kind}); is it up, and its URL right?") from None


def _protocols() -> ProtocolLibrary:
    """The shipped protocols and this deployment's variants. Raises CliError for a broken one."""
    from rtm.protocols import InvalidProtocol, with_variants

    try:
        return with_variants(_settings().protocols_dir)
    except InvalidProtocol as error:
        raise CliError(str(error)) from None


def _settings() -> Settings:
    """Raises CliError for a setting that can't be read."""
    from pydantic import ValidationError

    from app.config import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise CliError(f"the setting HOMESTRETCH_{name}: {first['msg']}") from None


def _migrated_context() -> Context:
    """Raises CliFailure where the database lacks this release's schema."""
    from app.context import open_context
    from app.store.upgrade import is_current

    context = open_context(_settings())
    if not is_current(context.database.engine):
        raise CliFailure("the database needs `homestretch db upgrade` first")
    return context


def _tenant_row(context: Context, tenant_id: str) -> Tenant:
    from app.store import Tenant

    with context.database.begin(None) as session:
        return session.get_one(Tenant, tenant_id)


def _only_tenant(context: Context, tenant_id: str | None) -> str:
    from sqlalchemy import select

    from app.store import Tenant

    with context.database.begin(None) as session:
        ids = list(session.scalars(select(Tenant.id)))
    if tenant_id is None and len(ids) == 1:
        return str(ids[0])
    if tenant_id in ids:
        return str(tenant_id)
    known = ", ".join(sorted(ids)) or "none yet"
    raise CliError(f"name the health system with --tenant; known: {known}")


if __name__ == "__main__":
    run()
