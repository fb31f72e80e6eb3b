"""Failures on purpose, asked for by tests and demonstrations on the same machine."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from threading import Lock
from typing import Any

from flask import Blueprint, Response, jsonify, request

from smart_launch.sandbox.authorization import SmartAuthorization
from smart_launch.sandbox.outcome import FhirProblem, fhir_json, operation_outcome

_MOST_LATENCY_MS = 60_000


@dataclass(frozen=True)
class Plan:
    """What goes wrong from now on.

    The next `count` requests answer `status`, with Retry-After where `retry_after_s` is given.
    Every request takes `latency_ms` longer. Writes of `refuse_writes` answer 403.
    """

    status: int = 500
    count: int = 0
    retry_after_s: int | None = None
    latency_ms: int = 0
    refuse_writes: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def read(cls, document: Any) -> Plan:
        """Raises FhirProblem 400 for what is no plan."""
        try:
            wait = document.get("retry_after_s")
            plan = cls(
                status=int(document.get("status", 500)),
                count=int(document.get("count", 0)),
                retry_after_s=None if wait is None else int(wait),
                latency_ms=int(document.get("latency_ms", 0)),
                refuse_writes=frozenset(map(str, document.get("refuse_writes", ()))),
            )
        except (AttributeError, TypeError, ValueError):
            raise FhirProblem(400, "invalid", "numbers and a list of types are needed") from None
        if not 400 <= plan.status <= 599 or plan.count < 0:
            raise FhirProblem(400, "invalid", "status must be 400–599, and count not negative")
        if not 0 <= plan.latency_ms <= _MOST_LATENCY_MS:
            raise FhirProblem(400, "invalid", f"latency_ms must be 0–{_MOST_LATENCY_MS}")
        return plan


def fail_on_request(api: Blueprint, authorization: SmartAuthorization) -> None:
    """`POST /_faults` sets the plan, `/_faults/expire` ends every token, `/_faults/rotate` changes
    the key that signs id_tokens."""
    state = _State()

    @api.before_request
    def _fail_on_purpose() -> Response | None:
        if "/_faults" in request.path or request.path.endswith("smart-configuration"):
            return None
        plan, fails = state.next()
        time.sleep(plan.latency_ms / 1000)
        if fails:
            outcome = operation_outcome([("exception", "a failure made on purpose", ())])
            response = fhir_json(outcome, plan.status)
            if plan.retry_after_s is not None:
                response.headers["Retry-After"] = str(plan.retry_after_s)
            return response
        if plan.refuse_writes and (refused := _written_types() & plan.refuse_writes):
            raise FhirProblem(403, "forbidden", f"{min(refused)} may not be written, on purpose")
        return None

    @api.post("/_faults")
    def _plan_faults() -> Response:
        _from_this_machine()
        state.plan = Plan.read(request.get_json(silent=True))
        return jsonify(status=state.plan.status, left=state.plan.count)

    @api.post("/_faults/expire")
    def _expire() -> Response:
        _from_this_machine()
        return jsonify(expired=authorization.expire_tokens())

    @api.post("/_faults/rotate")
    def _rotate() -> Response:
        _from_this_machine()
        return jsonify(kid=authorization.rotate_key())


class _State:
    def __init__(self) -> None:
        self.plan = Plan()
        self._lock = Lock()

    def next(self) -> tuple[Plan, bool]:
        """The plan, and whether this request is one of those that fail."""
        with self._lock:
            plan = self.plan
            if plan.count > 0:
                self.plan = replace(plan, count=plan.count - 1)
            return plan, plan.count > 0


def _written_types() -> set[str]:
    """The types that the request would write, also in a transaction; none in what is no JSON."""
    if request.method not in ("POST", "PUT"):
        return set()
    try:
        document = json.loads(request.get_data())
    except (ValueError, RecursionError):
        return set()
    if not isinstance(document, dict):
        return set()
    entries = document.get("entry", ()) if document.get("resourceType") == "Bundle" else ()
    inner = [entry.get("resource", {}) for entry in entries if isinstance(entry, dict)]
    return {str(part.get("resourceType")) for part in (document, *inner) if isinstance(part, dict)}


def _from_this_machine() -> None:
    if not ip_address(request.remote_addr or "0.0.0.0").is_loopback:
        raise FhirProblem(403, "forbidden", "failures can be planned from this machine only")
