"""`make demo`: the application and a sandbox EHR side by side, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from app.config import Settings
from app.context import open_context
from app.demo import walk
from app.demo.browser import DemoFailed, wait_for
from app.demo.history import STORIES, history_month, write_history
from app.demo.tenant import TENANT_ID, register
from app.store.upgrade import upgrade
from smart_launch.sandbox.pages import PIN


def run_demo(data_dir: Path, app_port: int = 8000, ehr_port: int = 8001) -> int:
    """Serves until interrupted; 1 if something did not start."""
    places = walk.Places(f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{ehr_port}")
    environment = {
        **os.environ,
        "HOMESTRETCH_DATA_DIR": str(data_dir.resolve()),
        "HOMESTRETCH_PUBLIC_URL": places.app,
    }
    settings = Settings(data_dir=data_dir.resolve(), public_url=places.app)
    context = open_context(settings)
    upgrade(context.database.engine)
    command = [sys.executable, "-m", "app.cli"]
    children = [
        subprocess.Popen([*command, "serve", "--port", str(app_port)], env=environment),
        subprocess.Popen(
            [
                *command,
                "sandbox",
                "--port",
                str(ehr_port),
                "--app-url",
                places.app,
                "--data-dir",
                str(data_dir),
            ],
            env=environment,
        ),
    ]
    try:
        for url in (f"{places.app}/ready", f"{places.ehr}/fhir/metadata"):
            wait_for(url, lambda url=url: _answers(url, children), seconds=60)
        register(context, f"{places.ehr}/fhir")
        for story in STORIES:
            walk.launch_chart(places, story.patient)
        write_history(context)
        month = f"{history_month(context.now().date())[0]:%Y-%m}"
        print(
            f"\n  Clinician  {places.ehr}/   choose a patient, open Homestretch in the chart"
            f"\n  Patient    {places.app}/portal/launch/{TENANT_ID}   PIN {PIN}"
            f"\n  Billing    {places.app}/office/launch/{TENANT_ID}   Jordan Ellis, PIN {PIN};"
            f" then {places.app}/office/month/{month}"
            f"\n  Video      {walk.CLIP}\n\n  Ctrl-C stops all.\n",
            flush=True,
        )
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        return 1
    except KeyboardInterrupt:
        return 0
    except DemoFailed as error:
        print(f"homestretch: the demonstration failed: {error}", file=sys.stderr)
        return 1
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        for child in children:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """What a server leaves undone when it takes too long, its next start takes up again."""
    try:
        child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _answers(url: str, children: list[subprocess.Popen[bytes]]) -> bool:
    if any(child.poll() is not None for child in children):
        raise DemoFailed("a server did not start (is its port taken?)")
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False
