"""Every version of a record that was seen, in a table beside that of its stream."""

from datetime import datetime, timezone  # noqa: I251
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple, Union

import dlt
from dlt.extract import DltResource, DltSource
from sqlglot import exp

from .exceptions import HarvestError
from .reconcile import Result
from .reconcile.sql_versions import changed_versions, deleted_versions, how_many
from .reconcile.stored import StoredTables, Unreadable
from .settings import STREAMS
from .streams.account import account_of
from .typing import Rows

STAMPS = ("valid_from", "seen_at", "deleted_at")
"""The columns that a version has and its record has not."""
TYPE = ("data_type", "precision", "scale")
"""The hints of a record's columns that the columns of a version share."""


def keep_versions(
    pipeline: dlt.Pipeline,
    source: DltSource,
    streams: Union[str, Sequence[str]],
    compared: Optional[Result] = None,
) -> Dict[str, int]:
    """Keep each version of the records in some lists.

    A table such as `projects_versions` gets a row for each record that is not as its
    last version there, with all columns of `projects`, and `valid_from`: `updated_at`,
    or, where a change left that alone, `seen_at`, the time of this call. A record that
    was deleted gets a row with `deleted_at`.

    Call it before a load as well: if the last run was killed, the load would replace
    what that had seen.

    Args:
        pipeline (dlt.Pipeline): A pipeline that loads `harvest_source`.
        source (DltSource): The `harvest_source`.
        streams (Union[str, Sequence[str]]): Names of lists, such as
            `["projects", "users"]` or `projects,users`; `all` for all lists.
        compared (Optional[Result]): What `reconcile` returned after the load. A record
            is deleted only if its stream was compared with Harvest.

    Returns:
        Dict[str, int]: How many versions were added, by stream.

    Raises:
        HarvestError: `streams` names something else than a list.

    Example:
        >>> source = harvest_source()
        >>> keep_versions(pipeline, source, ["projects"])
        {}
        >>> info = pipeline.run(source)
        >>> keep_versions(pipeline, source, ["projects"], reconcile(pipeline, source))
        {'projects': 2}
    """
    account = account_of(source)
    wanted = [name for name in lists_in(streams) if name in source.selected_resources]
    if not wanted or source.schema.name not in pipeline.schemas:
        return {}
    results = compared.comparisons if compared else ()
    sure = {each.stream for each in results if each.status == "equal"}
    try:
        found = [Versions(pipeline, source, name, name in sure) for name in wanted]
        added = {each.stream: count for each in found if (count := each.count())}
    except Unreadable as reason:
        raise HarvestError(f"Versions cannot be kept: {reason}.") from reason
    if added:
        found[0].stored.write(
            source,
            [each.resource(account.delta) for each in found if each.stream in added],
        )
    return added


def lists_in(streams: Union[str, Sequence[str]]) -> Tuple[str, ...]:
    """Return the names of lists, of which each row has an `updated_at`.

    Raises:
        HarvestError: Something else is named.
    """
    listed = streams.split(",") if isinstance(streams, str) else streams
    names = tuple(each.strip() for each in listed if each.strip())
    lists = tuple(each.name for each in STREAMS.values() if each.kind == "list")
    for each in names:
        if each not in (*lists, "all"):
            raise HarvestError(
                f"history names {each}, but must be all, or some of:"
                f" {', '.join(lists)}."
            )
    return lists if "all" in names else names


class Versions:
    """The versions of a stream's records that are still to be kept.

    Args:
        pipeline (dlt.Pipeline): The pipeline.
        source (DltSource): The `harvest_source`.
        stream (str): Name of the stream.
        deletions (bool): Records that are not there any more are deleted.
    """

    def __init__(
        self, pipeline: dlt.Pipeline, source: DltSource, stream: str, deletions: bool
    ) -> None:
        self.stream = stream
        # of its own, since dlt reads several side by side
        self.stored = StoredTables(pipeline, source)
        self._records = self.stored.tables.get(stream, stream)
        self._table = f"{self._records}_versions"
        self._deletions = deletions
        self._columns: Dict[str, Any] = {}

    def count(self) -> int:
        """Return how many there are; none while a part of the records is missing."""
        stored = self.stored
        with stored:
            if lost := stored.absent(self._table):
                # dlt takes a table that somebody dropped for one that is there
                stored.restore(lost)
            if stored.count(self._records) is None or stored.absent(self._records):
                return 0
            self._columns = {
                name: {key: value for key, value in column.items() if key in TYPE}
                for name, column in stored.columns(self._records).items()
                if name[:4] != "_dlt" and name not in STAMPS
            }
            statements = (statement for _, statement in self._statements())
            return sum(int(stored.query(how_many(each))[0][0]) for each in statements)

    def resource(self, delta: bool) -> DltResource:
        """Return what appends them to their table."""
        stamps: Dict[str, Any] = {name: {"data_type": "timestamp"} for name in STAMPS}
        versions: DltResource = dlt.resource(self._rows(), name=self._table)
        versions.apply_hints(columns={**self._columns, **stamps})
        if delta:
            versions.apply_hints(table_format="delta")
        return versions

    def _rows(self) -> Iterator[Rows]:
        now = datetime.now(timezone.utc)
        with self.stored:
            for is_deleted, statement in self._statements():
                for page in self.stored.batches(statement):
                    yield [self._version(row, now, is_deleted) for row in page]

    def _version(self, row: Any, now: datetime, is_deleted: bool) -> Dict[str, Any]:
        *values, before = row
        version = dict(zip(self._columns, values, strict=True))
        moved = version["updated_at"] != before and not is_deleted
        return {
            **version,
            "valid_from": version["updated_at"] if moved else now,
            "seen_at": now,
            "deleted_at": now if is_deleted else None,
        }

    def _statements(self) -> Iterator[Tuple[bool, exp.Select]]:
        """Yield the statements for changed records, and for deleted ones."""
        stored = self.stored
        records = stored.select(self._records, [*self._columns])
        there = stored.columns(self._table)
        if not there or stored.count(self._table) is None:
            yield False, changed_versions(records, None, self._columns)
            return
        columns = {name: name in there for name in self._columns}
        versions = stored.table(self._table)
        yield False, changed_versions(records, versions, columns)
        if self._deletions:
            yield True, deleted_versions(records, versions, columns)
