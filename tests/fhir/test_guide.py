"""The implementation guide is what the code sends, and each of its rules is felt."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir import codes
from fhir.guide.examples import definitions, examples
from fhir.guide.extensions import extensions
from fhir.guide.package import package_files
from fhir.guide.profiles import profiles
from fhir.guide.vocabulary import code_systems, measures, value_sets
from rtm.exercises import load_library
from tests.fhir.r4 import r4_issues, r4_issues_each

PACKAGE = Path(__file__).parent.parent.parent / "docs/fhir/package"
SHOWN = [*examples(), *definitions()]
PROFILES = {profile["url"]: profile for profile in profiles()}


def claimed(resource: dict[str, Any]) -> list[str]:
    urls: list[str] = resource.get("meta", {}).get("profile", [])
    return urls


def example_of(profile: str) -> dict[str, Any]:
    url = f"{codes.BASE}/StructureDefinition/{profile}"
    return copy.deepcopy(next(r for r in SHOWN if url in claimed(r)))


def codings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for part in value:
            yield from codings(part)
    elif isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for part in value.values():
            yield from codings(part)


def test_the_committed_package_is_the_one_that_the_code_makes() -> None:
    made = package_files()
    committed = {
        str(path.relative_to(PACKAGE)): path.read_text("utf-8")
        for path in PACKAGE.rglob("*")
        if path.is_file()
    }
    assert sorted(committed) == sorted(made), "run `python -m fhir.guide`"
    assert committed == made, "run `python -m fhir.guide`"


def test_everything_in_the_package_is_valid_r4_with_the_profiles_it_claims() -> None:
    resources = [
        json.loads(content)
        for path, content in package_files().items()
        if "-" in path.rpartition("/")[2]
    ]
    assert len(resources) > 130
    assert r4_issues(resources) == []


def test_every_profile_has_an_example_and_every_claim_a_profile() -> None:
    shown = {url for resource in SHOWN for url in claimed(resource)}
    assert shown == set(PROFILES)


def test_every_extension_that_is_sent_is_defined_and_every_defined_one_is_shown() -> None:
    text = json.dumps(SHOWN)
    for extension in extensions():
        assert f'"{extension["url"]}"' in text, extension["id"]


def test_every_code_of_our_own_that_is_sent_is_in_its_code_system() -> None:
    known = {
        system["url"]: {concept["code"] for concept in system["concept"]}
        for system in code_systems()
        if system["content"] == "complete"
    }
    assert set(known) == {codes.EXERCISE, codes.MEASURE}
    for system, code in codings(SHOWN):
        if system in known:
            assert code in known[system], code
    angles = {e.primary_angle.name for e in load_library() if e.primary_angle}
    assert angles <= set(measures())


def test_what_a_profile_asks_for_is_missed_when_it_is_gone() -> None:
    """Each element that a profile asks for, taken out of each kind of example in turn."""
    broken, expected = [], []
    for profile in PROFILES.values():
        original = example_of(profile["id"])
        for element in profile["differential"]["element"]:
            name = element["path"].partition(".")[2].replace("[x]", "")
            if element.get("min", 0) < 1 or "." in name or "sliceName" in element:
                continue
            choice = "[x]" in element["path"]
            keys = [
                k for k in original if k in (name, f"_{name}") or (choice and k.startswith(name))
            ]
            assert keys, f"{profile['id']}: {name} is not in the example"
            broken.append({k: v for k, v in original.items() if k not in keys})
            expected.append((profile["id"], name))
    assert len(broken) > 70
    felt = r4_issues_each(broken)
    assert [pair for pair, issues in zip(expected, felt, strict=True) if not issues] == []


def test_a_slice_that_is_gone_is_missed() -> None:
    broken, expected = [], []
    for profile in PROFILES.values():
        original = example_of(profile["id"])
        for element in profile["differential"]["element"]:
            if "sliceName" not in element or element["min"] < 1:
                continue
            list_name = element["path"].rpartition(".")[2]
            code_or_url = element["sliceName"]
            changed = copy.deepcopy(original)
            changed[list_name] = [
                item for item in changed[list_name] if code_or_url not in json.dumps(item)
            ]
            assert len(changed[list_name]) < len(original[list_name])
            if not changed[list_name]:
                del changed[list_name]
            broken.append(changed)
            expected.append((profile["id"], code_or_url))
    assert len(broken) > 15
    felt = r4_issues_each(broken)
    assert [pair for pair, issues in zip(expected, felt, strict=True) if not issues] == []


# A change to the example of a profile, and what the validator must say of it.
BREAKS: list[tuple[str, Any, str]] = [
    (
        "exercise-session",
        lambda o: o["bodySite"]["coding"][0].update(code="0"),
        "no code of .*side",
    ),
    (
        "exercise-session",
        lambda o: o["code"]["coding"][0].update(code="x"),
        "expected pattern",
    ),
    (
        "session-pain",
        lambda o: o["valueQuantity"].update(code="mm"),
        "expected pattern",
    ),
    ("session-range", lambda o: o["valueQuantity"].update(code="rad"), "expected pattern"),
    (
        "exercise-order",
        lambda o: o["extension"][0]["extension"].pop(0),
        r"slice 'sets'.*\[exercise-dose\]",
    ),
    (
        "exercise-order",
        lambda o: o["extension"][0]["extension"][0].update(valueInteger="3"),
        "expected number",
    ),
    (
        "exercise-order",
        lambda o: o["code"]["coding"][0].update(code="moonwalk"),
        "no code of .*exercise",
    ),
    ("home-exercise-program", lambda o: o.update(intent="order"), "expected pattern"),
    (
        "home-exercise-program",
        lambda o: o["extension"].append(
            {"url": f"{codes.BASE}/StructureDefinition/none", "valueString": "x"}
        ),
        "no definition in the guide",
    ),
    (
        "home-exercise-program",
        lambda o: o["meta"]["profile"].append("http://hl7.org/fhir/us/core/x"),
        "claimed and can't be checked",
    ),
    ("care-message", lambda o: o["payload"].append(o["payload"][0]), "payload"),
    ("monitoring-summary", lambda o: o["content"].pop(), "content"),
]


@pytest.fixture(scope="module")
def felt() -> list[list[str]]:
    """The issues of each of BREAKS; one run of the validator for all."""
    broken = []
    for profile, change, _ in BREAKS:
        resource = example_of(profile)
        change(resource)
        broken.append(resource)
    return r4_issues_each(broken)


@pytest.mark.parametrize("number", range(len(BREAKS)), ids=lambda n: f"{BREAKS[n][0]}-{n}")
def test_a_rule_of_a_profile_that_is_broken_is_felt(felt: list[list[str]], number: int) -> None:
    assert re.search(BREAKS[number][2], " ".join(felt[number])), felt[number]


def test_the_package_lists_itself() -> None:
    files = package_files()
    manifest = json.loads(files["package.json"])
    assert (manifest["type"], manifest["fhirVersions"]) == ("IG", ["4.0.1"])
    assert manifest["dependencies"] == {"hl7.fhir.r4.core": "4.0.1"}
    for folder in ("", "example/"):
        listed = {f["filename"] for f in json.loads(files[f"{folder}.index.json"])["files"]}
        there = {
            path.removeprefix(folder)
            for path in files
            if path.startswith(folder) and "-" in path and "/" not in path.removeprefix(folder)
        }
        assert listed == there
    guide = json.loads(files["ImplementationGuide-health.homestretch.rtm.json"])
    published = [*code_systems(), *value_sets(), *profiles(), *extensions()]
    assert len(guide["definition"]["resource"]) == len(SHOWN) + len(published)
