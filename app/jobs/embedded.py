"""The embedded default: a Celery worker and its beat as threads of the web process."""

from __future__ import annotations

import threading

import structlog
from celery import Celery

from app.context import Context
from app.jobs.failures import our_error
from app.jobs.queue import JobQueue, sweep

log = structlog.get_logger(__name__)

_STOP_WITHIN_S = 30.0


class EmbeddedWorker:
    """Runs `celery` in this process until `stop`. The broker is kombu's in-memory one."""

    def __init__(self, context: Context, celery: Celery) -> None:
        self._context = context
        self._celery = celery
        self._queue = JobQueue(celery)
        self._worker = celery.WorkController(
            pool="solo",
            concurrency=1,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel="WARNING",
            hostname="embedded@homestretch",
        )
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="celery-worker", daemon=True),
            threading.Thread(target=self._beat, name="celery-beat", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when the task and the sweep under way, if any, are done."""
        self._stopping.set()
        self._worker.stop()
        for thread in self._threads:
            thread.join(_STOP_WITHIN_S)

    def _work(self) -> None:
        # A task is looked up in the thread's current application.
        self._celery.set_current()
        self._worker.start()

    def _beat(self) -> None:
        """What Celery's beat does for a deployment with a broker, from the same settings."""
        while not self._stopping.wait(self._context.settings.outbox_sweep_s):
            try:
                sweep(self._context, self._queue)
            except Exception as error:
                # Whatever it was, a database that is away for a while above all: it must not end
                # the schedule for good.
                log.warning("sweep_failed", why=our_error(error))
