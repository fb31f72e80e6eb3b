"""Running the web application under gunicorn, with the embedded worker where there is no broker."""

from __future__ import annotations

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from app import logs
from app.config import Settings
from app.context import open_context
from app.jobs.embedded import EmbeddedWorker
from app.service import create_app
from app.store.upgrade import upgrade


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._bind = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        embedded = self._settings.is_embedded
        options: dict[str, Any] = {
            "bind": self._bind,
            "worker_class": "gthread",
            # The in-memory broker lives in one process, so there is one.
            "workers": 1 if embedded else 2,
            "threads": 8,
            "timeout": 120,
            "graceful_timeout": 20,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        logs.configure()
        context = open_context(self._settings)
        app = create_app(context=context)
        if self._settings.is_embedded:
            EmbeddedWorker(context, app.extensions["homestretch_jobs"].celery).start()
        return app


def serve(settings: Settings, host: str, port: int) -> None:
    """Migrates the database, then serves until told to stop."""
    upgrade(open_context(settings).database.engine)
    _Gunicorn(settings, host, port).run()
