"""The OpenAPI document of the endpoints that are not FHIR, from `openapi.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from flask import Blueprint, Response, jsonify

from app import __version__

api = Blueprint("api", __name__, url_prefix="/api")


@cache
def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1, with this release's version."""
    document: dict[str, Any] = yaml.safe_load(
        files(__package__).joinpath("openapi.yaml").read_text("utf-8")
    )
    document["info"]["version"] = __version__
    return document


@api.get("/openapi.json")
def openapi() -> Response:
    return jsonify(openapi_document())
