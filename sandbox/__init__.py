"""A local Harvest API v2 over a made-up account, to try and test against without credentials.

`python -m sandbox` serves one; in Python:

    with Server(Account.generate(seed=1, time_entries=6000)) as server:
        requests.get(server.base_url + "/time_entries", headers=server.headers())
"""

from .account import Account
from .agency.changes import Change
from .api.reports import REPORTS
from .clock import Clock
from .server import RequestRecord, Server
from .server.faults import Fault, Faults
from .store.fields import UNFORESEEN, Fields
from .store.listings import BALANCES, LISTINGS, PAGES, TIME_OFF

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
