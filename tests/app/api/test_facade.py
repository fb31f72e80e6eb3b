"""The FHIR API over HTTP: reading, searching and paging what we hold."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from app.api import searching
from app.api.registry import SERVED
from app.api.searching import MOST_COUNT
from fhir import codes
from rtm.protocols import load_protocols
from tests.app.api.readers import ROSA, SAMUEL, Reader, facade_of, patient_reader, system_reader
from tests.conftest import World
from tests.fhir.r4 import r4_issues


def outcome(answer: Any) -> str:
    """The text of an OperationOutcome, which every error must be."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    text: str = body["issue"][0]["details"]["text"]
    assert text
    assert "Traceback" not in text
    return text


def of(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


# What it says of itself --------------------------------------------------------------------------


def test_everything_that_is_served_is_valid_r4(record: World, system: Reader) -> None:
    statement = Reader(facade_of(record), None).get("metadata").json()
    resources = [statement]
    for entry in statement["rest"][0]["resource"]:
        found = system.found(entry["type"])
        assert found or entry["type"] == "Subscription", entry["type"]
        resources += found
    resources.append(system.get("Observation?_include=Observation:based-on").json())
    resources.append(system.get("Nothing").json())
    assert r4_issues(resources) == []


def test_every_parameter_of_the_capability_statement_is_understood(
    record: World, system: Reader
) -> None:
    values = {"token": "x", "reference": "Patient/x", "date": "2026", "uri": "https://example.org"}
    statement = Reader(facade_of(record), None).get("metadata").json()
    asked = 0
    for entry in statement["rest"][0]["resource"]:
        if entry["type"] == "Subscription":
            continue
        queries = [f"{p['name']}={values[p['type']]}" for p in entry["searchParam"]]
        queries += [f"_include={name}" for name in entry.get("searchInclude", ())]
        queries += [f"_revinclude={name}" for name in entry.get("searchRevInclude", ())]
        for query in queries:
            answer = system.get(f"{entry['type']}?{query}", headers={"Prefer": "handling=strict"})
            assert answer.status_code == 200, (entry["type"], query, answer.text)
            asked += 1
    assert asked > 60


def test_the_smart_configuration_leads_to_the_health_systems_own_server(record: World) -> None:
    document = Reader(facade_of(record), None).get(".well-known/smart-configuration").json()
    assert document["token_endpoint"] == f"{record.places.ehr}/auth/token"
    assert document["issuer"] == record.places.ehr
    assert "permission-v2" in document["capabilities"]


def test_the_health_systems_with_an_api_are_listed(record: World) -> None:
    listed = Reader(f"{record.places.app}/fhir", None).get("metadata").json()["fhir_apis"]
    assert [each["url"] for each in listed] == [facade_of(record)]


# Messages ----------------------------------------------------------------------------------------


def test_messages_are_communications_that_say_who_wrote_and_when_it_was_opened(
    record: World, system: Reader
) -> None:
    found = system.found(f"Communication?patient={SAMUEL}")
    question = next(each for each in found if "inResponseTo" not in each)
    [answer] = [each for each in found if "inResponseTo" in each]
    therapist = f"{record.sandbox.fhir_base}/Practitioner/terry-alvarez"
    assert question["sender"] == {"reference": f"Patient/{SAMUEL}"}
    assert question["recipient"] == [{"reference": therapist}]
    assert question["payload"] == [{"contentString": "May I swim?"}]
    assert question["received"] == question["meta"]["lastUpdated"]
    assert answer["sender"] == {"reference": therapist}
    assert answer["recipient"] == [{"reference": f"Patient/{SAMUEL}"}]
    assert answer["topic"]["text"] == "My shoulder"
    assert answer["inResponseTo"][0]["identifier"] == question["identifier"][0]
    assert "received" not in answer
    assert system.get(of(answer)).json() == answer
    by_id = quote(f"{codes.MESSAGE_ID}|{answer['identifier'][0]['value']}")
    assert system.found(f"Communication?identifier={by_id}") == [answer]
    assert system.found(f"Communication?sender=Patient/{SAMUEL}") == [question]


def test_a_patient_reads_only_the_own_messages(record: World) -> None:
    own = patient_reader(record, ROSA)
    found = own.found("Communication")
    assert len(found) == 2
    assert {each["subject"]["reference"] for each in found} == {f"Patient/{ROSA}"}


# Reading -----------------------------------------------------------------------------------------


def test_a_read_carries_its_version_and_is_not_sent_again(system: Reader) -> None:
    observation = system.found("Observation")[0]
    first = system.get(of(observation))
    assert first.headers["ETag"] == 'W/"1"'
    assert first.headers["Content-Type"] == "application/fhir+json"
    assert first.headers["Cache-Control"] == "no-store"
    assert "Last-Modified" in first.headers
    again = system.get(of(observation), headers={"If-None-Match": 'W/"1"'})
    assert (again.status_code, again.content) == (304, b"")
    assert system("HEAD", of(observation)).headers["ETag"] == 'W/"1"'


def test_what_has_no_versions_has_a_tag_of_its_content(system: Reader) -> None:
    tag = system.get(f"Patient/{SAMUEL}").headers["ETag"]
    unchanged = system.get(f"Patient/{SAMUEL}", headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert system.get(f"Patient/{SAMUEL}", headers={"If-None-Match": 'W/"x"'}).status_code == 200


def test_earlier_versions_of_a_program_can_be_read(system: Reader) -> None:
    plan = system.found(f"CarePlan?patient={SAMUEL}")[0]
    assert plan["meta"]["versionId"] == "2"
    first = system.get(f"{of(plan)}/_history/1").json()
    second = system.get(f"{of(plan)}/_history/2").json()
    assert len(first["activity"]) == len(second["activity"]) + 1
    assert second == plan
    assert system.get(f"{of(plan)}/_history/3").status_code == 404


def test_an_exercise_that_the_new_version_drops_is_revoked(system: Reader) -> None:
    lines = system.found(f"ServiceRequest?patient={SAMUEL}")
    assert [line["status"] for line in lines].count("revoked") == 1
    plan = system.found(f"CarePlan?patient={SAMUEL}")[0]
    referred = {activity["reference"]["reference"] for activity in plan["activity"]}
    assert referred == {of(line) for line in lines if line["status"] == "active"}


def test_references_lead_to_what_is_served_or_to_the_ehr(record: World, system: Reader) -> None:
    plan = system.found(f"CarePlan?patient={SAMUEL}")[0]
    assert plan["subject"]["reference"] == f"Patient/{SAMUEL}"
    assert plan["author"]["reference"].startswith(f"{record.sandbox.fhir_base}/Practitioner/")
    for observation in system.found(f"Observation?patient={SAMUEL}"):
        assert observation["basedOn"][0]["reference"] == of(plan)
        for reference in (observation.get("device"), *observation.get("hasMember", ())):
            if reference is not None:
                assert system.get(reference["reference"]).status_code == 200


def test_an_observation_says_which_software_measured_it(system: Reader) -> None:
    device = system.found("Device")[0]
    measured = system.found("Observation?code=exercise_session")
    assert {each["device"]["reference"] for each in measured} == {of(device)}


@pytest.mark.parametrize(
    "path",
    [
        "Observation/none",
        "Observation/session-00000000-0000-4000-8000-000000000000",
        "Patient/nobody",
        "Practitioner/terry-alvarez",
        "Nothing/1",
        "CarePlan/x/_history/1",
        "Patient/nobody/$everything",
        "a/b/c/d/e",
    ],
)
def test_what_is_not_there_is_a_404_with_an_outcome(system: Reader, path: str) -> None:
    answer = system.get(path)
    assert answer.status_code == 404
    assert outcome(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_the_record_cannot_be_written_from_outside(system: Reader, method: str) -> None:
    answer = system(method, "Observation/1" if method != "POST" else "Observation", json={})
    assert answer.status_code == 405
    assert outcome(answer)


@pytest.mark.parametrize(
    ("accept", "query", "status"),
    [
        ("application/fhir+xml", "", 406),
        ("text/html", "", 406),
        ("application/fhir+json", "", 200),
        ("application/json", "", 200),
        ("*/*", "", 200),
        ("application/fhir+xml", "?_format=json", 200),
        ("*/*", "?_format=xml", 406),
        ("*/*", "?_format=application/fhir%2Bjson", 200),
        ("*/*", "?_format=application/fhir+json", 200),
    ],
)
def test_only_json_is_spoken(system: Reader, accept: str, query: str, status: int) -> None:
    answer = system.get(f"Patient/{SAMUEL}{query}", headers={"Accept": accept})
    assert answer.status_code == status


# Searching ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "count"),
    [
        # Two reported sessions of three Observations, one measured of four, and the score of an
        # outcome measure, for two patients.
        ("", 22),
        (f"patient={SAMUEL}", 11),
        (f"patient=Patient/{SAMUEL}", 11),
        (f"subject:Patient={SAMUEL}", 11),
        (f"patient={SAMUEL},{ROSA}", 22),
        ("patient=nobody", 0),
        (f"code={codes.LOINC}|72514-3", 12),
        ("code=72514-3", 12),
        (f"code={codes.LOINC}|", 12),
        (f"code={codes.SNOMED}|72514-3", 0),
        ("code=|72514-3", 0),
        ("code=exercise_session,72514-3", 18),
        ("category=survey", 14),
        ("category=survey&code=exercise_session", 0),
        ("status=final", 22),
        ("status=preliminary", 0),
        ("date=2026-11-01", 6),
        ("date=ge2026-11-02", 16),
        ("date=lt2026-11-02", 6),
        ("date=gt2026-11-01&date=le2026-11-02", 6),
        ("date=2026-11-01T15:00:00Z", 1),
        ("date=2026-11-01T10:00:00-05:00", 1),
        ("date=2026-11-01T15:00:00+00:00", 1),  # the + is not escaped
        ("date=2025", 0),
        ("_lastUpdated=ge2026-01-01", 22),
        ("_lastUpdated=lt2026-01-01", 0),
        ("status=", 22),
    ],
)
def test_a_search_finds_what_meets_every_parameter(system: Reader, query: str, count: int) -> None:
    assert len(system.found(f"Observation?{query}")) == count
    total = system.get(f"Observation?{query}&_summary=count").json()
    assert total["total"] == count
    assert "entry" not in total


@pytest.mark.parametrize("kind", sorted(set(SERVED) - {"Patient"}))
def test_a_resource_is_found_by_its_id_and_identifier(system: Reader, kind: str) -> None:
    for resource in system.found(kind)[:20]:
        assert system.found(f"{kind}?_id={resource['id']}") == [resource]
        if SERVED[kind].parameter("identifier") is not None:
            identifiers = resource["identifier"]  # R4 gives a QuestionnaireResponse but one
            one = identifiers if isinstance(identifiers, dict) else identifiers[0]
            token = quote(f"{one['system']}|{one['value']}", safe="")
            assert system.found(f"{kind}?identifier={token}") == [resource]
            assert system.found(f"{kind}?identifier={quote(one['value'])}") == [resource]


def test_a_patient_is_found_by_the_record_number(system: Reader) -> None:
    patient = system.get(f"Patient/{SAMUEL}").json()
    number = quote(patient["identifier"][0]["value"])
    assert system.found(f"Patient?identifier={number}") == [patient]


def test_observations_are_found_by_their_plan(system: Reader) -> None:
    plan = system.found(f"CarePlan?patient={SAMUEL}")[0]
    found = system.found(f"Observation?based-on={of(plan)}")
    assert {each["subject"]["reference"] for each in found} == {f"Patient/{SAMUEL}"}
    assert len(found) == 11
    assert len(system.found(f"Observation?based-on={system.base}/{of(plan)}")) == 11


def test_the_library_is_searched_without_a_patient(system: Reader) -> None:
    exercise = system.found("ActivityDefinition")[0]
    assert system.found(f"ActivityDefinition?url={quote(exercise['url'], safe='')}") == [exercise]
    assert len(system.found("PlanDefinition?status=active")) == len(load_protocols())


@pytest.mark.parametrize("sort", ["_lastUpdated", "-_lastUpdated", "date", "-date"])
def test_pages_in_any_order_give_each_match_once(system: Reader, sort: str) -> None:
    paged = system.found(f"Observation?_sort={sort}&_count=3")
    whole = system.found(f"Observation?_sort={sort}")
    assert paged == whole
    assert len({each["id"] for each in whole}) == 22

    def instant(resource: dict[str, Any]) -> str:
        if sort.lstrip("-") == "date":
            return str(resource.get("effectivePeriod", {}).get("start", ""))
        return str(resource["meta"]["lastUpdated"])

    instants = [instant(each) for each in whole if instant(each)]
    assert instants == sorted(instants, reverse=sort.startswith("-"))


def test_a_page_has_a_link_that_tells_nothing(system: Reader) -> None:
    bundle = system.get(f"Observation?patient={SAMUEL}&_count=2").json()
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    assert SAMUEL not in links["next"]
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "match"]
    assert bundle["entry"][0]["fullUrl"] == f"{system.base}/{of(bundle['entry'][0]['resource'])}"


def test_a_page_link_is_good_for_its_own_search_alone(system: Reader) -> None:
    bundle = system.get("Observation?_count=2").json()
    page = parse_qs(urlsplit(bundle["link"][1]["url"]).query)["_page"][0]
    for path in (f"CarePlan?_page={page}", f"Observation?_page={page[:-4]}AAAA", "Patient?_page=x"):
        answer = system.get(path)
        assert answer.status_code == 400
        assert outcome(answer)


def test_an_unknown_parameter_is_left_out_and_said_so(system: Reader) -> None:
    bundle = system.get("Observation?status=final&colour=red&_sort=colour").json()
    assert bundle["link"][0]["url"] == f"{system.base}/Observation?status=final"
    strict = {"Prefer": "handling=strict"}
    for query in ("colour=red", "_sort=colour", "_include=Observation:colour", "_elements=id"):
        answer = system.get(f"Observation?{query}", headers=strict)
        assert answer.status_code == 400
        assert outcome(answer)


@pytest.mark.parametrize(
    "query",
    [
        "date=yesterday",
        "date=2026-13",
        "date=zz2026",
        "date=2026-11T10:00Z",
        "_lastUpdated=0000-00-00",
        "_count=-1",
        "_count=many",
        "code:text=pain",
        "status:not=final",
        "patient:Practitioner=x",
        "date=,",
    ],
)
def test_a_value_that_cannot_be_used_is_a_400(system: Reader, query: str) -> None:
    answer = system.get(f"Observation?{query}")
    assert answer.status_code == 400
    assert outcome(answer)


@pytest.mark.parametrize("name", ["date", "_lastUpdated"])
@pytest.mark.parametrize(
    "value",
    [
        "0001",
        "ge0001-01-01",
        "lt0001-01-01T00:00:00%2B05:00",
        "9999",
        "gt9999-12-31T23:59:59-05:00",
    ],
)
def test_the_ends_of_time_break_nothing(system: Reader, name: str, value: str) -> None:
    assert system.get(f"Observation?{name}={value}").status_code in (200, 400)


def test_a_page_has_a_limit(system: Reader) -> None:
    bundle = system.get("ActivityDefinition?_count=100000").json()
    assert len(bundle["entry"]) <= MOST_COUNT


def test_no_count_asks_for_the_number_alone(system: Reader) -> None:
    bundle = system.get("Observation?_count=0").json()
    assert bundle["total"] == 22
    assert "entry" not in bundle
    assert system.get("Observation?_count=1&_total=accurate").json()["total"] == 22


def test_a_search_by_post_keeps_the_patient_out_of_the_url(system: Reader) -> None:
    answer = system("POST", "Observation/_search", data={"patient": SAMUEL, "_count": "2"})
    assert answer.status_code == 200
    assert len(answer.json()["entry"]) == 2
    wrong = system("POST", "Observation/_search", json={"patient": SAMUEL})
    assert wrong.status_code == 415


def test_a_body_that_is_too_large_is_refused(system: Reader) -> None:
    answer = system("POST", "Observation/_search", data={"patient": "x" * 300_000})
    assert answer.status_code == 413
    assert outcome(answer)


# Including ---------------------------------------------------------------------------------------


def modes(bundle: dict[str, Any], mode: str) -> list[str]:
    return [
        entry["resource"]["resourceType"]
        for entry in bundle["entry"]
        if entry["search"]["mode"] == mode
    ]


def test_a_plan_comes_with_its_exercises_and_goals(system: Reader) -> None:
    query = "_include=CarePlan:activity-reference&_include=CarePlan:goal&_include=CarePlan:subject"
    bundle = system.get(f"CarePlan?patient={SAMUEL}&{query}").json()
    assert modes(bundle, "match") == ["CarePlan"]
    assert set(modes(bundle, "include")) == {"ServiceRequest", "Goal", "Patient"}


def test_a_plan_comes_with_the_observations_based_on_it(system: Reader) -> None:
    bundle = system.get(f"CarePlan?patient={SAMUEL}&_revinclude=Observation:based-on").json()
    assert modes(bundle, "include") == ["Observation"] * 11
    back = system.get(f"Observation?patient={SAMUEL}&_include=Observation:based-on").json()
    assert modes(back, "include") == ["CarePlan"]
    assert bundle["total"] == 1


def test_observations_come_with_their_provenance(system: Reader) -> None:
    bundle = system.get(
        f"Observation?patient={SAMUEL}&code=exercise_session&_revinclude=Provenance:target"
    ).json()
    assert modes(bundle, "include") == ["Provenance"] * 3
    provenance = system.found(f"Provenance?target={of(bundle['entry'][0]['resource'])}")
    assert len(provenance) == 1


def test_a_patient_comes_with_all_that_refers_to_them(system: Reader) -> None:
    query = "_revinclude=Provenance:agent&_revinclude=Consent:patient"
    bundle = system.get(f"Patient?_id={SAMUEL}&{query}").json()
    assert sorted(set(modes(bundle, "include"))) == ["Consent", "Provenance"]
    assert ROSA not in str(bundle)


def test_too_many_to_include_is_said(system: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_INCLUDED", 3)
    bundle = system.get(f"CarePlan?patient={SAMUEL}&_revinclude=Observation:based-on").json()
    assert len(modes(bundle, "include")) == 3
    assert modes(bundle, "outcome") == ["OperationOutcome"]
    assert r4_issues([bundle]) == []


def test_one_request_looks_at_so_much_and_the_next_goes_on(
    system: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_SCANNED", 4)
    assert len(system.found("Observation?code=exercise_session")) == 6
    answer = system.get("Observation?code=exercise_session&_summary=count")
    assert answer.status_code == 400
    assert "narrow" in outcome(answer)


def test_what_a_token_may_not_read_is_not_included(record: World) -> None:
    reader = system_reader(record, "system/CarePlan.rs")
    bundle = reader.get("CarePlan?_include=CarePlan:goal&_revinclude=Observation:based-on").json()
    assert modes(bundle, "include") == []


# Everything --------------------------------------------------------------------------------------


def test_everything_of_a_patient_comes_in_pages(record: World, system: Reader) -> None:
    whole = system.found(f"Patient/{SAMUEL}/$everything?_count=200")
    paged = system.found(f"Patient/{SAMUEL}/$everything?_count=7")
    assert paged == whole
    kinds = [resource["resourceType"] for resource in whole]
    assert kinds[0] == "Patient"
    assert set(kinds) == set(SERVED) - {"ActivityDefinition", "PlanDefinition", "Questionnaire"}
    assert kinds.count("Observation") == 11
    assert ROSA not in str(whole)
    own = patient_reader(record, SAMUEL).found(f"Patient/{SAMUEL}/$everything")
    assert own == whole


def test_everything_can_be_of_some_types_and_since_an_instant(system: Reader) -> None:
    some = system.found(f"Patient/{SAMUEL}/$everything?_type=Goal,CarePlan")
    assert {resource["resourceType"] for resource in some} == {"CarePlan", "Goal"}
    none = system.found(f"Patient/{SAMUEL}/$everything?_since=2099-01-01T00:00:00Z")
    assert none == []
