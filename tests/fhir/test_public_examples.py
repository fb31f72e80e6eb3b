"""The standard's own R4 examples pass through us without loss, and break no reader."""

from __future__ import annotations

import copy
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fhir.careplan import read_program
from fhir.client import FhirClient, Policy
from fhir.communication import read_communication
from fhir.consent import read_consent
from fhir.document_reference import read_structured_summary
from fhir.meaning import Unreadable
from fhir.merge import merged
from fhir.narrative import safe_div
from fhir.patient import read_coverage, read_diagnoses, read_patient, read_practitioner
from fhir.plan_definition import read_plan_definition
from fhir.questionnaire_response import read_questionnaire_response
from fhir.wire import parse, serialise
from tests.fhir.scripted_server import serving

CORPUS = Path(__file__).parent / "r4_examples/hl7.fhir.r4.examples-4.0.1.zip"


@cache
def corpus() -> dict[str, bytes]:
    with zipfile.ZipFile(CORPUS) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def exact(content: bytes) -> Any:
    """What `content` says, down to the digits of its numbers, read by no code of ours."""
    return json.loads(content, parse_float=lambda text: ("decimal", text), parse_int=str)


def of_type(name: str) -> Iterator[dict[str, Any]]:
    return (parse(content) for file, content in corpus().items() if file.startswith(f"{name}-"))


def test_the_corpus_holds_every_type_that_we_handle() -> None:
    types = {name.partition("-")[0] for name in corpus()}
    assert len(types) == 26
    assert len(corpus()) == 288


def test_every_example_is_written_as_it_was_read() -> None:
    for name, content in corpus().items():
        assert exact(serialise(parse(content))) == exact(content), name
    assert any(
        exact(json.dumps(json.loads(content)).encode()) != exact(content)
        for content in corpus().values()
    ), "a reader that makes floats of decimals would lose some"


def test_every_example_is_written_back_whole_over_http() -> None:
    with serving() as server:
        client = FhirClient(server.base, lambda refused: "t", Policy(attempts=1))
        for name, content in corpus().items():
            resource = parse(content)
            if "id" not in resource:
                continue
            server.answers = [(200, content, {"ETag": 'W/"1"'}), (200, content, {})]
            client.change(f"{resource['resourceType']}/{resource['id']}", lambda found: found)
            assert exact(server.bodies[-1]) == exact(content), name


def test_laying_one_of_our_elements_onto_an_example_loses_nothing_else() -> None:
    for name, content in corpus().items():
        resource = parse(content)
        ours = {"resourceType": resource["resourceType"], "language": "en"}
        found = merged(None, copy.deepcopy(resource), ours)
        assert found.pop("language") == "en"
        assert found.pop("meta", {}) == {
            key: value
            for key, value in resource.pop("meta", {}).items()
            if key not in ("versionId", "lastUpdated", "source")
        }, name
        resource.pop("language", None)
        assert exact(serialise(found)) == exact(serialise(resource)), name


READERS: dict[str, Callable[[Any], object]] = {
    "Patient": read_patient,
    "Practitioner": read_practitioner,
    "Coverage": read_coverage,
    "Condition": lambda resource: read_diagnoses([resource]),
    "Communication": read_communication,
    "Consent": read_consent,
    "DocumentReference": read_structured_summary,
    "PlanDefinition": read_plan_definition,
    "QuestionnaireResponse": read_questionnaire_response,
    "CarePlan": lambda resource: read_program(resource, [], []),
}


@pytest.mark.parametrize("type_", READERS)
def test_a_reader_takes_an_example_or_says_in_one_line_why_not(type_: str) -> None:
    count = 0
    for resource in of_type(type_):
        count += 1
        before = copy.deepcopy(resource)
        line = "it was read"
        try:
            READERS[type_](resource)
        except Unreadable as error:
            line = str(error)
        assert 5 < len(line) < 200
        assert line.isprintable()
        assert resource == before, "readers do not change what they read"
    assert count > 0


def test_the_people_and_messages_of_the_examples_are_read() -> None:
    names = [patient.name for patient in _readable("Patient", read_patient)]
    assert "Peter James Chalmers" in names
    assert len(names) >= 10
    assert len(list(_readable("Practitioner", read_practitioner))) >= 10
    assert len(list(_readable("Communication", read_communication))) >= 1


def _readable(type_: str, read: Callable[[Any], Any]) -> Iterator[Any]:
    for resource in of_type(type_):
        try:
            yield read(resource)
        except Unreadable:
            continue


def test_every_narrative_of_the_examples_keeps_its_words_when_it_is_made_safe() -> None:
    count = 0
    for name, content in corpus().items():
        for div in re.findall(r'"div":\s*("(?:[^"\\]|\\.)*")', content.decode()):
            count += 1
            text = json.loads(div)
            safe = safe_div(text)
            words = "".join(ElementTree.fromstring(safe).itertext()).split()
            said = unescape(re.sub(r"<!--.*?-->|<[^>]*>", "", text, flags=re.DOTALL)).split()
            assert "".join(words) == "".join(said), name
    assert count > 250
