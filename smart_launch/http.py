"""The few requests that a launch makes: JSON in, small answers, no redirects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

import requests

TIMEOUT_S = (5.0, 15.0)
MOST_BYTES = 1 << 20

# The read timeout above is for each piece; a server that trickles would hold a worker for hours.
DEADLINE_S = 30.0


class NoAnswer(Exception):
    """The server could not be reached, or answered something other than a JSON object.

    `status` is the HTTP status where there was an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def get_json(url: str) -> dict[str, Any]:
    """The JSON object at `url`. Raises NoAnswer."""
    return _object("GET", url, expect_ok=True)[1]


def post_form(url: str, form: Mapping[str, str], **options: Any) -> tuple[int, dict[str, Any]]:
    """Posts `form`; status and JSON object. Raises NoAnswer."""
    return _object("POST", url, data=form, expect_ok=False, **options)


def _object(
    method: str, url: str, *, expect_ok: bool, **options: Any
) -> tuple[int, dict[str, Any]]:
    deadline = monotonic() + DEADLINE_S
    headers = {"Accept": "application/json", **options.pop("headers", {})}
    try:
        with requests.request(
            method,
            url,
            timeout=TIMEOUT_S,
            stream=True,
            allow_redirects=False,
            headers=headers,
            **options,
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(65_536):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise NoAnswer("the answer is too large")
                if monotonic() > deadline:
                    raise NoAnswer(f"the answer took longer than {DEADLINE_S:.0f} s")
            status = response.status_code
    except requests.RequestException as error:
        raise NoAnswer(f"no answer ({type(error).__name__})") from None
    if expect_ok and status != 200:
        raise NoAnswer(f"HTTP {status}", status)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise NoAnswer(f"HTTP {status} without JSON", status) from None
    if not isinstance(document, dict):
        raise NoAnswer("the answer is not a JSON object", status)
    return status, document
