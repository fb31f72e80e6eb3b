"""Bulk Data export: everybody of a group at once, for enrolment (Bulk Data Access IG 2.0, $export).

In steps, so that a reader can stop after any and go on later: kick-off, waiting as the server asks,
NDJSON files read line by line, and the export deleted at the end. Files on another host are read
only where the settings name it, and without our token: whoever answers must not send us where it
likes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog

from fhir.client import (
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


@dataclass(frozen=True)
class ExportFile:
    """One NDJSON file, whose address was looked at."""

    type: str
    url: str
    token_needed: bool


@dataclass(frozen=True)
class Manifest:
    """What an export gives, of the types that were asked for.

    `transaction_time` is how current it is. `error_files` counts the files in which the server
    says what it could not export.
    """

    files: tuple[ExportFile, ...]
    transaction_time: datetime | None
    error_files: int


@dataclass(frozen=True)
class Line:
    """A line of a file by its number, from 1: its resource, or what is wrong with it."""

    number: int
    resource: Resource | None
    problem: str | None = None


def kick_off(
    client: FhirClient, path: str, types: Sequence[str], *, since: datetime | None = None
) -> str:
    """Asks for an export of `path` (`Group/1/$export`); the URL of its status.

    Raises:
        ForeignAddress: the status lies on another host.
        FhirError: the server does not begin one.
    """
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
    return status_url


def wait_for_manifest(
    client: FhirClient,
    status_url: str,
    policy: ExportPolicy,
    waiting: Callable[[float], None] = lambda wait_s: None,
) -> Resource:
    """The manifest's document, once the server has it; `waiting` is told of each pause before.

    Raises:
        NotFound: the server does not know the export any more.
        FhirError: any other failure, or the deadline has passed.
    """
    deadline = monotonic() + policy.deadline_s
    wait_s = policy.poll_s
    while True:
        try:
            answer = client.send("GET", status_url, headers={"Accept": "application/json"})
            if answer.status == 200:
                return answer.body
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
        waiting(wait_s)
        sleep(wait_s)


def read_manifest(
    client: FhirClient,
    document: Mapping[str, Any],
    types: Collection[str],
    policy: ExportPolicy,
) -> Manifest:
    """All addresses are looked at before anything is fetched.

    Raises:
        ForeignAddress: a file lies on a host that the settings don't name.
        TooLarge: there are more files than `policy` allows.
        FhirError: it is no manifest.
    """
    files = document.get("output")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise FhirError("the export's manifest has no list of files")
    if len(files) > policy.most_files:
        raise TooLarge(f"the export has more than {policy.most_files} files")
    token_needed = document.get("requiresAccessToken", True) is not False
    checked = [_checked(client, file, token_needed, policy) for file in files]
    errors = document.get("error")
    return Manifest(
        files=tuple(file for file in checked if file.type in types),
        transaction_time=_instant(document.get("transactionTime")),
        error_files=len(errors) if isinstance(errors, list) else 0,
    )


def read_lines(client: FhirClient, file: ExportFile, policy: ExportPolicy) -> Iterator[Line]:
    """The file's lines that are not empty. A broken one is told and passed over.

    Raises:
        TooLarge: the file is larger than `policy` allows.
        FhirError: it can't be fetched, or not to its end.
    """
    authorized = file.token_needed and client.same_server(file.url)
    with client.stream(file.url, accept=NDJSON, authorized=authorized) as pieces:
        for number, line in enumerate(_split(pieces, policy), start=1):
            if line is None:
                most = policy.most_line_bytes
                yield Line(number, None, f"it is longer than {most} bytes")
            elif line.strip():
                yield _line(number, line, file.type)


def end_export(client: FhirClient, status_url: str) -> None:
    """Frees the server's files. That it fails loses nothing: a server ends old exports itself."""
    try:
        client.send("DELETE", status_url)
    except FhirError as error:
        log.warning("export_not_deleted", status=error.status)


def _checked(
    client: FhirClient, file: Mapping[str, Any], token_needed: bool, policy: ExportPolicy
) -> ExportFile:
    """The file, if it may be fetched."""
    url = str(file.get("url", ""))
    checked = ExportFile(str(file.get("type")), url, token_needed)
    if client.same_server(url):
        return checked
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
    return checked


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _line(number: int, line: bytes, type_: str) -> Line:
    try:
        resource = parse(line)
    except NotFhirJson as error:
        return Line(number, None, f"it is {error}")
    if not isinstance(resource, dict) or resource.get("resourceType") != type_:
        return Line(number, None, f"it is no {type_}")
    return Line(number, resource)


def _split(pieces: Iterator[bytes], policy: ExportPolicy) -> Iterator[bytes | None]:
    """The lines; None for one that is too long, of which nothing is kept."""
    size, rest, too_long = 0, b"", False
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
        for line in lines:
            too_long = too_long or len(line) > policy.most_line_bytes
            yield None if too_long else line
            too_long = False
        if len(rest) > policy.most_line_bytes:
            rest, too_long = b"", True
    yield None if too_long else rest
