"""A person at a browser, without one: follows redirects, keeps cookies, fills in forms."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, BinaryIO
from urllib.parse import urljoin

import requests

TIMEOUT_S = 60


class DemoFailed(RuntimeError):
    """A step did not give what it must; the message names the step and the answer."""


class _FormReader(HTMLParser):
    """The fields of the first form that holds a field or button named as asked."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[tuple[str, str]]]] = []
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("action", ""), []))
        if not self.forms:
            return
        fields = self.forms[-1][1]
        kind = values.get("type", "text")
        if tag == "input" and "name" in values and kind not in ("radio", "file", "submit"):
            if kind != "checkbox" or "checked" in values:
                fields.append((values["name"], values.get("value", "y")))
        elif tag == "select":
            self._select = values.get("name")
        elif tag == "option" and self._select:
            # A list without a chosen option sends its first.
            chosen = dict(fields).get(self._select)
            if chosen is None:
                fields.append((self._select, values["value"]))
            elif "selected" in values:
                fields.remove((self._select, chosen))
                fields.append((self._select, values["value"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None


class Browser:
    """One browser with its own cookies."""

    def __init__(self) -> None:
        self._http = requests.Session()

    def get(self, url: str) -> requests.Response:
        return _good(self._http.get(url, timeout=TIMEOUT_S), url)

    def get_json(self, url: str) -> dict[str, Any]:
        document: dict[str, Any] = self.get(url).json()
        return document

    def post(self, url: str, fields: Mapping[str, str]) -> requests.Response:
        return _good(self._http.post(url, data=dict(fields), timeout=TIMEOUT_S), url)

    def send(self, method: str, url: str, body: bytes, csrf_token: str) -> requests.Response:
        """What a page's script sends; the answer, whatever it is."""
        headers = {"X-CSRFToken": csrf_token, "Content-Type": "application/json"}
        return self._http.request(method, url, data=body, headers=headers, timeout=TIMEOUT_S)

    def submit(
        self,
        page: requests.Response,
        fields: Mapping[str, str],
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        *,
        form: int = 0,
    ) -> requests.Response:
        """Fills in the page's form number `form` and sends it."""
        reader = _FormReader()
        reader.feed(page.text)
        if form >= len(reader.forms):
            raise DemoFailed(f"{page.url.split('?')[0]}: there is no form to fill in")
        action, found = reader.forms[form]
        data = {**dict(found), **fields}
        url = urljoin(page.url, action)
        return _good(self._http.post(url, data=data, files=files, timeout=TIMEOUT_S), url)


def wait_for(what: str, look: Any, seconds: float = 120.0) -> Any:
    """The first true answer of `look`. Raises DemoFailed after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = look()
        if answer:
            return answer
        time.sleep(0.2)
    raise DemoFailed(f"{what}: not within {seconds:.0f} s")


def _good(response: requests.Response, url: str) -> requests.Response:
    if response.status_code >= 400:
        place = url.split("?")[0]
        words = " ".join(re.sub(r"<[^>]*>", " ", response.text).split())
        raise DemoFailed(f"{place} answered {response.status_code}: {words[:1500]}")
    return response
