"""For those who run the service: liveness, readiness, and how the HL7 v2 queues stand."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.hl7.queues import counts
from app.sign_in import current_context
from app.store.upgrade import is_current

operations = Blueprint("operations", __name__)


@operations.get("/health")
def health() -> Response:
    """The process answers."""
    return jsonify(status="up", version=__version__)


@operations.get("/ready")
def ready() -> tuple[Response, int]:
    """The database answers and has this release's schema."""
    try:
        current = is_current(current_context().database.engine)
    except SQLAlchemyError as error:
        return jsonify(status="database unreachable", error=type(error).__name__), 503
    if not current:
        return jsonify(status="database needs `homestretch db upgrade`"), 503
    return jsonify(status="ready"), 200


@operations.get("/operations/hl7")
def hl7_queues() -> tuple[Response, int]:
    """Messages by direction and state, of every health system together: numbers alone."""
    try:
        with current_context().database.begin(None) as db:
            return jsonify(counts(db)), 200
    except SQLAlchemyError as error:
        return jsonify(status="database unreachable", error=type(error).__name__), 503
