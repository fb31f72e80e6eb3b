"""The REST client against a real HTTP server that misbehaves on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fhir.client import (
    Conflict,
    FhirClient,
    FhirError,
    Forbidden,
    NotFound,
    NotSupported,
    Policy,
    ServerUnavailable,
    Unauthorized,
    Unprocessable,
)

QUICK = Policy(attempts=3, most_wait_s=0.05, read_timeout_s=2.0, most_response_bytes=10_000)


class Script(ThreadingHTTPServer):
    """Answers each request with the next of `answers`: (status, body, headers)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/fhir"


class _Handler(BaseHTTPRequestHandler):
    server: Script

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        status, body, headers = self.server.answers.pop(0)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def script() -> Iterator[Script]:
    server = Script()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def client(script: Script, tokens: list[bool] | None = None) -> FhirClient:
    def token(refresh: bool) -> str:
        if tokens is not None:
            tokens.append(refresh)
        return "fresh" if refresh else "kept"

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
    with pytest.raises(FhirError, match="another host"):
        list(client(script).search("Patient", {}))


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
    tokens: list[bool] = []
    script.answers = [(401, {}, {}), (200, {"id": "1"}, {})]
    client(script, tokens).read("Patient/1")
    assert tokens == [False, True]
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
    fhir = FhirClient("http://127.0.0.1:1/fhir", lambda refresh: "t", QUICK)
    with pytest.raises(ServerUnavailable, match="did not answer"):
        fhir.read("Patient/1")
