"""The portal as an app on the patient's device: manifest, icons, service worker, offline page."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from flask import Blueprint, Response, g, jsonify, redirect, render_template, url_for
from flask import send_from_directory as send_file_of
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _

from app.assets import ViteAssets
from app.languages import LANGUAGES, language

installable = Blueprint("installable", __name__, url_prefix="/portal")

_STATIC = Path(__file__).parent.parent / "web" / "static"
_ASSETS = ViteAssets(_STATIC)
_BRAND = "#0b5c7a"


@installable.get("/manifest.webmanifest")
def manifest() -> Response:
    """https://www.w3.org/TR/appmanifest/"""
    answer = jsonify(
        id="/portal",
        name="Homestretch",
        short_name="Homestretch",
        description=_("Your exercises at home"),
        lang=language(),
        start_url=url_for("installable.open_portal"),
        scope="/portal",
        display="standalone",
        theme_color=_BRAND,
        background_color="#eef3f5",
        icons=[
            _icon("icon-192.png", "192x192", "any"),
            _icon("icon-512.png", "512x512", "any"),
            _icon("maskable-512.png", "512x512", "maskable"),
            {**_icon("icon.svg", "any", "any"), "type": "image/svg+xml"},
        ],
    )
    answer.content_type = "application/manifest+json"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@installable.get("/icons/<name>")
def icon(name: str) -> Response:
    answer = send_file_of(_STATIC / "icons", name)
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer


@installable.get("/open")
def open_portal() -> ResponseReturnValue:
    """Where the app begins: today's exercises, or where one signs in."""
    signed_in = g.sign_ins.get("patient") is not None
    return redirect(url_for("portal.today" if signed_in else "portal.welcome"))


@installable.get("/service-worker.js")
def service_worker() -> Response:
    """The worker for all of the portal. It is another one, and installed anew, when the page that
    it keeps has changed."""
    script = _ASSETS.script("src/service_worker.ts")
    page = re.sub(r'<meta name="csrf-token"[^>]*>', "", offline())
    digest = hashlib.sha256(page.encode()).hexdigest()[:16]
    answer = Response(f"{script}\n// {digest}\n", content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = "/portal"
    return answer


@installable.get("/offline")
def offline() -> str:
    """What is shown without a connection: of nobody, and in every language."""
    texts = []
    for one in LANGUAGES:
        with force_locale(one):
            texts.append((one, render_template("portal/offline_words.html")))
    return render_template(
        "portal/offline.html", texts=texts, styles=_ASSETS.styles("src/portal.ts")
    )


def _icon(name: str, sizes: str, purpose: str) -> dict[str, str]:
    return {
        "src": url_for("installable.icon", name=name),
        "sizes": sizes,
        "type": "image/png",
        "purpose": purpose,
    }
