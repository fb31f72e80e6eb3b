"""Links to the built web assets, from Vite's manifest."""

from __future__ import annotations

import json
import mimetypes
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, send_from_directory
from markupsafe import Markup
from werkzeug.security import safe_join


class AssetsMissing(RuntimeError):
    """The web assets were not built."""


class ViteAssets:
    """`folder` is Vite's output, with `.vite/manifest.json` in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self._folder / ".vite" / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise AssetsMissing(f"{path} is missing: run `make setup`") from None
        return manifest

    def tags(self, entry: str) -> Markup:
        """The link and script tags of `entry`, for instance `src/clinician.ts`."""
        script = f'<script type="module" src="/static/{self._manifest[entry]["file"]}"></script>'
        return self.styles(entry) + Markup(script)  # names come from our own build

    def styles(self, entry: str) -> Markup:
        """The link tags of `entry` alone."""
        styles: list[str] = []
        self._collect_styles(entry, styles, set())
        return Markup("".join(f'<link rel="stylesheet" href="/static/{each}">' for each in styles))

    def script(self, entry: str) -> str:
        """The text of `entry`, which imports nothing."""
        name: str = self._manifest[entry]["file"]
        return (self._folder / name).read_text("utf-8")

    def _collect_styles(self, key: str, styles: list[str], seen: set[str]) -> None:
        if key in seen:
            return
        seen.add(key)
        chunk = self._manifest[key]
        for imported in chunk.get("imports", ()):
            self._collect_styles(imported, styles, seen)
        styles.extend(css for css in chunk.get("css", ()) if css not in styles)

    def blueprint(self) -> Blueprint:
        """Serves the files; their names carry a hash, so they may be cached for good.

        The build leaves compressed forms beside them. What is sent then is shorter than what
        arrives, so `X-Uncompressed-Length` tells the bytes that will: a page shows its progress.
        """
        blueprint = Blueprint("assets", __name__)

        @blueprint.get("/static/<path:name>")
        def serve(name: str) -> Response:
            encoding = self._encoding(name)
            response = send_from_directory(
                self._folder,
                name + _ENDINGS.get(encoding, ""),
                mimetype=_type_of(name),
                max_age=31_536_000,
            )
            if encoding:
                response.headers["Content-Encoding"] = encoding
                whole = (self._folder / name).stat().st_size
                response.headers["X-Uncompressed-Length"] = str(whole)
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            response.vary.add("Accept-Encoding")
            return response

        return blueprint

    def _encoding(self, name: str) -> str:
        """The shortest form there is that the browser takes; empty for the file itself."""
        for encoding, ending in _ENDINGS.items():
            path = safe_join(str(self._folder), name + ending)
            taken = request.accept_encodings.quality(encoding) > 0
            if taken and path is not None and Path(path).is_file():
                return encoding
        return ""


# The shortest first.
_ENDINGS = {"br": ".br", "gzip": ".gz"}


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
