"""For WSGI servers and the `flask` command: `app.wsgi:create_app()`."""

from app.service import create_app

__all__ = ["create_app"]
