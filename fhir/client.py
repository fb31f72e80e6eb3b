"""The REST client: reads, searches with paging, transactions, changes; retries by policy.

It talks to one server only. No answer can lead it elsewhere: not a redirect, not a next page, not
a reference, not the address of an attachment.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from fhir.operation_outcome import outcome_message
from fhir.reference import relative_reference
from fhir.wire import NotFhirJson, Resource, parse, serialise

JSON = "application/fhir+json"


class FhirError(Exception):
    """The server's answer as one line. `retryable`: worth trying later.

    `retry_after_s` is how long the server asks to wait, where it does.
    """

    def __init__(self, message: str, *, status: int | None = None, retryable: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable
        self.retry_after_s: float | None = None


class Unauthorized(FhirError):
    """401: the token is not accepted."""


class Forbidden(FhirError):
    """403: the token's scopes do not cover this."""


class NotFound(FhirError):
    """404 or 410."""


class NotSupported(FhirError):
    """405 or 501: the server does not do this."""


class Conflict(FhirError):
    """409 or 412: somebody else changed it, or several match."""


class Unprocessable(FhirError):
    """400, 413 or 422: the server rejects the content; sending it again will not help."""


class ServerUnavailable(FhirError):
    """429, 5xx, or no answer; worth trying again."""


class ForeignAddress(FhirError):
    """An address that leads away from this server; nothing was fetched."""


class TooLarge(FhirError):
    """An answer beyond the policy's limits; what came of it was dropped."""


_BY_STATUS = {
    400: Unprocessable,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: NotSupported,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    413: Unprocessable,
    422: Unprocessable,
    501: NotSupported,
}


@dataclass(frozen=True)
class Policy:
    """How long to wait and how often to try. Sizes in bytes after unpacking, times in s.

    `read_timeout_s` is for each piece, `deadline_s` for a whole answer: a server that trickles
    must not hold a worker. A server that asks to wait longer than `most_wait_s` is not waited for.
    """

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    deadline_s: float = 120.0
    attempts: int = 3
    most_wait_s: float = 20.0
    most_response_bytes: int = 16 * 1024 * 1024
    most_pages: int = 100


@dataclass(frozen=True)
class Answer:
    """What came back, with the headers that a caller may need."""

    status: int
    body: Resource
    headers: Mapping[str, str]


@dataclass
class FhirClient:
    """One server, one source of tokens.

    `token(refused)` gives the access token; `refused` is the one that the server did not take,
    where there is one (`fhir.access_token.SharedToken` is such a source).
    """

    base: str
    token: Callable[[str | None], str]
    policy: Policy = field(default_factory=Policy)
    http: requests.Session = field(default_factory=requests.Session)

    def read(self, reference: str) -> Resource:
        """`Patient/1` as JSON. Raises FhirError."""
        return self.send("GET", self.address(reference)).body

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Iterator[Resource]:
        """Every match over all pages; `next` links may lead nowhere but to this server.

        Raises:
            FhirError: any failure; `most_pages` exceeded; pages that lead in a circle.
        """
        url: str | None = self.address(resource_type)
        query: Mapping[str, str] | None = parameters
        seen: set[str] = set()
        for _ in range(self.policy.most_pages):
            assert url is not None
            matches, following = _page(self.send("GET", url, params=query).body)
            yield from matches
            url, query = None if following is None else self._next(following), None
            if url is None:
                return
            if url in seen:
                raise FhirError(f"the pages of the search for {resource_type} lead in a circle")
            seen.add(url)
        raise TooLarge(
            f"the search for {resource_type} has more than {self.policy.most_pages} pages"
        )

    def transaction(self, bundle: Mapping[str, Any]) -> Resource:
        """Sends a transaction Bundle; the response Bundle. Raises FhirError."""
        return self.send("POST", self.base, resource=bundle).body

    def update(self, resource: Mapping[str, Any], version: str | None = None) -> Resource:
        """Replaces a resource; with `version`, only if it is still the current one."""
        url = self.address(f"{resource['resourceType']}/{resource['id']}")
        headers = {"If-Match": f'W/"{version}"'} if version else {}
        return self.send("PUT", url, resource=resource, headers=headers).body

    def change(
        self, reference: str, change: Callable[[Resource], Resource], attempts: int = 3
    ) -> Resource:
        """Reads, applies `change` and writes back if nobody else wrote meanwhile.

        On a conflict it is read again and `change` applied to what is there now, so `change` says
        what is to be different, and leaves all else as it finds it. Returns what was stored.

        Raises:
            Conflict: others kept changing it, `attempts` times.
            FhirError: any other failure; among them a server that tells no version.
        """
        for attempt in range(1, attempts + 1):
            answer = self.send("GET", self.address(reference))
            version = _version(answer)
            if version is None:
                raise FhirError(f"the server tells no version of this {reference.split('/')[0]}")
            try:
                return self.update(change(answer.body), version)
            except Conflict:
                if attempt == attempts:
                    raise
        raise AssertionError("attempts is at least 1")

    def create(self, resource: Mapping[str, Any], criteria: str | None = None) -> str:
        """Creates `resource`, and where it is then: `Observation/12`.

        With `criteria` (`identifier=system|value`) only unless something matches; not every server
        knows conditions, and one that does not creates a second. Not tried again on its own unless
        conditional, as a lost answer leaves open whether it was created.

        Raises:
            FhirError: any failure; the server does not say where the resource is.
        """
        headers = {"If-None-Exist": criteria} if criteria else {}
        send = self.send if criteria else self._authorized
        url = self.address(str(resource["resourceType"]))
        answer = send("POST", url, resource=resource, headers=headers)
        place = relative_reference(answer.headers.get("Location", ""))
        if not place and isinstance(answer.body.get("id"), str):
            place = f"{answer.body['resourceType']}/{answer.body['id']}"
        if not place:
            raise FhirError(f"the server does not say where the new {resource['resourceType']} is")
        return place

    def attachment(self, attachment: Mapping[str, Any]) -> bytes:
        """The content of an Attachment that lies on this server (`Binary/1`).

        Raises:
            ForeignAddress: its url leads elsewhere; it is not fetched.
            FhirError: any other failure.
        """
        url = self.address(str(attachment.get("url", "")))
        accept = str(attachment.get("contentType", "*/*"))
        with self.stream(url, accept=accept) as chunks:
            return b"".join(self._limited(chunks))

    def address(self, reference: str) -> str:
        """The URL of `reference`, which may be absolute. Raises ForeignAddress."""
        base = self.base.rstrip("/")
        url = urljoin(f"{base}/", reference)
        parts, own = urlsplit(url), urlsplit(base)
        path = posixpath.normpath(unquote(parts.path))
        inside = f"{path}/".startswith(f"{unquote(own.path)}/")
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc) or not inside:
            raise ForeignAddress("an address leads away from the health system; not followed")
        return url

    def same_server(self, url: str) -> bool:
        """Whether `url` has the origin of this server."""
        return urlsplit(url)[:2] == urlsplit(self.base)[:2]

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """One request, retried by policy. `resource` is the body; `headers` and `params` as they
        are. Raises FhirError."""
        answer: Answer = self._retried(self._authorized, method, url, **options)
        return answer

    @contextmanager
    def stream(
        self, url: str, *, accept: str, authorized: bool = True
    ) -> Iterator[Iterator[bytes]]:
        """The unpacked content of `url` in pieces, under no limit but the read timeout.

        Without `authorized` no token goes along. Whether `url` may be asked is for the caller to
        know. Raises FhirError.
        """
        response = self._retried(self._opened, url, accept, authorized)
        with response:
            yield _pieces(response)

    def _next(self, link: str) -> str:
        url = urljoin(self.base.rstrip("/") + "/", link)
        if not self.same_server(url):
            raise ForeignAddress("the server's next page leads to another host; not followed")
        return url

    def _retried(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        retrying = Retrying(
            stop=stop_after_attempt(self.policy.attempts),
            wait=self._wait,
            retry=retry_if_exception(self._worth_waiting),
            reraise=True,
        )
        return retrying(function, *args, **options)

    def _worth_waiting(self, error: BaseException) -> bool:
        asked = getattr(error, "retry_after_s", None) or 0.0
        return isinstance(error, FhirError) and error.retryable and asked <= self.policy.most_wait_s

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, FhirError) else None
        backoff = wait_exponential_jitter(multiplier=0.2, max=self.policy.most_wait_s, jitter=0.3)
        return asked if asked is not None else min(backoff(state), self.policy.most_wait_s)

    def _authorized(self, method: str, url: str, **options: Any) -> Answer:
        token = self.token(None)
        try:
            return self._once(method, url, token, **options)
        except Unauthorized:
            return self._once(method, url, self.token(token), **options)

    def _once(
        self,
        method: str,
        url: str,
        token: str,
        resource: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": JSON, **(headers or {})}
        if resource is not None:
            sent["Content-Type"] = JSON
        data = None if resource is None else serialise(resource)
        with self._open(method, url, token, headers=sent, params=params, data=data) as response:
            return self._answer(response)

    def _opened(self, url: str, accept: str, authorized: bool) -> requests.Response:
        token = self.token(None) if authorized else None
        response = self._open("GET", url, token, headers={"Accept": accept})
        if response.status_code == 401 and token is not None:
            response.close()
            response = self._open("GET", url, self.token(token), headers={"Accept": accept})
        if response.status_code != 200:
            with response:
                raise self._refusal(response)
        return response

    def _open(self, method: str, url: str, token: str | None, **options: Any) -> requests.Response:
        options["headers"]["Accept-Encoding"] = "gzip"
        try:
            return self.http.request(
                method,
                url,
                auth=_Bearer(token),
                timeout=(self.policy.connect_timeout_s, self.policy.read_timeout_s),
                stream=True,
                allow_redirects=False,
                **options,
            )
        except requests.RequestException as error:
            raise _no_answer(error) from None

    def _answer(self, response: requests.Response) -> Answer:
        status = response.status_code
        if not 200 <= status < 300:
            raise self._refusal(response)
        content = b"".join(self._limited(_pieces(response)))
        try:
            body = parse(content) if content else {}
        except NotFhirJson as error:
            raise FhirError(
                f"the FHIR server's answer is not a JSON object ({error})", status=status
            ) from None
        if not isinstance(body, dict):
            raise FhirError("the FHIR server's answer is not a JSON object", status=status)
        return Answer(status, body, response.headers)

    def _refusal(self, response: requests.Response) -> FhirError:
        status = response.status_code
        try:
            body = parse(b"".join(self._limited(_pieces(response))))
        except NotFhirJson:
            body = None
        message = outcome_message(body, status)
        if status == 429 or (status >= 500 and status not in _BY_STATUS):
            error: FhirError = ServerUnavailable(message, status=status, retryable=True)
            error.retry_after_s = retry_after_s(response.headers)
            return error
        return _BY_STATUS.get(status, FhirError)(message, status=status)

    def _limited(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces until they are too many, or come too slowly."""
        deadline = monotonic() + self.policy.deadline_s
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self.policy.most_response_bytes:
                raise TooLarge(
                    "the FHIR server's answer is larger than "
                    f"{self.policy.most_response_bytes} bytes"
                )
            if monotonic() > deadline:
                raise ServerUnavailable(
                    f"the FHIR server took longer than {self.policy.deadline_s:g} s",
                    retryable=True,
                )
            yield piece


class _Bearer(AuthBase):
    """The token, or nothing: never what a .netrc file may have for the host."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of Retry-After; None if absent or unreadable."""
    header = headers.get("Retry-After")
    if header is None:
        return None
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except ValueError:
        return None


def _page(bundle: Mapping[str, Any]) -> tuple[list[Resource], str | None]:
    """The matches of one page, and the link to the next. Raises FhirError for no such page."""
    try:
        matches = [
            dict(entry["resource"])
            for entry in bundle.get("entry", ())
            if entry.get("search", {}).get("mode", "match") == "match"
        ]
        links = [link["url"] for link in bundle.get("link", ()) if link.get("relation") == "next"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise FhirError("the FHIR server's answer to a search is no Bundle of matches") from None
    return matches, str(links[0]) if links else None


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The content, unpacked a piece at a time: a zip bomb is seen before it has gone off."""
    try:
        yield from response.iter_content(65_536)
    except requests.RequestException as error:
        raise _no_answer(error) from None


def _no_answer(error: Exception) -> ServerUnavailable:
    message = f"the FHIR server did not answer ({type(error).__name__})"
    return ServerUnavailable(message, retryable=True)


def _version(answer: Answer) -> str | None:
    """From the ETag, else from the resource itself."""
    etag = answer.headers.get("ETag")
    if etag:
        return etag.removeprefix("W/").strip('"')
    version = answer.body.get("meta", {}).get("versionId")
    return None if version is None else str(version)
