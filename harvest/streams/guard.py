"""The guard of the tables: what Harvest refuses leaves its table as it was."""

import asyncio
from contextlib import suppress
from functools import wraps
from inspect import signature
from typing import Any, Callable, Sequence

import dlt
from dlt.common import logger
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource

from ..exceptions import AccessRefused, HarvestError
from ..settings import FAMILIES, STREAMS, Stream
from ..typing import Items, Row
from . import delta
from .context import SEES_LESS, Context, refusal
from .dlt_internals import collector, create_tables, takes_parquet
from .due import sees_as_much
from .tables import hints, rows_or_table


def at_hand(read: Callable[..., Items]) -> Callable[..., Items]:
    """Have a resource begin a run, when dlt calls it, and before anything waits.

    Args:
        read (Callable[..., Items]): Yields what is read of its argument `context`.
    """

    @wraps(read)
    def items(*args: Any, **kwargs: Any) -> Items:
        signature(read).bind(*args, **kwargs).arguments["context"].begin()
        return read(*args, **kwargs)

    return items


def guarded(read: Callable[..., Items]) -> Callable[..., Items]:
    """Have what yields the rows of a stream pass through the guard, into its table.

    Args:
        read (Callable[..., Items]): Yields lists of rows. Its arguments `context` and
            `stream` say of what.
    """

    @at_hand
    @wraps(read)
    def rows(*args: Any, **kwargs: Any) -> Items:
        given = signature(read).bind(*args, **kwargs).arguments
        context, stream = given["context"], given["stream"]
        # returned, so that nothing here holds on to a page among the arguments
        pages = guard(context, stream, read(*args, **kwargs))
        return _into_table(context, stream, pages)

    return rows


async def _into_table(context: Context, stream: Stream, pages: Items) -> Items:
    async for page in pages:
        for item in rows_or_table(context.run, stream, page):
            yield item


async def guard(context: Context, stream: Stream, items: Items) -> Items:
    """Pass on what is read of a stream, unless the account lacks or refuses it.

    A list that has others below it is read for all of them that are selected.

    Args:
        context (Context): The account.
        stream (Stream): What is read.
        items (AsyncGenerator[Any, None]): Reads it.
    """
    run = context.run
    family = [each.name for each in FAMILIES.get(stream.name, (stream,))]
    resources = [each for name, each in run.selected.items() if name in family]
    names = [each.name for each in resources] or [stream.name]
    _claim(context, names)
    for resource in resources:
        _prepare(context, resource)
    try:
        if run.skipped.keys() >= {*names}:
            return
        if why := await _why_not(context, stream, names):
            _skip(context, resources, why)
            return
        if lists := [table for table in run.absent if table["parent"] in names]:
            create_tables(lists)
        told = _tell(context, stream, context.client.pages_read[stream.name])
        async for item in items:
            told = _tell(context, stream, told)
            yield item
        _tell(context, stream, told, "read")
    except AccessRefused as refused:
        why = refusal(stream, refused)
        if context.on_forbidden == "raise" and not stream.optional:
            sentence = f"{stream.name}: {why}; nothing was loaded."
            raise HarvestError(sentence) from refused
        _skip(context, resources, why)
    finally:
        await items.aclose()
        for name in names:
            run.end(name)
    _note_account(context)
    for resource in resources[:1]:
        # of all streams so far: that of the last one is that of the run
        sent = context.client.requests_sent - run.requests_before
        resource.custom_metrics["requests"] = sent


def _claim(context: Context, names: Sequence[str]) -> None:
    """Refuse a second source in the same run: the rows of one come once each."""
    with suppress(CurrentLoadPackageStateNotAvailable):
        package: Row = dlt.current.load_package_state()["state"]  # type: ignore[assignment]
        readers = package.setdefault("harvest_sources", {})
        for name in names:
            if readers.setdefault(name, context.source_id) != context.source_id:
                raise HarvestError(
                    f"{name} is read by two sources in one run, which would store"
                    " its rows twice: run them one after the other."
                )


def _prepare(context: Context, resource: DltResource) -> None:
    """Give a resource the hints of this run."""
    if takes_parquet():
        resource.apply_hints(file_format="parquet")
    if resource.write_disposition == "skip":
        # it was left out the last time that this source was used
        resource.custom_metrics.pop("skipped", None)
        stream = STREAMS[resource.name]
        resource.apply_hints(write_disposition=hints(stream)["write_disposition"])
        if context.delta:
            delta.adapt(stream, resource)


async def _why_not(context: Context, stream: Stream, names: Sequence[str]) -> str:
    """Return why a stream is left out; nothing if it is read."""
    if stream.feature and context.client.account_id:
        # one after the other, all that waits for them would come an answer later
        await asyncio.gather(context.owner(), context.lacks(stream))
    owner = await context.owner()
    # not in the state of the resource, which dlt forgets if its table is replaced
    owners = context.run.state.setdefault("owners", {})
    for name in names:
        if context.run.is_refresh or sees_as_much(owner, owners.get(name)):
            owners[name] = owner
    if stream.optional and stream.parent:
        await context.has_section(stream)
    return await context.why_not(stream, owners.get(stream.name))


def _skip(context: Context, resources: Sequence[DltResource], why: str) -> None:
    """Leave streams out, visibly, and their tables as they were."""
    skipped = context.run.skipped
    for resource in resources:
        told = why in skipped.values()
        if not told or not (why == SEES_LESS or STREAMS[resource.name].optional):
            logger.warning(
                f"{resource.name} is not read: {why}; its table is left as it was"
            )
        skipped[resource.name] = why
        resource.custom_metrics["skipped"] = why
        # dlt would empty a table that is replaced when its resource yields nothing
        resource.apply_hints(write_disposition="skip")
    required = context.run.selected.keys() & STREAMS.keys()
    if resources and skipped.keys() >= required:
        raise HarvestError(
            "Harvest let none of the streams be read: "
            + "; ".join(f"{name}: {why}" for name, why in skipped.items())
        )


def _note_account(context: Context) -> None:
    """Note the account in the state, and refuse to mix two in one dataset."""
    here = context.client.account_id
    context.check_same(here and context.run.state.setdefault("account_id", here))


def _tell(context: Context, stream: Stream, told: int, message: str = "") -> int:
    """Tell whatever shows dlt's progress how many pages came; return how many."""
    pages = context.client.pages_read[stream.name]
    if pages > told or message:
        collector().update(stream.name, pages - told, label="pages", message=message)
    return pages
