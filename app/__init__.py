"""The running service: everything with a socket, a disk or a clock."""

from importlib.metadata import version

__version__ = version("homestretch")
