"""The one way that every stream takes: may it be read, what is read, what is noted."""

import asyncio
from contextlib import suppress
from typing import Any, Callable, Dict, Iterator, Sequence

import dlt
from dlt.common import logger
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import FAMILIES, STREAMS, Stream
from ..typing import Items, Row
from .account import SEES_LESS, Account, refusal
from .children import child_rows, listed_parents, parent_rows
from .dlt_internals import collector
from .due import sees_as_much
from .lists import (
    backfilled_days,
    backfilled_rows,
    changed_rows,
    refuse_replacing,
    whole_rows,
    yearly_rows,
)
from .reports import report_rows, reported_windows
from .run import Run

READERS: Dict[str, Callable[[Account, Run, Stream], Items]] = {
    "list": changed_rows,
    "whole": whole_rows,
    "yearly": yearly_rows,
}
"""The readers of each kind of stream."""

READERS_FROM: Dict[str, Callable[[Any, Account, Run, Stream], Items]] = {
    "list": parent_rows,
    "child": child_rows,
    "report": report_rows,
}
"""The readers of streams for which something else is read first."""

WINDOWS = "reported_windows"


def listing_name(parent: Stream) -> str:
    """Return the name of the resource that reads a list for what is below it."""
    return f"{parent.name}_listing"


def read(account: Account, stream: Stream) -> Items:
    """Read a stream: the run begins at the call, while dlt's own is at hand."""
    run = account.begin(stream.name)
    if account.end_date:
        refuse_replacing(run, stream)
        days = backfilled_days(account)
        rows = backfilled_rows(days, account, run, stream)
        # without a day there is nothing to ask for
        return _read(account, run, stream, rows) if days[0] <= days[1] else rows
    return _read(account, run, stream, READERS[stream.kind](account, run, stream))


def read_from(item: Any, account: Account, stream: Stream) -> Items:
    """Read what is due of a stream for a page of parents, or for windows of reports.

    It returns a generator and is none, so that nothing here holds on to the page.
    """
    rows = READERS_FROM[stream.kind](item, account, item.run, stream)
    return _read(account, item.run, stream, rows)


def read_listing(account: Account, parent: Stream) -> Items:
    """Read a list for its own table and for what is below it."""
    run = account.begin(listing_name(parent))
    pages = listed_parents(account, run, parent)
    return _read(account, run, parent, pages, FAMILIES[parent.name])


def read_windows(account: Account) -> Items:
    """Read the windows that reports cover."""
    return reported_windows(account, account.begin(WINDOWS))


async def _read(
    account: Account,
    run: Run,
    stream: Stream,
    items: Items,
    family: Sequence[Stream] = (),
) -> Items:
    """Pass on what is read of a stream, unless the account lacks or refuses it.

    Args:
        account (Account): The account.
        run (Run): The run.
        stream (Stream): What is read.
        items (AsyncGenerator[Any, None]): Reads it.
        family (Sequence[Stream]): The streams that it is read for, if there are others.
    """
    names = [each.name for each in family if each.name in run.selected] or [stream.name]
    try:
        refuse_two_sources(account, names)
        if run.skipped.keys() >= {*names}:
            return
        if why := await _why_not(account, run, stream, names):
            _leave_out(account, run, names, why)
            return
        pages = account.client.pages_read[stream.name]
        async for item in items:
            pages = _report_pages(account, stream, pages)
            for each in [item] if family else _into_table(run, stream, item):
                yield each
        _report_pages(account, stream, pages, "read")
    except UnsteadyList:
        _leave_out(account, run, names, "its rows came or went each time it was read")
    except AccessRefused as refused:
        why = refusal(stream, refused)
        if account.on_forbidden == "raise" and not stream.section:
            sentence = f"{stream.name}: {why}; nothing was loaded."
            raise HarvestError(sentence) from refused
        _leave_out(account, run, names, why)
    finally:
        run.end(stream.name)
    _note_account(account, run)
    _count_requests(account, run, names[0])


def refuse_two_sources(account: Account, names: Sequence[str]) -> None:
    """Refuse a second source in the same run: the rows of one come once each."""
    with suppress(CurrentLoadPackageStateNotAvailable):
        package: Row = dlt.current.load_package_state()["state"]  # type: ignore[assignment]
        readers = package.setdefault("harvest_sources", {})
        for name in names:
            if readers.setdefault(name, account.source_id) != account.source_id:
                raise HarvestError(
                    f"{name} is read by two sources in one run, which would store"
                    " its rows twice: run them one after the other."
                )


async def _why_not(
    account: Account, run: Run, stream: Stream, names: Sequence[str]
) -> str:
    """Return why a stream is left out; nothing if it is read."""
    if stream.feature and account.client.account_id:
        # one after the other, all that waits for them would come an answer later
        await asyncio.gather(account.owner(), account.lacks(stream))
    owner = await account.owner()
    # not in the state of the resource, which dlt forgets if its table is replaced
    owners = run.state.setdefault("owners", {})
    for name in names:
        if account.is_refreshed(run, name) or sees_as_much(owner, owners.get(name)):
            owners[name] = owner
    if stream.section and stream.parent:
        await account.has_section(stream)
    return await account.why_not(stream, owners.get(stream.name))


def _leave_out(account: Account, run: Run, names: Sequence[str], why: str) -> None:
    """Leave streams out, visibly, and their tables as they were."""
    for name in names:
        known = why in run.skipped.values()
        if not known or not (why == SEES_LESS or STREAMS[name].section):
            logger.warning(f"{name} is not read: {why}; its table is left as it was")
        run.skipped[name] = why
        if resource := run.selected.get(name):
            resource.custom_metrics["skipped"] = why
            # dlt would empty a table that is replaced if its resource yields nothing
            account.dispositions.setdefault(name, resource.write_disposition)
            resource.apply_hints(write_disposition="skip")
    required = run.selected.keys() & STREAMS.keys()
    if required and run.skipped.keys() >= required:
        raise HarvestError(
            "Harvest let none of the streams be read: "
            + "; ".join(f"{name}: {why}" for name, why in run.skipped.items())
        )


def _into_table(run: Run, stream: Stream, rows: Any) -> Iterator[Any]:
    """Yield rows as dlt should get them, or create the table if there is none yet."""
    if rows:
        yield rows
    state = run.state_of(stream.name)
    if stream.name in run.tables and not state.get("created"):
        state["created"] = True
        # beside what dlt forgets of a resource whose table is dropped: it is missing
        # then
        created = run.state.setdefault("created", [])
        if stream.name not in created:
            created.append(stream.name)
        yield dlt.mark.materialize_table_schema()


def _report_pages(
    account: Account, stream: Stream, reported: int, message: str = ""
) -> int:
    """Report pages to whatever shows dlt's progress; return how many there were."""
    pages = account.client.pages_read[stream.name]
    if pages > reported or message:
        new = pages - reported
        collector().update(stream.name, new, label="pages", message=message)
    return pages


def _note_account(account: Account, run: Run) -> None:
    """Note the account in the state, and refuse to mix two in one dataset."""
    here = account.client.account_id
    account.check_same(here and run.state.setdefault("account_id", here))


def _count_requests(account: Account, run: Run, name: str) -> None:
    """Note the requests of all streams so far: those of the last one are all."""
    if name in run.resources:
        sent = account.client.requests_sent - run.requests_before
        run.resources[name].custom_metrics["requests"] = sent
