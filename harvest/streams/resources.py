"""The resources of the source: one for each stream, and those that feed several."""

from typing import Dict

import dlt
from dlt.extract import DltResource

from ..settings import FAMILIES, STREAMS, Stream
from . import delta
from .account import Account
from .cursor import incremental
from .read import WINDOWS, listing_name, read, read_from, read_listing, read_windows
from .rows import ToTable
from .tables import hints


def feeding_resources(account: Account) -> Dict[str, DltResource]:
    """Return the resources that are read once for several streams, and are no tables.

    A list with others below it is read for its own table and for those. The
    windows with time entries or expenses are found once for all reports.
    """
    if account.end_date:
        return {}
    windows = dlt.resource(read_windows, name=WINDOWS, selected=False)(account)
    return {
        WINDOWS: windows,
        **{
            name: dlt.resource(
                read_listing, name=listing_name(STREAMS[name]), selected=False
            )(account, STREAMS[name])
            for name in FAMILIES
        },
    }


def resource_of(
    account: Account, stream: Stream, feeding: Dict[str, DltResource]
) -> DltResource:
    """Return the resource of a stream.

    Args:
        account (Account): The account.
        stream (Stream): The stream.
        feeding (Dict[str, DltResource]): What `feeding_resources` returned.
    """
    feed = feeding.get(stream.parent or (WINDOWS if stream.report else stream.name))
    declared = (
        dlt.resource(read, **hints(stream))
        if feed is None
        else dlt.transformer(read_from, data_from=feed, **hints(stream))
    )
    resource: DltResource = declared(account, stream)
    if stream.kind == "list" and not account.end_date:
        resource.apply_hints(incremental=incremental(account, stream))
    # writing Delta, dlt looks for columns in the first file of a load: what others
    # have more would be lost, so that pages of both kinds must not meet there
    arrow = stream.kind == "list" and not account.delta
    resource.add_step(ToTable(account, stream, arrow))
    return delta.adapt(stream, resource) if account.delta else resource
