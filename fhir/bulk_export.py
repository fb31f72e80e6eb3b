"""Bulk Data export: everybody of a group at once, for enrolment (Bulk Data Access IG 2.0, $export).

Kick-off, waiting as the server asks, NDJSON files read line by line, and the export deleted at the
end however it went. Files on another host are read only where the settings name it, and without
our token: whoever answers must not send us where it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog

from fhir.client import (
    Answer,
    FhirClient,
    FhirError,
    ForeignAddress,
    ServerUnavailable,
    TooLarge,
    retry_after_s,
)
from fhir.wire import NotFhirJson, Resource, parse

log = structlog.get_logger(__name__)

NDJSON = "application/fhir+ndjson"

# A server that asks for no pause at all is still not hammered.
_LEAST_POLL_S = 1.0


@dataclass(frozen=True)
class ExportPolicy:
    """How long and how much. Times in s, sizes in bytes after unpacking.

    `other_origins` are the origins (`https://files.example.org`) besides the FHIR server from
    which files may be read; the settings of the tenant name them.
    """

    poll_s: float = 10.0
    most_poll_s: float = 300.0
    deadline_s: float = 4 * 3600.0
    most_files: int = 1_000
    most_file_bytes: int = 4 * 1024**3
    most_line_bytes: int = 4 * 1024**2
    other_origins: frozenset[str] = frozenset()


def export(
    client: FhirClient,
    path: str,
    types: Sequence[str],
    *,
    since: datetime | None = None,
    policy: ExportPolicy | None = None,
) -> Iterator[Resource]:
    """Every resource of `types` that an export of `path` (`Group/1/$export`) gives.

    Raises:
        ForeignAddress: a file or the status lies on a host that the settings don't name.
        TooLarge: more or larger files than `policy` allows.
        FhirError: any other failure; what was given before it stands.
    """
    policy = policy or ExportPolicy()
    parameters = {"_outputFormat": NDJSON, "_type": ",".join(types)}
    if since is not None:
        parameters["_since"] = since.isoformat()
    started = client.send(
        "GET", client.address(path), params=parameters, headers={"Prefer": "respond-async"}
    )
    location = started.headers.get("Content-Location")
    if started.status != 202 or not location:
        raise FhirError("the server did not begin an export", status=started.status)
    status_url = urljoin(f"{client.base.rstrip('/')}/", location)
    if not client.same_server(status_url):
        raise ForeignAddress("the status of the export lies on another host; not followed")
    try:
        manifest = _finished(client, status_url, policy).body
        yield from _resources(client, manifest, set(types), policy)
    finally:
        _delete(client, status_url)


def _finished(client: FhirClient, status_url: str, policy: ExportPolicy) -> Answer:
    """The manifest, once the server has it."""
    deadline = monotonic() + policy.deadline_s
    wait_s = policy.poll_s
    while True:
        try:
            answer = client.send("GET", status_url, headers={"Accept": "application/json"})
            if answer.status == 200:
                return answer
            asked = retry_after_s(answer.headers)
        except ServerUnavailable as error:
            asked = error.retry_after_s
            if error.status != 429 and asked is None:
                raise
        wait_s = wait_s * 1.5 if asked is None else max(asked, min(policy.poll_s, _LEAST_POLL_S))
        wait_s = min(wait_s, policy.most_poll_s)
        if monotonic() + wait_s > deadline:
            raise ServerUnavailable(
                f"the export was not ready within {policy.deadline_s:g} s", retryable=True
            )
        sleep(wait_s)


def _resources(
    client: FhirClient, manifest: Mapping[str, Any], types: set[str], policy: ExportPolicy
) -> Iterator[Resource]:
    files = manifest.get("output")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise FhirError("the export's manifest has no list of files")
    if len(files) > policy.most_files:
        raise TooLarge(f"the export has more than {policy.most_files} files")
    if manifest.get("error"):
        log.warning("export_incomplete", why="the server lists files of errors")
    # All addresses are looked at before anything is fetched.
    token_needed = manifest.get("requiresAccessToken", True) is not False
    checked = [
        (_checked(client, file, token_needed, policy), str(file.get("type"))) for file in files
    ]
    for url, type_ in checked:
        if type_ in types:
            yield from _lines(client, url, type_, token_needed, policy)


def _checked(
    client: FhirClient, file: Mapping[str, Any], token_needed: bool, policy: ExportPolicy
) -> str:
    """The file's address, if it may be fetched."""
    url = str(file.get("url", ""))
    if client.same_server(url):
        return url
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" not in policy.other_origins:
        raise ForeignAddress(
            f"a file of the export lies on {parts.hostname or 'no host'}, which the settings of "
            "this health system don't name; not fetched"
        )
    if token_needed:
        raise ForeignAddress(
            f"a file of the export on {parts.hostname} asks for our token; not sent there"
        )
    return url


def _lines(
    client: FhirClient, url: str, type_: str, token_needed: bool, policy: ExportPolicy
) -> Iterator[Resource]:
    authorized = token_needed and client.same_server(url)
    with client.stream(url, accept=NDJSON, authorized=authorized) as pieces:
        for number, line in enumerate(_split(pieces, policy), start=1):
            if not line.strip():
                continue
            try:
                resource = parse(line)
            except NotFhirJson as error:
                raise FhirError(f"line {number} of an export of {type_} is {error}") from None
            if not isinstance(resource, dict) or resource.get("resourceType") != type_:
                raise FhirError(f"line {number} of an export of {type_} is no {type_}")
            yield resource


def _split(pieces: Iterator[bytes], policy: ExportPolicy) -> Iterator[bytes]:
    """The lines, each as long as allowed."""
    size, rest = 0, b""
    deadline = monotonic() + policy.deadline_s
    for piece in pieces:
        size += len(piece)
        if size > policy.most_file_bytes:
            raise TooLarge(f"a file of the export is larger than {policy.most_file_bytes} bytes")
        if monotonic() > deadline:
            raise ServerUnavailable(
                f"a file of the export took longer than {policy.deadline_s:g} s", retryable=True
            )
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > policy.most_line_bytes:
            raise TooLarge(f"a line of the export is longer than {policy.most_line_bytes} bytes")
    yield rest


def _delete(client: FhirClient, status_url: str) -> None:
    """Frees the server's files. That it fails loses nothing: a server ends old exports itself."""
    try:
        client.send("DELETE", status_url)
    except FhirError as error:
        log.warning("export_not_deleted", status=error.status)
