"""A WSGI application that answers with what `both_fhirs` finds in its own process."""

from __future__ import annotations

import json

import click
from both_fhirs import both_fhirs
from flask import Flask

app = Flask(__name__)


@app.get("/")
def found() -> dict[str, str]:
    return both_fhirs()


@app.cli.command("both-fhirs")
def both_fhirs_command() -> None:
    """For `flask --app web_host both-fhirs`."""
    click.echo(json.dumps(both_fhirs()))
