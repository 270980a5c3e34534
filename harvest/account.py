"""The account that a source reads: what its resources share in a run, and what they leave out."""

from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple
from weakref import WeakValueDictionary

import dlt
from dlt.common import logger
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.schema.typing import TTableSchema
from dlt.common.schema.utils import has_table_seen_data
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource

from .client import AccessRefused, HarvestClient, HarvestError, Page
from .columnar import takes_parquet
from .pages import Reader, Waiting
from .settings import STREAMS, Stream

Row = Dict[str, Any]
Items = Iterator[Any]
"""What a resource yields: lists of rows, and None while it waits for an answer."""


class Run:
    """What the resources of one run of the pipeline share."""

    def __init__(self, client: HarvestClient, load_id: str) -> None:
        self.load_id = load_id
        self.skipped: Dict[str, str] = {}
        self.walked: Set[str] = set()
        self.asking: Set[str] = set()
        self.company = Reader(client, STREAMS["company"])
        self.requests_before = client.sent
        # before there are rows: dlt keeps what it met while it looked for the destination's
        # settings, and with that all that those who asked have in their hands
        self._absent = _absent_lists() if load_id else []

    def create_lists(self, stream: Stream) -> None:
        """Has dlt create the tables of a stream's lists, which it would with their first row only.

        It also does so for tables that are to be emptied, which those that do not exist yet may be.
        """
        if absent := [table for table in self._absent if table["parent"] == stream.name]:
            state = dlt.current.load_package_state()["state"]
            state.setdefault("truncated_tables", []).extend(absent)


class Account:
    """The account that a source reads, and how.

    Args:
        client (HarvestClient): The connection.
        start_date (Optional[str]): Start of the first run, as a UTC date-time.
        report_period (str): `year`, `quarter` or `month`.
        report_lookback_days (int): Days after its end in which a window is read again.
        substream_refresh_hours (float): Hours until the children of all parents are read again.
        on_forbidden (str): `skip` or `raise`.
        table_format (Optional[str]): `delta`, or None for the destination's own tables.
        end_date (Optional[str]): Last day of a backfill, or `interval`.
    """

    def __init__(
        self,
        client: HarvestClient,
        start_date: Optional[str],
        report_period: str,
        report_lookback_days: int,
        substream_refresh_hours: float,
        on_forbidden: str,
        table_format: Optional[str] = None,
        end_date: Optional[str] = None,
    ) -> None:
        self.client = client
        self.start_date = start_date
        self.report_period = report_period
        self.report_lookback_days = report_lookback_days
        self.substream_refresh_hours = substream_refresh_hours
        self.on_forbidden = on_forbidden
        self.delta = table_format == "delta"
        self.end_date = end_date
        self._run: Optional[Run] = None

    @property
    def run(self) -> Run:
        """The present run: a source may be used for several, one after the other."""
        try:
            load_id = dlt.current.load_package_state()["load_id"]
        except CurrentLoadPackageStateNotAvailable:
            load_id = ""
        if self._run is None or self._run.load_id != load_id:
            self._run = Run(self.client, load_id)
        return self._run

    def read(
        self, stream: Stream, work: Callable[[Reader], Items], on_behalf: Sequence[Stream] = ()
    ) -> Items:
        """Does the work of a resource, unless the account has not got the stream or refuses it.

        Args:
            stream (Stream): What is read.
            work (Callable[[Reader], Items]): Reads it.
            on_behalf (Sequence[Stream]): The streams that depend on it, if not itself alone.
        """
        run = self.run
        names = [dependent.name for dependent in on_behalf or (stream,)]
        for name in names:
            # the rows of one source come once each, which the schema promises
            if run.load_id and _READING.setdefault((run.load_id, name), self) is not self:
                raise HarvestError(
                    f"{name} is read by two sources in one run, which would store its rows twice:"
                    " run them one after the other."
                )
        resources = [dlt.current.source().resources[name] for name in names]
        for resource in resources:
            if takes_parquet():
                resource.apply_hints(file_format="parquet")
            if resource.write_disposition == "skip":
                # it was left out the last time that this source was used
                resource.custom_metrics.pop("skipped", None)
                whole = STREAMS[resource.name].kind == "whole"
                resource.apply_hints(write_disposition="replace" if whole else "merge")
        if run.skipped.keys() >= set(names):
            return
        with Reader(self.client, stream) as reader:
            try:
                if stream.feature and (yield from self.lacks(stream.feature)):
                    self._skip(resources, lacking(stream))
                else:
                    yield from _told(reader, work(reader))
            except AccessRefused as refused:
                why = refusal(stream)
                if self.on_forbidden == "raise":
                    raise HarvestError(f"{stream.name}: {why}; nothing was loaded.") from refused
                self._skip(resources, why)
        self._same_account()
        # of all streams so far: the highest is that of the run
        resources[0].custom_metrics["requests"] = self.client.sent - run.requests_before

    def _skip(self, resources: Sequence[DltResource], why: str) -> None:
        """Leaves streams out, visibly, and their tables as they were."""
        skipped = self.run.skipped
        for resource in resources:
            skipped[resource.name] = why
            logger.warning(f"{resource.name} is not read: {why}; its table is left as it was")
            resource.custom_metrics["skipped"] = why
            # dlt would empty a table that is to be replaced when its resource yields nothing
            resource.apply_hints(write_disposition="skip")
        if skipped.keys() >= dlt.current.source().resources.selected.keys():
            raise HarvestError(
                "Harvest let none of the streams be read: "
                + "; ".join(f"{name}: {why}" for name, why in skipped.items())
            )

    def _same_account(self) -> None:
        """Refuses to mix two accounts in one dataset."""
        here = self.client.account_id
        self.check_same(here and dlt.current.source_state().setdefault("account_id", here))

    def check_same(self, before: Optional[str]) -> None:
        """Refuses to mix the account with the one that a dataset holds."""
        here = self.client.account_id
        if before and here and before != here:
            raise HarvestError(
                f"The dataset holds the Harvest account {before}, so that account {here} cannot be"
                " loaded into it: give each account a pipeline and a dataset of its own."
            )

    def company(self) -> Waiting[Page]:
        """The account's settings, read once in a run."""
        return (yield from self.run.company.once(STREAMS["company"].path))

    def lacks(self, feature: str) -> Waiting[bool]:
        """Whether a part of Harvest is known to be switched off."""
        try:
            company = yield from self.company()
        except AccessRefused:
            return False
        return company.body.get(feature) is False


def _absent_lists() -> List[TTableSchema]:
    """Tables of lists that the destination has not got, of the streams that were never loaded."""
    known = dlt.current.source_state().get("resources", {})
    new = {
        name
        for name in dlt.current.source().resources.selected
        if not known.get(name, {}).get("created")
    }
    lists = [
        table
        for table in dlt.current.source_schema().tables.values()
        if table.get("parent") in new and not has_table_seen_data(table)
    ]
    pipeline = dlt.current.pipeline()
    if not lists or not pipeline.destination:
        return []
    with pipeline.destination_client() as client:
        if not hasattr(client, "get_storage_tables"):
            return []
        there = dict(client.get_storage_tables([table["name"] for table in lists]))
    return [table for table in lists if not there[table["name"]]]


_READING: "WeakValueDictionary[Tuple[str, str], Account]" = WeakValueDictionary()
"""Who reads a stream into a load package."""


def lacking(stream: Stream) -> str:
    """Why a stream is left out whose part of Harvest the account does not use."""
    return f"{stream.feature} is switched off in Harvest"


def refusal(stream: Stream) -> str:
    """Why a stream is left out that the token's owner may not read."""
    return f"Harvest refused it (403), since it needs the role {stream.permission}"


def _told(reader: Reader, items: Items) -> Items:
    """Passes items on, and tells whatever shows dlt's progress of the answers that came."""
    context = Container()[PipelineContext]
    collector = context.pipeline().collector if context.is_active() else NULL_COLLECTOR
    told = 0
    for item in items:
        if reader.answers > told:
            collector.update(reader.stream.name, reader.answers - told, label="pages")
            told = reader.answers
        yield item
    collector.update(reader.stream.name, reader.answers - told, label="pages", message="read")
