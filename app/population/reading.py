"""One reading of a population, from wherever it stands to its end.

What is told of it names records by number or reference only, and logs by neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from app.chart_intake import ChartFacts, LaunchReader, Outcome, read_chart
from app.context import Context
from app.ehr import backend_client
from app.population.charts import Charts, patient_id
from app.population.intake import NotTaken, take_record
from app.population.state import PopulationRefused, State, claim
from app.population.summary import Summary
from app.store import Tenant
from fhir.bulk_export import (
    ExportFile,
    ExportPolicy,
    Line,
    Manifest,
    end_export,
    kick_off,
    read_lines,
    read_manifest,
    wait_for_manifest,
)
from fhir.client import FhirError, Forbidden, NotFound, TooLarge
from fhir.meaning import Unreadable
from fhir.wire import Resource
from smart_launch.errors import LaunchRefused
from smart_launch.scopes import parse_grant

log = structlog.get_logger(__name__)

TYPES = ("Patient", "Condition", "Coverage")
_BATCH = 100


class PopulationInterrupted(Exception):
    """The reading stopped on the way; the same again goes on where it stopped."""


class _DryRun(Exception):
    """Undoes what a dry run wrote."""


def read_population(
    context: Context,
    tenant_id: str,
    *,
    group_id: str | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    anew: bool = False,
    policy: ExportPolicy | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Reads the members of `group_id`, else everybody; `since`, only those with changes from then.

    With `dry_run` nothing is kept; `anew` does not go on with a reading that stopped. `say` hears
    how far it is.

    Raises:
        PopulationRefused: another process reads it, or the EHR does not give it.
        PopulationInterrupted: it stopped on the way, and can go on.
    """
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, tenant_id)
    origins = frozenset(tenant.population.get("file_origins", ()))
    policy = replace(policy or ExportPolicy(), other_origins=origins)
    state = claim(context, tenant_id, group_id, since, anew=anew, dry_run=dry_run)
    try:
        return _Reading(context, tenant, state, policy, say).run()
    finally:
        state.release()


class _Reading:
    def __init__(
        self,
        context: Context,
        tenant: Tenant,
        state: State,
        policy: ExportPolicy,
        say: Callable[[str], None],
    ) -> None:
        self._context, self._tenant, self._state = context, tenant, state
        self._policy, self._say = policy, say
        self._client = backend_client(context, tenant, "population")
        self._seen: set[str] = set()
        row = state.row
        self._summary = Summary.of(row.counts, row.refused, row.problems)
        # Those of lines besides the Patients were told with the first Patients.
        self._told_before = bool(row.lines_done)

    def run(self) -> Summary:
        try:
            manifest = self._manifest()
        except (FhirError, LaunchRefused) as error:
            if getattr(error, "retryable", False) and self._state.address:
                raise PopulationInterrupted(str(error)) from None
            self._finish("failed")
            raise PopulationRefused(f"the EHR did not give the export: {error}") from None
        try:
            if self._state.row.since is None:
                self._read_all(manifest)
            else:
                self._read_changed(manifest)
        except (FhirError, LaunchRefused) as error:
            raise PopulationInterrupted(str(error)) from None
        self._state.store(transaction_time=manifest.transaction_time, **self._summary.columns())
        self._finish("incomplete" if self._summary.incomplete else "complete")
        return self._summary

    def _manifest(self) -> Manifest:
        address = self._state.address or self._begin()
        if "manifest" not in address:
            try:
                document = self._wait(address["status_url"])
            except NotFound:
                self._summary = Summary()
                self._summary.note("the EHR had no such export any more, and began one anew")
                address = self._begin()
                document = self._wait(address["status_url"])
            address = {**address, "manifest": document}
            self._state.keep_address(address)
        manifest = read_manifest(self._client, address["manifest"], TYPES, self._policy)
        if manifest.error_files:
            self._summary.gap("the EHR says that it could not export all of it")
        return manifest

    def _begin(self) -> dict[str, Any]:
        group = self._state.row.group_id
        path = f"Group/{group}/$export" if group else "Patient/$export"
        status_url = kick_off(self._client, path, TYPES, since=self._state.row.since)
        address = {"status_url": status_url}
        self._state.keep_address(address, lines_done={})
        return address

    def _wait(self, status_url: str) -> Resource:
        def waiting(wait_s: float) -> None:
            self._state.store()
            self._say(f"the EHR prepares the export; asking again in {wait_s:.0f} s")

        return wait_for_manifest(self._client, status_url, self._policy, waiting)

    def _read_all(self, manifest: Manifest) -> None:
        """What belongs to the patients first, then they themselves, each with it."""
        as_of = min(manifest.transaction_time or self._state.row.started_at, self._context.now())
        numbered = list(enumerate(manifest.files, start=1))
        charts = Charts()
        for number, file in numbered:
            if file.type == "Patient":
                continue
            for line in self._lines(number, file):
                if line is None:
                    charts.incomplete.add(file.type)
                elif line.resource is not None:
                    charts.add(line.resource)
                elif not self._told_before:
                    self._refuse_line(number, line)
        for number, file in numbered:
            if file.type == "Patient":
                self._read_patients(number, file, charts, as_of)

    def _read_patients(
        self, number: int, file: ExportFile, charts: Charts, as_of: datetime
    ) -> None:
        done = int(self._state.row.lines_done.get(str(number), 0))
        lines = (line for line in self._lines(number, file) if line and line.number > done)
        while batch := tuple(islice(lines, _BATCH)):
            records = []
            for line in batch:
                if line.resource is None:
                    self._refuse_line(number, line)
                elif (facts := self._facts(charts.facts, line.resource)) is not None:
                    records.append((line.resource, facts))
            lines_done = {**self._state.row.lines_done, str(number): batch[-1].number}
            self._take_in(records, as_of, lines_done)
            self._say(f"{self._summary.read} records read")

    def _read_changed(self, manifest: Manifest) -> None:
        """An export of changes lacks what stayed of a patient, who is read anew by the REST API."""
        ids: dict[str, None] = {}
        for number, file in enumerate(manifest.files, start=1):
            for line in self._lines(number, file):
                if line is None:
                    continue
                if line.resource is None:
                    self._refuse_line(number, line)
                elif (id_ := patient_id(line.resource)) is not None:
                    ids[id_] = None
        reader = LaunchReader(self._client, parse_grant("system/*.rs"), levels=("system",))
        for id_ in ids:
            as_of = self._context.now()
            try:
                patient = reader.read(f"Patient/{id_}")
            except (NotFound, Unreadable) as error:
                self._summary.refuse(f"Patient/{id_}", str(error))
                continue
            facts = self._facts(lambda resource: read_chart(reader, resource), patient)
            if facts is not None:
                self._take_in([(patient, facts)], as_of, {})

    def _facts(
        self, read: Callable[[Resource], ChartFacts], patient: Resource
    ) -> ChartFacts | None:
        """What `read` makes of `patient`; None where it can't, which is told."""
        try:
            return read(patient)
        except Unreadable as error:
            self._summary.refuse(f"Patient/{patient.get('id', '(no id)')}", str(error))
            return None

    def _lines(self, number: int, file: ExportFile) -> Iterator[Line | None]:
        """None at the end of a file that is not there, or too large, in whole or in part."""
        try:
            yield from read_lines(self._client, file, self._policy)
        except (NotFound, Forbidden, TooLarge) as error:
            self._summary.gap(f"file {number} of the export ({file.type}): {error}")
            yield None

    def _take_in(
        self,
        records: Sequence[tuple[Resource, ChartFacts]],
        as_of: datetime,
        lines_done: dict[str, int],
    ) -> None:
        """All of them, and how far that is, in one transaction."""
        try:
            with self._context.database.begin(self._tenant.id) as db:
                self._state.lock(db)
                for patient, facts in records:
                    self._take_one(db, patient, facts, as_of)
                if self._state.dry_run:
                    raise _DryRun
                self._state.write(db, lines_done=lines_done, **self._summary.columns())
        except _DryRun:
            return

    def _take_one(self, db: Session, patient: Resource, facts: ChartFacts, as_of: datetime) -> None:
        reference = f"Patient/{facts.banner.id}"
        try:
            outcome = self._taken(db, patient, facts, as_of)
        except (NotTaken, Unreadable) as error:
            self._summary.refuse(reference, str(error))
        except DataError:
            self._summary.refuse(reference, "it holds a text that the database does not take")
        else:
            again = self._state.dry_run and reference in self._seen
            self._summary.outcomes["unchanged" if again else outcome] += 1
            if self._state.dry_run:
                self._seen.add(reference)

    def _taken(self, db: Session, patient: Resource, facts: ChartFacts, as_of: datetime) -> Outcome:
        """A record that the database does not take leaves the others of the transaction."""
        for last in (False, True):
            try:
                with db.begin_nested():
                    return take_record(db, self._tenant, patient, facts, as_of, self._summary.note)
            except IntegrityError:
                # A clinician opened the same chart in the same moment; now it is there.
                if last:
                    raise
        raise AssertionError("there is a last time")

    def _refuse_line(self, number: int, line: Line) -> None:
        self._summary.refuse(f"file {number}, line {line.number}", f"a line: {line.problem}")

    def _finish(self, status: str) -> None:
        address = self._state.address
        if address:
            end_export(self._client, address["status_url"])
        self._state.store(status=status, sealed=b"", finished_at=self._context.now())
        log.info(
            "population_read",
            tenant=self._tenant.id,
            status=status,
            read=self._summary.read,
            refused=self._summary.refused.total(),
            **self._summary.outcomes,
        )
