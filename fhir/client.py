"""The REST client: reads, searches with paging, transactions; retries by policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from fhir.operation_outcome import outcome_message
from fhir.reference import relative_reference

JSON = "application/fhir+json"


class FhirError(Exception):
    """The server's answer as one line without patient data. `retryable`: worth trying later."""

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
    """400 or 422: the server rejects the content; sending it again will not help."""


class ServerUnavailable(FhirError):
    """429, 5xx, or no answer; worth trying again."""


_BY_STATUS = {
    400: Unprocessable,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: NotSupported,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    422: Unprocessable,
    501: NotSupported,
}


@dataclass(frozen=True)
class Policy:
    """How long to wait and how often to try. Sizes in bytes, times in s."""

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    attempts: int = 3
    most_wait_s: float = 20.0
    most_response_bytes: int = 16 * 1024 * 1024
    most_pages: int = 100


@dataclass(frozen=True)
class _Answer:
    """A success: its body, {} where there is none, and where a new resource is."""

    body: dict[str, Any]
    location: str | None


@dataclass
class FhirClient:
    """One server, one source of tokens.

    `token(refresh)` gives the access token; `refresh` is True after a 401, once.
    """

    base: str
    token: Callable[[bool], str]
    policy: Policy = field(default_factory=Policy)
    http: requests.Session = field(default_factory=requests.Session)

    def read(self, reference: str) -> dict[str, Any]:
        """`Patient/1` as JSON. Raises FhirError."""
        return self._request("GET", self._url(reference)).body

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every match over all pages; `next` links may lead nowhere but to this server.

        Raises:
            FhirError: any failure; `most_pages` exceeded.
        """
        url: str | None = self._url(resource_type)
        query: Mapping[str, str] | None = parameters
        for _ in range(self.policy.most_pages):
            assert url is not None
            bundle = self._request("GET", url, params=query).body
            for entry in bundle.get("entry", ()):
                if entry.get("search", {}).get("mode", "match") == "match":
                    yield entry["resource"]
            url, query = self._next(bundle), None
            if url is None:
                return
        raise FhirError(
            f"the search for {resource_type} has more than {self.policy.most_pages} pages"
        )

    def transaction(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        """Sends a transaction Bundle; the response Bundle. Raises FhirError."""
        return self._request("POST", self.base, json=bundle).body

    def update(self, resource: Mapping[str, Any], version: str | None = None) -> dict[str, Any]:
        """Replaces a resource; with `version`, only if it is still the current one."""
        url = self._url(f"{resource['resourceType']}/{resource['id']}")
        headers = {"If-Match": f'W/"{version}"'} if version else {}
        return self._request("PUT", url, json=resource, headers=headers).body

    def create(self, resource: Mapping[str, Any], criteria: str | None = None) -> str:
        """Creates `resource`, and where it is then: `Observation/12`.

        With `criteria` (`identifier=system|value`) only unless something matches; not every server
        knows conditions, and one that does not creates a second. Not tried again on its own unless
        conditional, as a lost answer leaves open whether it was created.

        Raises:
            FhirError: any failure; the server does not say where the resource is.
        """
        headers = {"If-None-Exist": criteria} if criteria else {}
        send = self._request if criteria else self._authorized
        answer = send(
            "POST", self._url(str(resource["resourceType"])), json=resource, headers=headers
        )
        place = relative_reference(answer.location or "")
        if not place and isinstance(answer.body.get("id"), str):
            place = f"{answer.body['resourceType']}/{answer.body['id']}"
        if not place:
            raise FhirError(f"the server does not say where the new {resource['resourceType']} is")
        return place

    def _url(self, path: str) -> str:
        return urljoin(self.base.rstrip("/") + "/", path)

    def _next(self, bundle: Mapping[str, Any]) -> str | None:
        link = next((x["url"] for x in bundle.get("link", ()) if x.get("relation") == "next"), None)
        if link is None:
            return None
        url: str = urljoin(self.base.rstrip("/") + "/", link)
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise FhirError("the server's next page leads to another host; not followed")
        return url

    def _request(self, method: str, url: str, **options: Any) -> _Answer:
        retrying = Retrying(
            stop=stop_after_attempt(self.policy.attempts),
            wait=self._wait,
            retry=retry_if_exception(lambda e: isinstance(e, FhirError) and e.retryable),
            reraise=True,
        )
        return retrying(self._authorized, method, url, **options)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, FhirError) else None
        backoff = wait_exponential_jitter(multiplier=0.2, max=self.policy.most_wait_s, jitter=0.3)
        return min(asked if asked is not None else backoff(state), self.policy.most_wait_s)

    def _authorized(self, method: str, url: str, **options: Any) -> _Answer:
        try:
            return self._once(method, url, self.token(False), **options)
        except Unauthorized:
            return self._once(method, url, self.token(True), **options)

    def _once(self, method: str, url: str, token: str, **options: Any) -> _Answer:
        headers = {
            "Accept": JSON,
            "Authorization": f"Bearer {token}",
            **({"Content-Type": JSON} if "json" in options else {}),
            **options.pop("headers", {}),
        }
        timeout = (self.policy.connect_timeout_s, self.policy.read_timeout_s)
        try:
            with self.http.request(
                method,
                url,
                headers=headers,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
                **options,
            ) as response:
                return self._answer(response)
        except requests.RequestException as error:
            message = f"the FHIR server did not answer ({type(error).__name__})"
            raise ServerUnavailable(message, retryable=True) from None

    def _answer(self, response: requests.Response) -> _Answer:
        body = _json(_limited(response, self.policy.most_response_bytes))
        status = response.status_code
        if 200 <= status < 300:
            if not isinstance(body, dict):
                raise FhirError("the FHIR server's answer is not a JSON object", status=status)
            return _Answer(body, response.headers.get("Location"))
        message = f"HTTP {status}: {outcome_message(body, 'no OperationOutcome given')}"
        if status == 429 or (status >= 500 and status not in _BY_STATUS):
            error: FhirError = ServerUnavailable(message, status=status, retryable=True)
            error.retry_after_s = _retry_after(response.headers.get("Retry-After"))
            raise error
        raise _BY_STATUS.get(status, FhirError)(message, status=status)


def _limited(response: requests.Response, most_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(65_536):
        content += chunk
        if len(content) > most_bytes:
            raise FhirError(f"the FHIR server's answer is larger than {most_bytes} bytes")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else {}
    except ValueError:
        return None


def _retry_after(header: str | None) -> float | None:
    """Seconds, from either form of the header; None if absent or unreadable."""
    if header is None:
        return None
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except ValueError:
        return None
