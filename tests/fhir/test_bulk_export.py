"""Bulk export against a real server: kick-off, waiting, files, limits, and clearing up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fhir.bulk_export import ExportPolicy, export
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


def run(exported: Export, policy: ExportPolicy = PATIENCE, **options: Any) -> list[str]:
    client = FhirClient(exported.server.base, lambda refused: "secret", QUICK)
    return [
        resource["id"]
        for resource in export(client, "Group/1/$export", ["Patient"], policy=policy, **options)
    ]


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
    ("content", "why"),
    [
        (b'{"resourceType":"Patient","id":"a"}\n\n{"resource\n', "line 3 of an export of Patient"),
        (b'{"resourceType":"Group"}\n', "line 1 of an export of Patient is no Patient"),
        (b"<html>", "line 1"),
    ],
)
def test_a_broken_line_is_named_by_its_number(exported: Export, content: bytes, why: str) -> None:
    exported.content = lambda path: content  # type: ignore[method-assign]
    with pytest.raises(FhirError, match=why):
        run(exported)
    assert exported.paths("DELETE") == ["/status/1"]


def test_a_file_a_line_or_a_manifest_without_end_is_cut_off(exported: Export) -> None:
    exported.content = lambda path: b" \n" * 200_000  # type: ignore[method-assign]
    with pytest.raises(TooLarge, match="a file of the export"):
        run(exported, ExportPolicy(poll_s=0.01, most_file_bytes=100_000))
    exported.content = lambda path: b"x" * 200_000  # type: ignore[method-assign]
    with pytest.raises(TooLarge, match="a line of the export"):
        run(exported, ExportPolicy(poll_s=0.01, most_line_bytes=100_000))
    with pytest.raises(TooLarge, match="more than 1 files"):
        run(exported, ExportPolicy(poll_s=0.01, most_files=1))


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
