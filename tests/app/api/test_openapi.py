"""The API's descriptions: true to the routes, and no request made from them breaks the service."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.fhir_openapi import fhir_openapi
from app.api.openapi import openapi_document
from app.demo import walk
from app.demo.browser import Browser
from smart_launch.sandbox.pages import PIN
from tests.app.api.readers import SAMUEL, fill, system_reader, with_readers
from tests.conftest import World, worlds

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
OUR_API = schemathesis.openapi.from_dict(openapi_document())
FHIR_API = schemathesis.openapi.from_dict(fhir_openapi())


def operations(schema: Any) -> list[Any]:
    return [
        pytest.param(result.ok(), id=result.ok().label) for result in schema.get_all_operations()
    ]


# True to the routes ------------------------------------------------------------------------------


def routes(world: World) -> dict[str, set[str]]:
    """Path templates with their methods."""
    found: dict[str, set[str]] = {}
    for rule in world.app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule)
        found.setdefault(path, set()).update(rule.methods or ())
    return found


def _resolved(parameter: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = parameter
    if "$ref" in parameter:
        name = parameter["$ref"].removeprefix("#/components/parameters/")
        found = openapi_document()["components"]["parameters"][name]
    return found


def test_every_documented_operation_is_a_route_with_these_parameters(record: World) -> None:
    known = routes(record)
    for path, item in openapi_document()["paths"].items():
        for method, operation in item.items():
            assert method.upper() in known.get(path, ()), (path, method)
            parameters = [_resolved(p) for p in operation.get("parameters", ())]
            named = {p["name"] for p in parameters if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_every_route_that_answers_other_than_a_page_is_documented(record: World) -> None:
    documented = openapi_document()["paths"]
    checked = 0
    for rule in record.app.url_map.iter_rules():
        if rule.rule.startswith(("/fhir", "/static")) or rule.rule.endswith(".css"):
            continue
        source = inspect.getsource(inspect.unwrap(record.app.view_functions[rule.endpoint]))
        path = re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule)
        if any(sign in source for sign in ("jsonify(", "mimetype=")) or path.endswith(".json"):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert method.lower() in documented.get(path, {}), f"{method} {path}"
                checked += 1
    assert checked >= 9


def test_every_route_of_the_fhir_api_is_described(record: World) -> None:
    """Routes by variable type name stand for one path of each type."""
    paths = {
        re.sub(r"/(Patient|Observation)(?=/|$)", "/{resource_type}", path)
        for path in fhir_openapi()["paths"]
    }
    names = {"tenant_id": "tenant", "id_": "id", "export_id": "export", "name": "file"}
    for rule in record.app.url_map.iter_rules():
        if not rule.endpoint.startswith("facade."):
            continue
        if rule.endpoint in ("facade.unsupported", "facade.openapi"):
            continue
        path = re.sub(
            r"<(?:[^<>:]+:)?(\w+)>",
            lambda match: "{" + names.get(match[1], match[1]) + "}",
            rule.rule,
        )
        path = re.sub(r"/Patient(?=/|$)", "/{resource_type}", path)
        assert path in paths, rule.rule


def test_the_documents_are_served(record: World) -> None:
    for path in ("/api/openapi.json", "/fhir/openapi.json"):
        document = requests.get(record.places.app + path, timeout=10).json()
        assert document["openapi"].startswith("3.1")


# No request breaks it ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SignedIn:
    """Every audience signed in, by the cookie that a described operation asks for.

    `known` has values of path parameters that lead somewhere.
    """

    world: World
    browsers: dict[str, Browser]
    csrf: dict[str, str]
    known: dict[str, list[str]]

    def aimed(self, case: Any, data: st.DataObject) -> None:
        """Lets most requests ask for what is there: made-up ids only ever give 404."""
        for name in case.path_parameters:
            values = self.known.get(name, [])
            if name == "tenant" or (values and data.draw(st.sampled_from([True, True, False]))):
                case.path_parameters[name] = data.draw(st.sampled_from(values))


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with worlds(tmp_path_factory.mktemp("fuzzed")) as make:
        world = make(worker=False, ehr=with_readers)
        fill(world, [SAMUEL])
        places = world.places
        office = Browser()
        page = office.get(f"{places.app}/office/launch/{world.tenant_id}")
        office.submit(page, {"person": walk.BILLER, "pin": PIN})
        browsers = {
            "clinician": walk.launch_chart(places, SAMUEL),
            "patient": walk.sign_in_patient(places, world.tenant_id, SAMUEL),
            "biller": office,
        }
        pages = {"clinician": "/chart", "patient": "/portal/today", "biller": "/office/month"}
        csrf = {role: _csrf(browsers[role].get(places.app + pages[role]).text) for role in pages}
        yield SignedIn(world, browsers, csrf, _known(world))


def _known(world: World) -> dict[str, list[str]]:
    reader = system_reader(world)
    kinds = ("Patient", "CarePlan", "ServiceRequest", "Goal", "Observation", "Provenance")
    ids = [resource["id"] for kind in kinds for resource in reader.found(kind)]
    sessions = [i.removeprefix("session-") for i in ids if re.fullmatch(r"session-[0-9a-f-]+", i)]
    hook = {"type": "rest-hook", "endpoint": "https://hooks.example/x"}
    subscription = reader(
        "POST",
        "Subscription",
        json={
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "x",
            "criteria": "Observation",
            "channel": hook,
        },
    )
    export = reader.get("$export", headers={"Prefer": "respond-async"})
    return {
        "tenant": [world.tenant_id],
        "id": [*ids, subscription.json()["id"]],
        "version": ["1", "2"],
        "export": [export.headers["Content-Location"].rpartition("/")[2]],
        "exercise_id": ["shoulder_abduction"],
        "joint_id": ["shoulder_flexion"],
        "session_id": sessions,
        "month": ["2026-10"],
    }


def _csrf(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"')[0]


@pytest.mark.parametrize("operation", operations(OUR_API))
def test_no_request_to_the_api_is_a_server_error(signed_in: SignedIn, operation: Any) -> None:
    security = operation.definition.raw.get("security") or [{}]
    role = next((name for name in security[0] if name in signed_in.browsers), None)

    @BOUNDED
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        signed_in.aimed(case, data)
        headers = {"Accept": "application/json"}
        session = requests.Session()
        if role is not None:
            headers["X-CSRFToken"] = signed_in.csrf[role]
            session.cookies = signed_in.browsers[role]._http.cookies
            case.cookies = {}
        case.headers = {}
        case.call_and_validate(
            base_url=signed_in.world.places.app, session=session, headers=headers, checks=CHECKS
        )

    fuzz()


@pytest.mark.parametrize("operation", operations(FHIR_API))
def test_no_request_to_the_fhir_api_is_a_server_error(
    signed_in: SignedIn, make_token: Callable[[], str], operation: Any
) -> None:
    headers = {"Authorization": f"Bearer {make_token()}"}

    @BOUNDED
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        signed_in.aimed(case, data)
        case.call_and_validate(base_url=signed_in.world.places.app, headers=headers, checks=CHECKS)

    fuzz()


@pytest.fixture(scope="module")
def make_token(signed_in: SignedIn) -> Callable[[], str]:
    token = system_reader(signed_in.world).token
    assert token is not None
    return lambda: token
