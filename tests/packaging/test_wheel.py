"""A built wheel in an empty environment, beside `fhir.resources` in either order of installing.

Of the wheel's requirements, only those that `fhir` and `app.cli` import are installed: all of
them would be half a gigabyte. They come from the package index, at the versions of this
environment.
"""

from __future__ import annotations

import json
import os
import shutil
import venv
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.packaging.processes import BIN, ROOT, copy_hosts, run

PACKAGES = ("app", "billing", "fhir", "rtm", "smart_launch", "vision")
FHIR_RESOURCES = f"fhir.resources=={version('fhir.resources')}"
NEEDED = [
    f"{name}=={version(name)}" for name in ("click", "jsonschema", "pyyaml", "requests", "tenacity")
]


@dataclass(frozen=True)
class Environment:
    """A virtual environment without even pip: it holds nothing but what we install."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def pip(self, *arguments: str | Path) -> None:
        command = [BIN / "pip", "--python", self.python, *arguments]
        done = run(*command, cwd=self.folder, check=False)
        if done.returncode == 0:
            return
        problem = done.stderr.strip().splitlines()[-1]
        unreachable = any(word in done.stderr for word in ("NewConnectionError", "timed out"))
        if unreachable and not os.environ.get("REQUIRE_SERVICES"):
            pytest.skip(f"the package index does not answer: {problem}")
        pytest.fail(f"pip {arguments[0]}: {problem}")

    def both_fhirs(self, elsewhere: Path) -> dict[str, str]:
        found = run(self.python, "-m", "both_fhirs", cwd=copy_hosts(elsewhere)).stdout
        files: dict[str, str] = json.loads(found)
        return files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the packages, so that nothing is left in the working tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            source / package,
            ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
        )
    out = tmp_path_factory.mktemp("wheel")
    run(
        BIN / "python", "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=out
    )
    return next(out.glob("homestretch-*.whl"))


@pytest.fixture(scope="module", params=["ours last", "ours first"])
def environment(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Both owners of `fhir` in one site-packages, installed in either order."""
    installed = Environment(tmp_path_factory.mktemp("environment"))
    venv.create(installed.folder, with_pip=False)
    theirs: list[str | Path] = [FHIR_RESOURCES, *NEEDED]
    ours: list[str | Path] = ["--no-deps", wheel]
    for packages in (theirs, ours) if request.param == "ours last" else (ours, theirs):
        installed.pip("install", "--quiet", "--no-compile", *packages)
    return installed


def test_the_wheel_holds_every_package_and_nothing_of_fhir_resources(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(PACKAGES)
    assert not [name for name in names if name.startswith("fhir/resources")]
    ours = {path.name for path in (ROOT / "fhir").glob("*.py")}
    assert ours <= {name.removeprefix("fhir/") for name in names if name.startswith("fhir/")}


def test_the_wheel_holds_what_the_service_reads_when_it_runs(wheel: Path) -> None:
    """Of the web's and the catalogues' folders that is what was built from them."""
    names = set(zipfile.ZipFile(wheel).namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    sources = {name for name in there if name.startswith("app/web/") and "/static/" not in name}
    unread = (".po", ".md", "/.built", "/LICENSE")
    assert {name for name in there - sources if not name.endswith(unread)} <= names
    assert "app/web/static/.vite/manifest.json" in names


def test_both_import_whichever_was_installed_last(environment: Environment, tmp_path: Path) -> None:
    found = environment.both_fhirs(tmp_path)
    assert all(Path(path).is_relative_to(environment.folder) for path in found.values())


def test_the_command_runs_from_another_folder(environment: Environment, tmp_path: Path) -> None:
    command = environment.folder / "bin" / "homestretch"
    assert run(command, "--version", cwd=tmp_path).stdout.startswith("homestretch")
    assert json.loads(run(command, "exercises", "--json", cwd=tmp_path).stdout)


def test_either_may_leave_and_come_back(
    environment: Environment, wheel: Path, tmp_path: Path
) -> None:
    """`fhir/__init__.py` is in the records of both: removing one takes it from the other."""
    environment.pip("uninstall", "--quiet", "--yes", "fhir.resources")
    run(environment.python, "-c", "import fhir.client", cwd=tmp_path)
    environment.pip("install", "--quiet", "--no-deps", "--no-compile", FHIR_RESOURCES)
    assert environment.both_fhirs(tmp_path)
    environment.pip("uninstall", "--quiet", "--yes", "homestretch")
    run(environment.python, "-c", "import fhir.resources.R4B.careplan", cwd=tmp_path)
    environment.pip("install", "--quiet", "--no-deps", "--no-compile", wheel)
    assert environment.both_fhirs(tmp_path)
