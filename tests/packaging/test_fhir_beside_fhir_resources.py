"""Our `fhir` and the distribution `fhir.resources` share one name in every way we are run.

This is the editable install that `make setup` makes; test_wheel.py is the other.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest
import requests

from tests.packaging.processes import BIN, ROOT, copy_hosts, plain, run, running, wait_for

# Celery's quick way to stop, which does not wait for its broker's poll.
COLD = signal.SIGQUIT


def assert_both(found: str) -> None:
    """`found`, one JSON object somewhere in it, names their models and our modules."""
    files = json.loads(found[found.index("{") : found.rindex("}") + 1])
    assert Path(files["theirs"]).parts[-4:] == ("fhir", "resources", "R4B", "careplan.py")
    assert Path(files["ours"]) == ROOT / "fhir" / "careplan.py"
    assert Path(files["client"]) == ROOT / "fhir" / "client.py"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder away from the repository, with the host modules."""
    return copy_hosts(tmp_path)


@pytest.fixture(params=["the repository", "another folder"])
def folder(request: pytest.FixtureRequest, elsewhere: Path) -> Path:
    return ROOT if request.param == "the repository" else elsewhere


def test_our_folder_claims_no_name_that_fhir_resources_owns() -> None:
    theirs = {"resources"}
    assert not theirs & {path.stem for path in (ROOT / "fhir").iterdir()}


def test_python_dash_c(folder: Path, elsewhere: Path) -> None:
    code = (elsewhere / "both_fhirs.py").read_text("utf-8")
    assert_both(run(sys.executable, "-c", code, cwd=folder).stdout)


def test_python_dash_m(folder: Path, elsewhere: Path) -> None:
    env = plain(PYTHONPATH=str(elsewhere))
    assert_both(run(sys.executable, "-m", "both_fhirs", cwd=folder, env=env).stdout)


def test_a_script_by_its_path(folder: Path, elsewhere: Path) -> None:
    assert_both(run(sys.executable, elsewhere / "both_fhirs.py", cwd=folder).stdout)


def test_isolated_python_without_the_working_directory_on_its_path(elsewhere: Path) -> None:
    code = (elsewhere / "both_fhirs.py").read_text("utf-8")
    assert_both(run(sys.executable, "-I", "-c", code, cwd=ROOT).stdout)


def test_this_pytest() -> None:
    import fhir.resources.R4B.careplan

    import fhir.careplan

    assert fhir.careplan.__file__ == str(ROOT / "fhir" / "careplan.py")
    assert "site-packages" in str(fhir.resources.R4B.careplan.__file__)


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_pytest_from_another_folder_in_each_import_mode(elsewhere: Path, mode: str) -> None:
    (elsewhere / "test_both.py").write_text(
        "import fhir.careplan, fhir.client, fhir.resources.R4B.careplan\n"
        "def test_imports():\n    assert fhir.careplan.prescription_bundle\n"
    )
    command = [BIN / "pytest", "-q", "-p", "no:cacheprovider", f"--import-mode={mode}"]
    assert "1 passed" in run(*command, "test_both.py", cwd=elsewhere).stdout


def test_flask_runs_a_command(elsewhere: Path) -> None:
    assert_both(run(BIN / "flask", "--app", "web_host", "both-fhirs", cwd=elsewhere).stdout)


@pytest.mark.parametrize("when", ["--preload", "--max-requests=0"], ids=["preloaded", "in worker"])
def test_gunicorn_serves_from_its_worker(elsewhere: Path, when: str) -> None:
    command = [BIN / "gunicorn", "--bind=127.0.0.1:0", "--no-control-socket", when, "web_host:app"]
    with running(command, cwd=elsewhere) as output:
        listening = wait_for(
            lambda: re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", output()), output
        )
        assert_both(requests.get(listening[1], timeout=30).text)


def test_a_celery_worker_process_runs_a_task(elsewhere: Path) -> None:
    result = elsewhere / "result.json"
    env = plain(PYTHONPATH=str(elsewhere))
    worker = ["-A", "jobs_host", "worker", "--pool=prefork", "--concurrency=1", "--without-mingle"]
    with running(
        [BIN / "celery", *worker, "--without-gossip"], cwd=elsewhere, env=env, stop=COLD
    ) as output:
        run(BIN / "celery", "-A", "jobs_host", "call", "jobs_host.write",
            f"--args={json.dumps([str(result)])}", cwd=elsewhere, env=env)  # fmt: skip
        found = wait_for(lambda: result.read_text() if result.exists() else None, output)
    assert_both(found)


@pytest.mark.parametrize("place", [ROOT, Path("/")], ids=["the repository", "the root folder"])
def test_the_console_command_starts_from_any_folder(place: Path) -> None:
    assert run(BIN / "homestretch", "--version", cwd=place).stdout.startswith("homestretch")


# What the service itself imports when each command starts it, as Python reports it.
COMMANDS: dict[str, list[str]] = {
    "flask": ["flask", "--app", "app.wsgi:create_app", "routes"],
    "gunicorn": ["gunicorn", "--check-config", "app.wsgi:create_app()"],
    "celery": ["celery", "-A", "app.jobs.worker", "report"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_service_itself_imports_both(tmp_path: Path, name: str) -> None:
    program, *arguments = COMMANDS[name]
    env = plain(HOMESTRETCH_DATA_DIR=str(tmp_path), PYTHONPROFILEIMPORTTIME="1")
    assert_imported(run(BIN / program, *arguments, cwd=tmp_path, env=env).stderr)


def test_the_console_command_runs_a_worker_that_imports_both(tmp_path: Path) -> None:
    (tmp_path / "data_in").mkdir()
    (tmp_path / "data_out").mkdir()
    env = plain(
        HOMESTRETCH_DATA_DIR=str(tmp_path),
        HOMESTRETCH_BROKER_URL="filesystem://",
        PYTHONPROFILEIMPORTTIME="1",
    )
    run(BIN / "homestretch", "db", "upgrade", cwd=tmp_path, env=env)
    worker = [BIN / "homestretch", "worker", "--no-beat"]
    with running(worker, cwd=tmp_path, env=env, stop=COLD) as output:
        wait_for(lambda: re.search(r" ready\.", output()), output)
        assert_imported(output())


def assert_imported(report: str) -> None:
    imported = set(re.findall(r"\| +([\w.]+)$", report, re.MULTILINE))
    assert {"fhir.careplan", "fhir.client", "fhir.resources.R4B"} <= imported
