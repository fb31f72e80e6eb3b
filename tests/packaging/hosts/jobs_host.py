"""A Celery application whose task writes what `both_fhirs` finds in the worker's process.

Its broker is a folder of the working directory, so that no server is needed.
"""

from __future__ import annotations

import json
from pathlib import Path

from both_fhirs import both_fhirs
from celery import Celery

_QUEUE = Path.cwd() / "queue"
_QUEUE.mkdir(exist_ok=True)

app = Celery("jobs_host", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(_QUEUE),
        "data_folder_out": str(_QUEUE),
        "control_folder": str(_QUEUE),
    },
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)


@app.task
def write(path: str) -> None:
    unfinished = Path(f"{path}.part")
    unfinished.write_text(json.dumps(both_fhirs()), "utf-8")
    unfinished.rename(path)
