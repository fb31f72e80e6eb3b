"""Running the listener: a server with its inbox, and word to the workers of what came in."""

from __future__ import annotations

import signal
import ssl
import threading
from collections.abc import Callable
from typing import Any

from app.context import Context
from app.hl7.inbound import Inbox
from app.hl7.server import Limits, MllpServer
from app.jobs.queue import JobQueue, make_celery


class Listener:
    """Bound when made. `start` serves from threads of its own, `stop` ends when they have.

    The workers are told from a thread of their own too, so that a broker which is slow or away
    delays no acknowledgment. Nothing hangs on their hearing of it: the sweep finds what waits.
    """

    def __init__(
        self,
        context: Context,
        host: str,
        port: int,
        limits: Limits,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._server = MllpServer(host, port, self._take, limits, tls)
        self._inbox = Inbox(context, self._server.port, self._note)
        self._tell = _teller(context)
        self._news = threading.Condition()
        self._tenants: set[str] = set()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._server.serve_forever, name="mllp-accept"),
            threading.Thread(target=self._spread, name="mllp-news"),
        ]

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every message under way gets its answer first."""
        self._server.shutdown()
        self._server.server_close()
        with self._news:
            self._stopping = True
            self._news.notify()
        for thread in self._threads:
            thread.join()

    def _take(self, content: bytes, peer: Any) -> bytes | None:
        return self._inbox.take(content, peer)

    def _note(self, tenant_id: str) -> None:
        with self._news:
            self._tenants.add(tenant_id)
            self._news.notify()

    def _spread(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._tenants or self._stopping)
                tenants, self._tenants = self._tenants, set()
                if not tenants:
                    return
            for tenant_id in tenants:
                self._tell(tenant_id)


def _teller(context: Context) -> Callable[[str], None]:
    if context.settings.is_embedded:
        # That worker lives in another process, which only its own sweep reaches.
        return lambda tenant_id: None
    return JobQueue(make_celery(context)).process_hl7


def listen_until_stopped(listener: Listener) -> None:
    """Serves until SIGINT or SIGTERM."""
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    listener.start()
    stopped.wait()
    listener.stop()
