"""The sandbox as a Flask application and as a server."""

from __future__ import annotations

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from smart_launch.sandbox.authorization import SmartAuthorization
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.database import open_engine
from smart_launch.sandbox.fhir_api import fhir_blueprint
from smart_launch.sandbox.pages import pages_blueprint
from smart_launch.sandbox.seed import seed
from smart_launch.sandbox.store import FhirStore


def create_sandbox(config: SandboxConfig) -> Flask:
    """The application, its database made and seeded where it is new."""
    engine = open_engine(config.database)
    store = FhirStore(engine)
    seed(store)
    authorization = SmartAuthorization(config, engine)
    app = Flask(__name__)
    authorization.init_app(app)
    app.register_blueprint(pages_blueprint(authorization, store))
    app.register_blueprint(fhir_blueprint(authorization, store))
    return app


def make_sandbox_server(config: SandboxConfig, host: str, port: int) -> BaseWSGIServer:
    """A threaded server, not yet serving; enough for one developer and the test-suite."""
    return make_server(host, port, create_sandbox(config), threaded=True)
