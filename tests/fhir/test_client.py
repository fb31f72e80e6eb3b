"""The REST client against a real HTTP server that misbehaves on request."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fhir.access_token import AccessToken, SharedToken
from fhir.client import (
    Conflict,
    FhirClient,
    FhirError,
    Forbidden,
    ForeignAddress,
    NotFound,
    NotSupported,
    Policy,
    ServerUnavailable,
    TooLarge,
    Unauthorized,
    Unprocessable,
)
from tests.fhir.scripted_server import Script, serving

QUICK = Policy(attempts=3, most_wait_s=0.05, read_timeout_s=2.0, most_response_bytes=10_000)


@pytest.fixture
def script() -> Iterator[Script]:
    with serving() as server:
        yield server


def client(script: Script, refusals: list[str | None] | None = None) -> FhirClient:
    def token(refused: str | None) -> str:
        if refusals is not None:
            refusals.append(refused)
        return "fresh" if refused else "kept"

    return FhirClient(script.base, token, QUICK)


def test_a_search_follows_every_page(script: Script) -> None:
    def page(ids: list[str], following: str | None) -> dict[str, Any]:
        links = [{"relation": "next", "url": following}] if following else []
        return {"link": links, "entry": [{"resource": {"id": i}} for i in ids]}

    script.answers = [
        (200, page(["a", "b"], f"{script.base}/Observation?_offset=2"), {}),
        (200, page(["c"], None), {}),
    ]
    found = [r["id"] for r in client(script).search("Observation", {"patient": "1"})]
    assert found == ["a", "b", "c"]
    assert "patient=1" in script.seen[0][1]


def test_a_next_page_on_another_host_is_not_followed(script: Script) -> None:
    link = {"relation": "next", "url": "http://192.0.2.1/steal"}
    script.answers = [(200, {"link": [link]}, {})]
    with pytest.raises(ForeignAddress, match="another host"):
        list(client(script).search("Patient", {}))


@pytest.mark.parametrize("entry", [[{"fullUrl": "x"}], ["x"], 7, [{"resource": None}]])
def test_a_page_that_is_none_is_an_error_of_one_line(script: Script, entry: Any) -> None:
    script.answers = [(200, {"resourceType": "Bundle", "entry": entry}, {})]
    with pytest.raises(FhirError, match="no Bundle of matches"):
        list(client(script).search("Patient", {}))


def test_pages_that_lead_in_a_circle_end(script: Script) -> None:
    link = {"relation": "next", "url": f"{script.base}/Patient?page=2"}
    script.answers = [(200, {"link": [link]}, {})] * 3
    with pytest.raises(FhirError, match="in a circle"):
        list(client(script).search("Patient", {}))


def test_pages_without_end_are_too_many(script: Script) -> None:
    script.answers = [
        (200, {"link": [{"relation": "next", "url": f"{script.base}/Patient?page={n}"}]}, {})
        for n in range(4)
    ]
    fhir = FhirClient(script.base, lambda refused: "t", Policy(most_pages=3))
    with pytest.raises(TooLarge, match="more than 3 pages"):
        list(fhir.search("Patient", {}))


def test_a_server_that_fails_and_recovers_is_asked_again(script: Script) -> None:
    script.answers = [(500, {}, {}), (503, {}, {}), (200, {"id": "1"}, {})]
    assert client(script).read("Patient/1") == {"id": "1"}
    assert len(script.seen) == 3


def test_a_server_that_stays_down_is_reported_as_worth_retrying(script: Script) -> None:
    script.answers = [(500, {}, {})] * 3
    with pytest.raises(ServerUnavailable) as failed:
        client(script).read("Patient/1")
    assert failed.value.retryable


def test_retry_after_is_read_in_both_forms(script: Script) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    script.answers = [
        (429, {}, {"Retry-After": "0"}),
        (429, {}, {"Retry-After": date}),
        (200, {"id": "1"}, {}),
    ]
    assert client(script).read("Patient/1") == {"id": "1"}


def test_an_expired_token_is_renewed_once(script: Script) -> None:
    refusals: list[str | None] = []
    script.answers = [(401, {}, {}), (200, {"id": "1"}, {})]
    client(script, refusals).read("Patient/1")
    assert refusals == [None, "kept"]
    assert script.seen[1][2]["Authorization"] == "Bearer fresh"


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Forbidden), (404, NotFound), (409, Conflict), (412, Conflict), (422, Unprocessable)],
)
def test_a_refusal_carries_the_servers_own_words_and_is_not_repeated(
    script: Script, status: int, error: type[FhirError]
) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "subject is missing"}]}
    script.answers = [(status, outcome, {})]
    with pytest.raises(error, match="subject is missing"):
        client(script).transaction({})
    assert len(script.seen) == 1


def test_two_refused_tokens_are_a_refusal(script: Script) -> None:
    script.answers = [(401, {}, {}), (401, {}, {})]
    with pytest.raises(Unauthorized):
        client(script).read("Patient/1")


def test_an_answer_without_end_is_cut_off(script: Script) -> None:
    script.answers = [(200, b"x" * 20_000, {})]
    with pytest.raises(FhirError, match="larger"):
        client(script).read("Patient/1")


def test_a_page_of_html_is_an_error_of_one_line(script: Script) -> None:
    script.answers = [(200, b"<html>login</html>", {})]
    with pytest.raises(FhirError, match="not a JSON object"):
        client(script).read("Patient/1")


def test_redirects_are_not_followed_with_the_token(script: Script) -> None:
    script.answers = [(302, {}, {"Location": "http://192.0.2.1/"})]
    with pytest.raises(FhirError):
        client(script).read("Patient/1")
    assert len(script.seen) == 1


def test_updates_and_conditional_creates_send_their_conditions(script: Script) -> None:
    made = (201, {"resourceType": "Goal", "id": "2"}, {})
    script.answers = [(200, {"id": "1"}, {}), made]
    fhir = client(script)
    fhir.update({"resourceType": "Goal", "id": "1"}, version="3")
    assert fhir.create({"resourceType": "Goal"}, "identifier=s|v") == "Goal/2"
    assert script.seen[0][2]["If-Match"] == 'W/"3"'
    assert script.seen[1][2]["If-None-Exist"] == "identifier=s|v"


def test_a_create_without_a_condition_is_sent_once_though_its_answer_is_lost(
    script: Script,
) -> None:
    script.answers = [(503, {}, {}), (201, {}, {"Location": "http://x/Goal/2/_history/1"})]
    with pytest.raises(ServerUnavailable):
        client(script).create({"resourceType": "Goal"})
    assert client(script).create({"resourceType": "Goal"}) == "Goal/2"
    assert len(script.seen) == 2


def test_a_server_that_does_not_say_where_it_put_a_resource_is_told_of(script: Script) -> None:
    script.answers = [(201, {}, {})]
    with pytest.raises(FhirError, match="does not say where the new Goal is"):
        client(script).create({"resourceType": "Goal"})


def test_what_a_server_does_not_do_is_not_worth_retrying(script: Script) -> None:
    script.answers = [(405, {}, {})]
    with pytest.raises(NotSupported) as refused:
        client(script).transaction({"resourceType": "Bundle"})
    assert not refused.value.retryable


def test_no_server_at_all_is_worth_retrying() -> None:
    fhir = FhirClient("http://127.0.0.1:1/fhir", lambda refused: "t", QUICK)
    with pytest.raises(ServerUnavailable, match="did not answer"):
        fhir.read("Patient/1")


# Versions ----------------------------------------------------------------------------------------


def test_a_change_is_made_to_the_version_that_was_read(script: Script) -> None:
    script.answers = [
        (200, {"resourceType": "Goal", "id": "1", "note": [{"text": "theirs"}]}, {"ETag": 'W/"7"'}),
        (200, {"id": "1"}, {}),
    ]
    client(script).change("Goal/1", lambda goal: {**goal, "lifecycleStatus": "active"})
    assert script.seen[1][2]["If-Match"] == 'W/"7"'
    assert json.loads(script.bodies[1])["note"] == [{"text": "theirs"}]


@pytest.mark.parametrize("status", [409, 412])
def test_a_change_that_collides_is_made_again_to_what_is_there_now(
    script: Script, status: int
) -> None:
    def goal(version: int, text: str) -> dict[str, Any]:
        meta = {"versionId": str(version)}
        return {"resourceType": "Goal", "id": "1", "meta": meta, "note": [{"text": text}]}

    script.answers = [
        (200, goal(1, "old"), {}),
        (status, {}, {}),
        (200, goal(2, "written by another"), {}),
        (200, goal(3, "written by another"), {}),
    ]
    client(script).change("Goal/1", lambda found: {**found, "lifecycleStatus": "active"})
    assert [seen[2].get("If-Match") for seen in script.seen] == [None, 'W/"1"', None, 'W/"2"']
    assert json.loads(script.bodies[3])["note"] == [{"text": "written by another"}]


def test_a_change_that_always_collides_says_what_to_do(script: Script) -> None:
    script.answers = [(200, {"meta": {"versionId": "1"}, "resourceType": "Goal", "id": "1"}, {})]
    script.answers = [*script.answers, (412, {}, {})] * 3
    with pytest.raises(Conflict, match="read it again, then repeat the change"):
        client(script).change("Goal/1", lambda found: found)
    assert len(script.seen) == 6


def test_a_server_without_versions_is_not_written_to_blindly(script: Script) -> None:
    script.answers = [(200, {"resourceType": "Goal", "id": "1"}, {})]
    with pytest.raises(FhirError, match="no version"):
        client(script).change("Goal/1", lambda found: found)
    assert len(script.seen) == 1


def test_the_digits_of_a_foreign_resource_survive_a_change(script: Script) -> None:
    body = b'{"resourceType":"Goal","id":"1","meta":{"versionId":"1"},"x":[1.10,2E2,0.30]}'
    script.answers = [(200, body, {}), (200, {}, {})]
    client(script).change("Goal/1", lambda found: {**found, "status": "x"})
    assert b'"x":[1.10,2E2,0.30]' in script.bodies[1]


# Waiting -----------------------------------------------------------------------------------------


def test_a_server_that_asks_for_longer_than_we_wait_is_left_alone_and_its_wish_reported(
    script: Script,
) -> None:
    script.answers = [(429, {}, {"Retry-After": "2"})] * 3
    with pytest.raises(ServerUnavailable, match="fewer requests") as failed:
        client(script).read("Patient/1")
    assert (len(script.seen), failed.value.retry_after_s) == (1, 2.0)


def test_the_waits_between_attempts_differ(script: Script) -> None:
    waits = []
    for _ in range(4):
        script.answers = [(503, {}, {}), (200, {}, {})]
        begun = time.monotonic()
        FhirClient(script.base, lambda refused: "t", Policy(attempts=2)).read("Patient/1")
        waits.append(round(time.monotonic() - begun, 3))
    assert len(set(waits)) > 1, "clients that failed together must not return together"


def test_a_server_that_says_nothing_is_given_up(script: Script) -> None:
    done = threading.Event()
    script.route = lambda method, path, headers: (200 if done.wait(10) else 500, {}, {})
    policy = Policy(attempts=1, read_timeout_s=0.2)
    begun = time.monotonic()
    with pytest.raises(ServerUnavailable, match="did not answer"):
        FhirClient(script.base, lambda refused: "t", policy).read("Patient/1")
    assert time.monotonic() - begun < 5
    done.set()


def test_a_server_that_trickles_is_given_up(script: Script) -> None:
    def slow(method: str, path: str, headers: dict[str, str]) -> Any:
        time.sleep(0.3)
        return 200, b"[" + b" " * 200_000, {}

    script.route = slow
    policy = Policy(attempts=1, deadline_s=0.0, read_timeout_s=5.0)
    with pytest.raises(ServerUnavailable, match="longer than 0 s"):
        FhirClient(script.base, lambda refused: "t", policy).read("Patient/1")


# Tokens ------------------------------------------------------------------------------------------


def test_many_threads_that_find_a_token_ended_renew_it_once(script: Script) -> None:
    made: list[str] = []

    def fetch() -> AccessToken:
        time.sleep(0.05)
        made.append(f"token-{len(made)}")
        return AccessToken(made[-1], datetime.now(UTC) + timedelta(hours=1))

    shared = SharedToken(fetch, lambda: datetime.now(UTC))
    together = threading.Barrier(8)

    def route(method: str, path: str, headers: dict[str, str]) -> Any:
        if headers["Authorization"] == "Bearer token-0":
            together.wait(10)
            return 401, {}, {}
        return 200, {"id": "1"}, {}

    script.route = route
    found: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(FhirClient(script.base, shared, QUICK).read("Patient/1"))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"id": "1"}] * 8
    assert made == ["token-0", "token-1"]


def test_a_token_is_renewed_before_it_ends_in_flight() -> None:
    now = datetime(2026, 10, 6, tzinfo=UTC)
    made = []

    def fetch() -> AccessToken:
        made.append(AccessToken(f"token-{len(made)}", now + timedelta(seconds=60)))
        return made[-1]

    shared = SharedToken(fetch, lambda: now)
    assert (shared(), shared()) == ("token-0", "token-0")
    now += timedelta(seconds=31)
    assert shared() == "token-1"
    assert "token-1" not in repr(made[-1]), "a token in a log is a token lost"


def test_a_netrc_file_never_takes_the_tokens_place(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    script.answers = [(200, {}, {})]
    client(script).read("Patient/1")
    assert script.seen[0][2]["Authorization"] == "Bearer kept"


# Guards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://192.0.2.1/fhir/Patient/1",
        "//192.0.2.1/fhir/Patient/1",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "../admin/secrets",
        "Patient/../../admin",
        "Patient/%2e%2e/%2e%2e/admin",
        "/admin",
        "http://127.0.0.1@192.0.2.1/fhir/Patient/1",
    ],
)
def test_an_address_that_leads_away_is_not_fetched(script: Script, address: str) -> None:
    fhir = client(script)
    with pytest.raises(ForeignAddress):
        fhir.read(address)
    with pytest.raises(ForeignAddress):
        fhir.attachment({"url": address, "contentType": "application/pdf"})
    assert script.seen == []


def test_an_attachment_on_the_server_itself_is_read_with_its_limits(script: Script) -> None:
    script.answers = [(200, b"%PDF-1.7", {}), (200, b"x" * 20_000, {})]
    attachment = {"url": f"{script.base}/Binary/1", "contentType": "application/pdf"}
    assert client(script).attachment(attachment) == b"%PDF-1.7"
    assert script.seen[0][2]["Accept"] == "application/pdf"
    with pytest.raises(TooLarge):
        client(script).attachment(attachment)


def test_a_zip_bomb_is_cut_off_before_it_fills_the_memory(script: Script) -> None:
    bomb = gzip.compress(b'{"a":"' + b" " * 200_000_000 + b'"}')
    assert len(bomb) < 250_000
    script.answers = [(200, bomb, {"Content-Encoding": "gzip"})]
    fhir = FhirClient(script.base, lambda refused: "t", Policy(most_response_bytes=1_000_000))
    tracemalloc.start()
    with pytest.raises(TooLarge, match="larger than 1000000"):
        fhir.read("Patient/1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_zip_bomb_in_an_error_is_cut_off_too(script: Script) -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    script.answers = [(400, bomb, {"Content-Encoding": "gzip"})]
    with pytest.raises(TooLarge):
        client(script).read("Patient/1")


def test_a_packed_answer_within_the_limit_is_read(script: Script) -> None:
    script.answers = [(200, gzip.compress(b'{"id":"1"}'), {"Content-Encoding": "gzip"})]
    assert client(script).read("Patient/1") == {"id": "1"}


def test_an_oversized_bundle_is_not_held(script: Script) -> None:
    bundle = {"entry": [{"resource": {"id": str(n)}} for n in range(1_000)]}
    script.answers = [(200, bundle, {})]
    with pytest.raises(TooLarge):
        list(client(script).search("Patient", {}))


def test_json_nested_without_end_is_an_error_of_one_line(script: Script) -> None:
    script.answers = [(200, b'{"a":' * 1_500 + b"1" + b"}" * 1_500, {})]
    with pytest.raises(FhirError, match="too deeply"):
        client(script).read("Patient/1")
