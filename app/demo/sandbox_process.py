"""`homestretch sandbox`: the development EHR as a server of its own."""

from __future__ import annotations

from pathlib import Path

from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.server import make_sandbox_server


def run_sandbox(host: str, port: int, app_url: str, data_dir: Path, profile: str) -> None:
    """Serves until interrupted."""
    config = SandboxConfig(
        f"http://{host}:{port}", app_url, data_dir / "sandbox.db", faults=True, profile=profile
    )
    print(
        f"sandbox EHR (development only, synthetic people; {config.kind.title}): {config.base_url}",
        flush=True,
    )
    make_sandbox_server(config, host, port).serve_forever()
