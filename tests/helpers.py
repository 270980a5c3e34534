"""Run, compare, repair and change copies and accounts: shared by the test modules."""

from typing import Any, Callable, Dict, List, Optional, Set

from harvest import HarvestError
from harvest.reconcile import Outcome, Result, reconcile, verify
from sandbox import Account, Server
from sandbox.clock import Clock
from sandbox.server import RequestRecord
from tests.copy import Copy

PAGE = 200
"""Rows of a page of the server of `long_server`."""
LONG = 260
"""Rows of a list that has a second page there."""


def heal(copy: Copy, *streams: str, **options: Any) -> Result:
    """One run as the script does it: a load, and then the reconciliation."""
    copy.run(*streams, **options.pop("load", {}))
    return repair(copy, *streams, **options)


def repair(copy: Copy, *streams: str, **options: Any) -> Result:
    how = {
        name: options.pop(name)
        for name in ("deleted", "max_deleted_share", "deep")
        if name in options
    }
    with copy.held():
        return reconcile(copy.pipeline, copy.source(*streams, **options), **how)


def check(copy: Copy, *streams: str) -> Result:
    with copy.held():
        return verify(copy.pipeline, copy.source(*streams))


def agree(result: Result) -> None:
    """Asserts that a copy is equal to what Harvest has, and else says where it is not."""
    verdicts = {each.stream: each.verdict for each in result.comparisons if each.outcome != "equal"}
    assert result.equal, verdicts or result


def differing(result: Result) -> Set[str]:
    return streams(result, "different")


def streams(result: Result, outcome: Outcome) -> Set[str]:
    return {each.stream for each in result.comparisons if each.outcome == outcome}


def sql(copy: Copy, statement: str) -> None:
    """Changes the destination by hand; `{}` stands for the dataset and a dot."""
    with copy.pipeline.sql_client() as client:
        client.execute_sql(statement.replace("{}", f"{copy.pipeline.dataset_name}."))


def removed(copy: Copy) -> Set[Any]:
    return {(row["stream"], row["id"]) for row in copy.table("removed_rows")}


def sentence(error: BaseException) -> str:
    """The message for the user, below what dlt wraps it in."""
    cause: Any = error
    while not isinstance(cause, HarvestError):
        cause = cause.__cause__
        assert cause, f"no HarvestError in {error!r}"
    assert "\n" not in str(cause)
    return str(cause)


def snapshot(copy: Copy) -> Dict[str, List[Any]]:
    """Every table as it is, dlt's own included."""
    with copy.pipeline.sql_client() as client:
        schema = copy.pipeline.dataset_name
        with client.execute_query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", schema
        ) as found:
            names = sorted(name for (name,) in found.fetchall())
        tables = {}
        for name in names:
            with client.execute_query(f'SELECT * FROM "{schema}"."{name}"') as cursor:
                tables[name] = sorted(map(str, cursor.fetchall()))
        return tables


def long_account(*streams: str, clock: Optional[Clock] = None) -> Account:
    """An account with many rows of some streams, none of them of this minute."""
    account = Account.generate(seed=3, time_entries=60, years=0.5, clock=clock)
    for stream in streams:
        fields = {"expenses": {"total_cost": 10}, "invoices": {"line_items": []}}.get(stream, {})
        for _ in range(LONG - len(account.rows(stream))):
            account.add(stream, **fields)
    account.clock.advance(60)
    return account


def long_server(account: Account) -> Server:
    """A server whose pages are a tenth of Harvest's, so that fewer rows make two."""
    return Server(account, limits=False, page_size=PAGE)


def after_page_1(server: Server, stream: str, change: Callable[[], Any]) -> None:
    """Makes a change once the first page of a list was answered, and before any other is."""
    done: List[bool] = []

    def once(record: RequestRecord) -> None:
        # the others wait for the lock until it is done
        with server.account.lock:
            if not done and {"page", "cursor"} & record.query.keys():
                done.append(True)
                change()

    server.before(f"/{stream}", once, times=None)
