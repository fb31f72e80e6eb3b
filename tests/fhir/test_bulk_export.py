"""Bulk export against a real server: kick-off, waiting, files, limits, and clearing up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fhir.bulk_export import (
    ExportPolicy,
    Line,
    end_export,
    kick_off,
    read_lines,
    read_manifest,
    wait_for_manifest,
)
from fhir.client import (
    FhirClient,
    FhirError,
    Forbidden,
    ForeignAddress,
    Policy,
    ServerUnavailable,
    TooLarge,
)
from tests.fhir.scripted_server import Reply, Script, serving

QUICK = Policy(attempts=2, most_wait_s=0.05)
PATIENCE = ExportPolicy(poll_s=0.01, most_poll_s=0.02, deadline_s=5.0)


class Export:
    """An export of 3 patients in two files, of which the server tells when it is asked."""

    def __init__(self, server: Script) -> None:
        self.server = server
        server.route = self.answer
        self.not_ready: list[Reply] = [(202, {}, {"Retry-After": "0", "X-Progress": "half"})]
        self.files = {"/files/1": ["a", "b"], "/files/2": ["c"]}
        self.manifest: dict[str, Any] = {
            "requiresAccessToken": True,
            "output": [
                {"type": "Patient", "url": f"{self.origin}{path}", "count": 2}
                for path in self.files
            ],
        }
        self.kick_off: Reply = (202, b"", {"Content-Location": f"{self.origin}/status/1"})

    @property
    def origin(self) -> str:
        return self.server.base.removesuffix("/fhir")

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        if path.startswith("/fhir/Group/1/$export"):
            return self.kick_off
        if path == "/status/1":
            if method == "DELETE":
                return 202, b"", {}
            return self.not_ready.pop(0) if self.not_ready else (200, self.manifest, {})
        return 200, self.content(path), {}

    def content(self, path: str) -> bytes:
        lines = [json.dumps({"resourceType": "Patient", "id": id_}) for id_ in self.files[path]]
        return ("\n".join(lines) + "\n\n").encode()

    def paths(self, method: str = "GET") -> list[str]:
        return [urlsplit(path).path for m, path, _ in self.server.seen if m == method]


@pytest.fixture
def exported() -> Iterator[Export]:
    with serving() as server:
        yield Export(server)


def lines(exported: Export, policy: ExportPolicy = PATIENCE, **options: Any) -> list[Line]:
    """Every step, the last one however it went."""
    client = FhirClient(exported.server.base, lambda refused: "secret", QUICK)
    status_url = kick_off(client, "Group/1/$export", ["Patient"], **options)
    try:
        document = wait_for_manifest(client, status_url, policy)
        files = read_manifest(client, document, ["Patient"], policy).files
        return [line for file in files for line in read_lines(client, file, policy)]
    finally:
        end_export(client, status_url)


def run(exported: Export, policy: ExportPolicy = PATIENCE, **options: Any) -> list[str]:
    return [line.resource["id"] for line in lines(exported, policy, **options) if line.resource]


def test_everybody_of_the_group_comes_and_the_export_is_deleted(exported: Export) -> None:
    exported.manifest["output"].append({"type": "Coverage", "url": f"{exported.origin}/files/1"})
    assert run(exported, since=datetime(2026, 10, 1, tzinfo=UTC)) == ["a", "b", "c"]
    _, asked, headers = exported.server.seen[0]
    query = parse_qs(urlsplit(asked).query)
    assert query["_type"] == ["Patient"]
    assert query["_since"] == ["2026-10-01T00:00:00+00:00"]
    assert query["_outputFormat"] == ["application/fhir+ndjson"]
    assert headers["Prefer"] == "respond-async"
    assert exported.paths("DELETE") == ["/status/1"]
    assert exported.paths().count("/files/1") == 1, "types that were not asked for are not read"


def test_the_server_is_asked_again_until_it_is_ready_also_when_it_is_busy(
    exported: Export,
) -> None:
    exported.not_ready = [
        (202, {}, {}),
        (429, {}, {"Retry-After": "1"}),
        (503, {}, {"Retry-After": "1"}),
        (202, {}, {"Retry-After": "0"}),
    ]
    assert run(exported) == ["a", "b", "c"]


def test_an_export_that_is_never_ready_is_given_up_and_deleted(exported: Export) -> None:
    exported.not_ready = [(202, {}, {})] * 1_000
    with pytest.raises(ServerUnavailable, match="not ready within"):
        run(exported, ExportPolicy(poll_s=0.01, most_poll_s=0.01, deadline_s=0.1))
    assert exported.paths("DELETE") == ["/status/1"]


def test_an_export_that_fails_says_why_and_is_deleted(exported: Export) -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "details": {"text": "group too large"}}],
    }
    exported.not_ready = [(500, outcome, {})] * 2
    with pytest.raises(ServerUnavailable, match="group too large"):
        run(exported)
    assert exported.paths("DELETE") == ["/status/1"]


def test_a_server_without_export_is_told_from_one_that_forbids_it(exported: Export) -> None:
    exported.kick_off = (200, {"resourceType": "Bundle"}, {})
    with pytest.raises(FhirError, match="did not begin"):
        run(exported)
    exported.kick_off = (403, {}, {})
    with pytest.raises(Forbidden):
        run(exported)


def test_a_status_on_another_host_is_not_asked(exported: Export) -> None:
    exported.kick_off = (202, b"", {"Content-Location": "http://192.0.2.1/status"})
    with pytest.raises(ForeignAddress, match="another host"):
        run(exported)


def test_a_file_on_a_host_that_nobody_named_is_not_fetched_nor_are_the_others(
    exported: Export,
) -> None:
    exported.manifest["requiresAccessToken"] = False
    exported.manifest["output"][1]["url"] = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(ForeignAddress, match=r"169\.254\.169\.254"):
        run(exported)
    assert exported.paths() == ["/fhir/Group/1/$export", "/status/1", "/status/1"]
    assert exported.paths("DELETE") == ["/status/1"]


def test_files_on_a_host_that_the_settings_name_are_read_without_our_token(
    exported: Export,
) -> None:
    with serving() as other:
        other.answers = [(200, exported.content("/files/1"), {})]
        origin = other.base.removesuffix("/fhir")
        exported.manifest["output"] = [{"type": "Patient", "url": f"{origin}/a?signature=1"}]
        exported.manifest["requiresAccessToken"] = False
        named = ExportPolicy(poll_s=0.01, other_origins=frozenset({origin}))
        assert run(exported, named) == ["a", "b"]
        assert "Authorization" not in other.seen[0][2]
        exported.manifest["requiresAccessToken"] = True
        with pytest.raises(ForeignAddress, match="asks for our token"):
            run(exported, named)
        assert len(other.seen) == 1


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b'{"resource', "not JSON"),
        (b'{"resourceType":"Group"}', "it is no Patient"),
        (b"[1]", "it is no Patient"),
        (b"\xff\xfe", "not JSON"),
        (b'{"resourceType":"Patient","id":"' + b"x" * 300_000 + b'"}', "longer than 100000 bytes"),
    ],
)
def test_a_broken_line_is_named_by_its_number_and_the_others_come(
    exported: Export, broken: bytes, why: str
) -> None:
    whole = b'{"resourceType":"Patient","id":"%s"}\n'
    content = whole % b"a" + b"\n" + broken + b"\n" + whole % b"b"
    exported.files = {"/files/1": []}
    exported.manifest["output"] = [{"type": "Patient", "url": f"{exported.origin}/files/1"}]
    exported.content = lambda path: content  # type: ignore[method-assign]
    first, second, third = lines(exported, ExportPolicy(poll_s=0.01, most_line_bytes=100_000))
    assert (first.number, second.number, third.number) == (1, 3, 4)
    assert [line.resource and line.resource["id"] for line in (first, second, third)] == [
        "a",
        None,
        "b",
    ]
    assert why in (second.problem or "")
    assert exported.paths("DELETE") == ["/status/1"]


def test_a_line_that_is_too_long_at_the_end_of_the_file_is_told_as_well(exported: Export) -> None:
    exported.content = lambda path: b"x" * 200_000  # type: ignore[method-assign]
    found = lines(exported, ExportPolicy(poll_s=0.01, most_line_bytes=100_000))
    assert [(line.number, line.resource) for line in found] == [(1, None), (1, None)]


def test_the_manifest_says_how_current_it_is_and_what_the_server_could_not_export(
    exported: Export,
) -> None:
    client = FhirClient(exported.server.base, lambda refused: "secret", QUICK)
    exported.manifest |= {"transactionTime": "2026-11-02T03:04:05Z", "error": [{}, {}]}
    read = read_manifest(client, exported.manifest, ["Patient"], PATIENCE)
    assert read.transaction_time == datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)
    assert read.error_files == 2
    for said in ("yesterday", None, "2026-11-02T03:04:05"):
        exported.manifest["transactionTime"] = said
        assert read_manifest(client, exported.manifest, (), PATIENCE).transaction_time is None


@pytest.mark.parametrize("output", [None, 7, ["x"], [None]])
def test_a_manifest_without_files_is_an_error_of_one_line(exported: Export, output: Any) -> None:
    exported.manifest["output"] = output
    with pytest.raises(FhirError, match="no list of files"):
        run(exported)


def test_a_status_may_be_told_relative_to_the_server(exported: Export) -> None:
    exported.kick_off = (202, b"", {"Content-Location": "/status/1"})
    assert run(exported) == ["a", "b", "c"]


def test_a_file_that_unpacks_without_end_is_cut_off(exported: Export) -> None:
    plain = exported.answer

    def answer(method: str, path: str, headers: dict[str, str]) -> Reply:
        if path.startswith("/files"):
            return 200, gzip.compress(b"\n" * 100_000_000), {"Content-Encoding": "gzip"}
        return plain(method, path, headers)

    exported.server.route = answer
    with pytest.raises(TooLarge, match="a file of the export"):
        run(exported, ExportPolicy(poll_s=0.01, most_file_bytes=1_000_000))
