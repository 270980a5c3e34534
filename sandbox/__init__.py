"""A local Harvest API v2 over a made-up account, to try and test against without credentials.

`python -m sandbox` serves one; in Python:

    with Server(Account.generate(seed=1, time_entries=2000)) as server:
        requests.get(server.base_url + "/time_entries", headers=server.headers())
"""

from .account import Account
from .changes import Change
from .clock import Clock
from .faults import Fault, Faults
from .fields import UNFORESEEN, Fields
from .listings import BALANCES, LISTINGS, PAGES, TIME_OFF
from .recording import RequestRecord
from .reports import REPORTS
from .server import Server

__all__ = [
    "BALANCES",
    "LISTINGS",
    "PAGES",
    "REPORTS",
    "TIME_OFF",
    "UNFORESEEN",
    "Account",
    "Change",
    "Clock",
    "Fault",
    "Faults",
    "Fields",
    "RequestRecord",
    "Server",
]
