"""A local Harvest API v2 over a made-up account, to try and test against without credentials.

`python -m sandbox` serves one; in Python:

    with Server(Account.generate(seed=1, time_entries=2000)) as server:
        requests.get(server.base_url + "/time_entries", headers=server.headers())
"""

from .account import Account, Clock
from .changes import Change
from .faults import Fault, Faults
from .server import RequestRecord, Server

__all__ = ["Account", "Change", "Clock", "Fault", "Faults", "RequestRecord", "Server"]
