"""The demonstration as a newcomer runs it: its files are real, and its three doors open."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from app.demo import walk
from app.demo.browser import wait_for
from app.demo.tenant import TENANT_ID
from tests.billing.x12_validators import x12_errors
from tests.conftest import free_port
from tests.fhir.r4 import r4_issues
from tests.packaging.processes import BIN


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `homestretch demo --once` filled."""
    folder = tmp_path_factory.mktemp("once")
    done = subprocess.run(
        [str(BIN / "homestretch"), "demo", "--once", "--data-dir", "var"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[1] for line in done.stdout.splitlines()[:6]] == [
        "launch",
        "prescribe",
        "score",
        "Observations",
        "tally",
        "claim",
    ]
    return folder / "var" / "demo"


def test_the_program_and_the_observations_are_valid_r4_and_linked(written: Path) -> None:
    careplan = json.loads((written / "careplan.json").read_text())
    observations = json.loads((written / "observations.json").read_text())
    assert r4_issues([careplan, *observations]) == []
    plan = f"CarePlan/{careplan['id']}"
    assert all(o["basedOn"][0]["reference"] == plan for o in observations)
    parent = next(o for o in observations if "hasMember" in o)
    members = {f"Observation/{o['id']}" for o in observations if o is not parent}
    assert {member["reference"] for member in parent["hasMember"]} == members


def test_the_real_video_was_measured(written: Path) -> None:
    session = json.loads((written / "session.json").read_text())
    assert session["repetition_count"] == 2
    assert session["frames"] == 99
    assert (written / "session.png").read_bytes().startswith(b"\x89PNG")


def test_the_claim_is_accepted_and_sums_up_the_tally(written: Path) -> None:
    assert x12_errors(written / "claims.837") == []
    charges = json.loads((written / "tally.json").read_text())["charges"]
    total = sum(float(charge["amount"]) for charge in charges)
    claimed = re.search(r"CLM\*[^*]*\*([0-9.]+)\*", (written / "claims.837").read_text())
    assert claimed is not None
    assert float(claimed[1]) == pytest.approx(total)


def test_the_served_demonstration_opens_its_three_doors_and_ends_on_ctrl_c(
    tmp_path: Path,
) -> None:
    app_port, ehr_port = free_port(), free_port()
    log = (tmp_path / "output.log").open("w+")
    served = subprocess.Popen(
        [str(BIN / "homestretch"), "demo", "--data-dir", "var",
         "--port", str(app_port), "--ehr-port", str(ehr_port)],
        cwd=tmp_path,
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for("the addresses", lambda: "Ctrl-C" in (tmp_path / "output.log").read_text(), 120)
        said = (tmp_path / "output.log").read_text()
        places = walk.Places(f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{ehr_port}")
        clinician = walk.launch_chart(places, "samuel-brandt")
        assert "Arm raise to the side" in clinician.get(f"{places.app}/chart").text
        patient = walk.sign_in_patient(places, TENANT_ID, "samuel-brandt")
        assert "Hello, Samuel" in patient.get(f"{places.app}/portal/today").text
        month = re.search(r"/office/month/(\d{4}-\d{2})", said)
        assert month is not None
        assert walk.export_claims(places, TENANT_ID, month[1]).startswith(b"ISA*00*")
        served.send_signal(signal.SIGINT)
        assert served.wait(120) == 0
    finally:
        served.kill()
        served.wait()
        log.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{app_port}/ready", timeout=2)
