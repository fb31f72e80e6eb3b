"""An EHR that we did not write, on a socket: oidc-provider and Medplum's FHIR router."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.demo.tenant import TENANT_ID
from smart_launch.sandbox.seed import synthetic_resources
from tests.fhir.r4 import node_flags

_FOLDER = Path(__file__).parent / "ehr"


@contextmanager
def independent_ehr(
    port: int, app_url: str, backend_keys: dict[str, Any], patient: str
) -> Iterator[str]:
    """Its FHIR base URL. The sandbox's synthetic people are in it; whoever signs in is the
    therapist, and `patient` is the one whose chart is open."""
    if not (_FOLDER / "node_modules").is_dir():
        raise RuntimeError("the independent EHR is not installed: run `make test-setup`")
    process = subprocess.Popen(
        ["node", *node_flags(), "ehr.mjs"],
        cwd=_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        asked = {
            "port": port,
            "appUrl": app_url,
            "tenant": TENANT_ID,
            "backendKeys": backend_keys,
            "resources": synthetic_resources(),
            "patient": patient,
            "practitioner": "Practitioner/terry-alvarez",
        }
        process.stdin.write(json.dumps(asked))
        process.stdin.close()
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the independent EHR did not start")
        yield f"http://127.0.0.1:{port}/fhir"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
