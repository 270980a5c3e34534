"""The API over HTTP: sign-in, rate limits, faults, and a server in a thread."""

from .recording import RequestRecord
from .server import Server

__all__ = ["RequestRecord", "Server"]
