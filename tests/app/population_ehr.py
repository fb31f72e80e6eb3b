"""An EHR with a bulk export that does what a test tells it, and a tenant registered there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from app.config import Settings
from app.context import open_context
from app.population import Summary, read_population
from app.store import PatientRow, PopulationReadRow, Tenant
from fhir.bulk_export import ExportPolicy
from tests.fhir.scripted_server import Reply, Script

TENANT = "lakeside"
QUICK = ExportPolicy(poll_s=0.01, most_poll_s=0.05, deadline_s=10.0, most_line_bytes=100_000)


def patient(id_: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": f"MRN-{id_}"}],
        "name": [{"family": f"Family{id_}", "given": ["Ann"]}],
        "birthDate": "1950-02-03",
        "gender": "female",
        **changes,
    }


def condition(of: str, code: str) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"{of}-{code}",
        "subject": {"reference": f"Patient/{of}"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
    }


def coverage(of: str, member: str = "M1") -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": f"{of}-coverage",
        "status": "active",
        "subscriberId": member,
        "beneficiary": {"reference": f"Patient/{of}"},
        "payor": [{"display": "Sample Payer"}],
    }


class Ehr:
    """`files` are the lines of each file by its type and number; `replies` overrule a path's next
    answers."""

    def __init__(self, server: Script, settings: Settings) -> None:
        self.server = server
        server.route = self.answer
        self.files: dict[str, list[Any]] = {}
        self.replies: dict[str, list[Reply]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.manifest: dict[str, Any] = {"transactionTime": "2026-11-02T03:04:05Z"}
        self.token = 0
        self.valid = {"token-1", "token-2", "token-3", "token-4"}
        self.exports = 0
        self.on: dict[str, Callable[[], None]] = {}
        self.context = open_context(settings)
        with self.context.database.begin(None) as db:
            db.add(
                Tenant(
                    id=TENANT,
                    name="Lakeside",
                    iss=server.base,
                    clinician_client_id="a",
                    portal_client_id="b",
                    backend_client_id="c",
                    time_zone="America/Chicago",
                )
            )

    @property
    def origin(self) -> str:
        return self.server.base.removesuffix("/fhir")

    def read(self, **options: Any) -> Summary:
        return read_population(self.context, TENANT, policy=QUICK, **options)

    def patients(self) -> dict[str, PatientRow]:
        with self.context.database.begin(TENANT) as db:
            return {row.fhir_id: row for row in db.scalars(select(PatientRow))}

    def states(self) -> list[PopulationReadRow]:
        with self.context.database.begin(TENANT) as db:
            return list(db.scalars(select(PopulationReadRow).order_by(PopulationReadRow.id)))

    def asked(self, method: str = "GET") -> Counter[str]:
        return Counter(urlsplit(path).path for m, path, _ in self.server.seen if m == method)

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        place = urlsplit(path).path
        if place in self.on:
            self.on.pop(place)()
        if place == "/token":
            self.token += 1
            return 200, {"access_token": f"token-{self.token}", "expires_in": 300}, {}
        if place.endswith("smart-configuration"):
            return 200, self.configuration(), {}
        if place.startswith("/fhir/.well-known"):
            return 404, {}, {}
        needed = self.manifest.get("requiresAccessToken", True) or "/files/" not in place
        if needed and headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return 401, {}, {}
        if self.replies.get(place):
            return self.replies[place].pop(0)
        if place.endswith("$export"):
            self.exports += 1
            status = f"{self.origin}/status/{self.exports}"
            return 202, b"", {"Content-Location": status}
        if place.startswith("/status/"):
            return (202, b"", {}) if method == "DELETE" else (200, self.full_manifest(), {})
        if place.startswith("/files/"):
            return 200, self.content(place.removeprefix("/files/")), {}
        return self.rest(path)

    def rest(self, path: str) -> Reply:
        """Reads and searches of what `resources` holds by its reference."""
        parts = urlsplit(path)
        reference = parts.path.removeprefix("/fhir/")
        if "/" in reference:
            found = self.resources.get(reference)
            return (200, found, {}) if found else (404, {}, {})
        of = parts.query.replace("%2F", "/").rpartition("=")[2].removeprefix("Patient/")
        matches = [
            {"resource": each}
            for each in self.resources.values()
            if each["resourceType"] == reference
            and f"Patient/{of}" in json.dumps(each.get("subject", each.get("beneficiary")))
        ]
        return 200, {"resourceType": "Bundle", "type": "searchset", "entry": matches}, {}

    def configuration(self) -> dict[str, Any]:
        return {
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["permission-v2"],
        }

    def full_manifest(self) -> dict[str, Any]:
        output = [
            {"type": name.partition("-")[0], "url": f"{self.origin}/files/{name}"}
            for name in self.files
        ]
        return {"requiresAccessToken": True, "output": output, **self.manifest}

    def content(self, name: str) -> bytes:
        lines = (
            line if isinstance(line, bytes) else json.dumps(line).encode()
            for line in self.files[name]
        )
        return b"\n".join(lines) + b"\n"
