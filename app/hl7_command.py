"""`homestretch hl7-listen` and `homestretch hl7`: the HL7 v2 interface from the command line."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict
from pathlib import Path

import click

_MOST_SHOWN = 50
_FILE = click.Path(path_type=Path)


@click.command("hl7-listen")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=2575, show_default=True)
@click.option("--tls-cert", type=_FILE, help="PEM; with --tls-key, the listener speaks TLS.")
@click.option("--tls-key", type=_FILE)
@click.option("--client-ca", type=_FILE, help="Only senders with a certificate of this authority.")
@click.option("--max-message-bytes", default=1 << 20, show_default=True)
@click.option("--idle-s", default=600.0, show_default=True, help="A silent connection is closed.")
@click.option("--connections", default=64, show_default=True, help="At once, of all senders.")
@click.option("--messages-per-s", default=100.0, show_default=True, help="Of each sender.")
def hl7_listen(
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    max_message_bytes: int,
    idle_s: float,
    connections: int,
    messages_per_s: float,
) -> None:
    """Take ADT and SIU messages over MLLP; each is stored before it is acknowledged."""
    from app import logs
    from app.cli import CliError, CliFailure, _database_errors, _migrated_context
    from app.hl7.listening import Listener, listen_until_stopped
    from app.hl7.server import Limits
    from app.hl7.tls import TlsFilesUnusable, server_tls

    if min(max_message_bytes, idle_s, connections, messages_per_s) <= 0:
        raise CliError("every limit must be more than 0")
    if (tls_cert is None) != (tls_key is None) or (client_ca and tls_cert is None):
        raise CliError("--tls-cert and --tls-key go together, and --client-ca needs both")
    try:
        tls = (
            None
            if tls_cert is None or tls_key is None
            else server_tls(tls_cert, tls_key, client_ca)
        )
    except TlsFilesUnusable as error:
        raise CliError(str(error)) from None
    limits = Limits(
        message_bytes=max_message_bytes,
        idle_s=idle_s,
        connections=connections,
        messages_per_s=messages_per_s,
    )
    with _database_errors():
        context = _migrated_context()
    try:
        listener = Listener(context, host, port, limits, tls)
    except OSError as error:
        raise CliFailure(f"{host}:{port}: {error.strerror}") from None
    if tls is None and not _is_loopback(host):
        click.echo(
            "homestretch: warning: messages travel in the clear without --tls-cert", err=True
        )
    logs.configure()
    click.echo(f"listening on {host}:{listener.port}{' with TLS' if tls else ''}")
    listen_until_stopped(listener)


@click.group("hl7")
def hl7() -> None:
    """The HL7 v2 interface: its settings and its queues."""


@hl7.command("settings")
@click.argument("file", type=_FILE, required=False)
@click.option("--tenant", "tenant_id", help="Needed where there is more than one.")
def settings(file: Path | None, tenant_id: str | None) -> None:
    """Store FILE (JSON) as the health system's HL7 settings; without it, print them."""
    from app.cli import CliError, _database_errors, _migrated_context, _only_tenant
    from app.hl7.settings import InvalidHl7Settings, read_settings
    from app.store import Tenant

    document = None
    if file is not None:
        try:
            document = json.loads(file.read_text("utf-8"))
            read_settings(document)
        except OSError as error:
            raise CliError(f"{file}: {error.strerror}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CliError(f"{file}: not JSON: {error}") from None
        except InvalidHl7Settings as error:
            raise CliError(f"{file}: {error}") from None
    with _database_errors():
        context = _migrated_context()
        tenant_id = _only_tenant(context, tenant_id)
        with context.database.begin(None) as db:
            tenant = db.get_one(Tenant, tenant_id)
            if document is not None:
                tenant.hl7 = document
            click.echo(json.dumps(tenant.hl7, indent=2))


@hl7.command("queue")
@click.option("--json", "as_json", is_flag=True)
def queue(as_json: bool) -> None:
    """Count the messages by state, and list those that wait for a person."""
    from app.cli import _database_errors, _migrated_context
    from app.hl7.queues import counts, stuck_messages

    with _database_errors():
        context = _migrated_context()
        with context.database.begin(None) as db:
            found, stuck = counts(db), stuck_messages(db, _MOST_SHOWN)
    if as_json:
        document = {"counts": found, "stuck": [asdict(message) for message in stuck]}
        click.echo(json.dumps(document, default=str))
        return
    for words, states in (("received", found["in"]), ("to send", found["out"])):
        counted = (f"{count} {state.replace('_', ' ')}" for state, count in states.items())
        click.echo(f"{words}: {', '.join(counted)}")
    for message in stuck:
        click.echo(
            f"{message.id}  {message.tenant_id}  {message.message_type}  {message.control_id}  "
            f"{message.since:%Y-%m-%d %H:%M}Z  {message.state.replace('_', ' ')}: {message.why}"
        )


@hl7.command("replay")
@click.argument("message_id")
def replay(message_id: str) -> None:
    """Act on MESSAGE_ID (in-12), or send it (out-7), once more."""
    from app.cli import CliError, _database_errors, _migrated_context
    from app.hl7.queues import NotFound
    from app.hl7.queues import replay as run

    with _database_errors():
        context = _migrated_context()
        try:
            with context.database.begin(None) as db:
                run(db, message_id, context.now())
        except NotFound as error:
            raise CliError(str(error)) from None
    click.echo(f"{message_id}: waiting; a worker takes it at its next sweep")


@hl7.command("settle")
@click.argument("message_id")
@click.option("--reason", required=True, help="What was done instead.")
def settle(message_id: str, reason: str) -> None:
    """Close the set-aside MESSAGE_ID, which a person has dealt with otherwise."""
    from app.cli import CliError, _database_errors, _migrated_context
    from app.hl7.queues import NotFound
    from app.hl7.queues import settle as run

    if not reason.strip():
        raise CliError("--reason must say what was done")
    with _database_errors():
        context = _migrated_context()
        try:
            with context.database.begin(None) as db:
                run(db, message_id, reason.strip(), context.now())
        except NotFound as error:
            raise CliError(str(error)) from None
    click.echo(f"{message_id}: settled")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
