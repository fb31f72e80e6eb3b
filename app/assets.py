"""Links to the built web assets, from Vite's manifest."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, send_from_directory
from markupsafe import Markup


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
        """Serves the files; their names carry a hash, so they may be cached for good."""
        blueprint = Blueprint("assets", __name__)

        @blueprint.get("/static/<path:name>")
        def serve(name: str) -> Response:
            response = send_from_directory(self._folder, name, max_age=31_536_000)
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            return response

        return blueprint
