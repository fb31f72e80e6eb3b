"""For the `celery` command: `celery -A app.jobs.worker worker` (and `beat`)."""

from app.config import Settings
from app.context import open_context
from app.jobs.queue import make_celery

celery = make_celery(open_context(Settings()))
