"""The `homestretch` command.

Errors are one line on stderr: exit 2 for bad input, 1 for a failure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from app import __version__

if TYPE_CHECKING:
    from app.config import Settings
    from app.context import Context
    from app.store import Tenant


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
    """List the condition protocols and their phases."""
    from rtm.protocols import load_protocols

    found = list(load_protocols())
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


@main.group()
def claims() -> None:
    """Claims from the database."""


@claims.command("export")
@click.option("--month", required=True, help="YYYY-MM")
@click.option("--format", "format_", required=True, type=click.Choice(["837p", "cms1500", "dft"]))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def claims_export(month: str, format_: str, out: Path, tenant_id: str | None) -> None:
    """Write the month's claims; a charge leaves once, the same export again gives the same."""
    from app.billing_office.export import ExportRefused, export_month

    if not out.parent.is_dir():
        raise CliError(f"{out}: there is no folder {out.parent}")
    with _database_errors():
        context = _migrated_context()
        try:
            done = export_month(context, _only_tenant(context, tenant_id), month, format_)
        except ExportRefused as error:
            raise CliError(str(error)) from None
    out.write_text(done.content, "utf-8", newline="")
    for line in done.held:
        click.echo(f"homestretch: held: {line}", err=True)
    for line in done.warned:
        click.echo(f"homestretch: warning: {line}", err=True)
    click.echo(f"{out}: {done.claim_count} claims, {done.line_count} lines, total {done.total}")


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


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """Serve the application; with the embedded broker, background work runs in it too."""
    from app.server import serve as run

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
def sandbox(host: str, port: int, app_url: str, data_dir: Path) -> None:
    """Serve the development EHR: synthetic patients, SMART launch, FHIR R4."""
    from app.demo.sandbox_process import run_sandbox

    run_sandbox(host, port, app_url, data_dir)


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


@contextmanager
def _database_errors() -> Iterator[None]:
    """Raises CliFailure where the database does not do its part."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        kind = type(error).__name__
        raise CliFailure(f"the database failed ({kind}); is it up, and its URL right?") from None


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
