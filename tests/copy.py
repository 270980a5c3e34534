"""A pipeline under test, and the comparison of what it loaded with what the sandbox holds."""

import hashlib
import json
import os
import shutil
import uuid
from collections import defaultdict
from contextlib import contextmanager
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Tuple

import dlt
import duckdb
from dlt import Schema

from harvest import harvest_source
from harvest.reconcile import reconcile
from sandbox import LISTINGS, Account, Server
from tests import expected

Row = Dict[str, Any]
Table = Dict[Any, Row]

SHARED = "HARVEST_TESTS_SHARED"
"""The variable with the folder that the processes of a test run share."""
FIRST = "harvest_data"
"""The dataset of the first run that tests share: the script goes on from there, too."""
UNKNOWN = ("reimbursement",)
"""Fields of which nobody knows what they are when they are set: stored as they came."""


class Copy:
    """A pipeline that copies a sandbox, and reads its copy back.

    Args:
        server: what to copy.
        destination: name of a destination of dlt.
        name: name of the pipeline.
        dataset: name of the dataset; default: one of its own.
        **settings: arguments of `harvest_source` for all runs.
    """

    def __init__(
        self,
        server: Server,
        destination: Any = "duckdb",
        name: str = "harvest",
        dataset: str = "",
        **settings: Any,
    ) -> None:
        self.server = server
        self.settings = {
            "access_token": server.token,
            "account_id": server.account_id,
            "base_url": server.base_url,
            "id_url": server.id_url,
            "rate_limit": 1_000_000,
            "report_rate_limit": 1_000_000,
            **settings,
        }
        self.streams: Tuple[str, ...] = ()
        self._client: Any = None
        self.pipeline = dlt.pipeline(
            name,
            destination=destination,
            dataset_name=dataset or f"data_{uuid.uuid4().hex[:8]}",
        )

    def of(self, *streams: str) -> "Copy":
        """Copies these streams from now on, where none are named."""
        self.streams = streams
        return self

    def source(self, *streams: str, **settings: Any) -> Any:
        source = harvest_source(**{**self.settings, **settings})
        streams = streams or self.streams
        return source.with_resources(*streams) if streams else source

    def run(self, *streams: str, full_refresh: bool = False, **settings: Any) -> Dict[str, int]:
        """Runs the pipeline. Returns the rows that were loaded, by table."""
        self.server.requests.clear()
        with self.held():
            self.pipeline.run(
                self.source(*streams, **settings),
                write_disposition="replace" if full_refresh else None,
            )
        trace = self.pipeline.last_trace
        counts = dict(trace.last_normalize_info.row_counts) if trace.last_normalize_info else {}
        return {name: n for name, n in counts.items() if n and not name.startswith("_dlt")}

    def read(self, *streams: str, **settings: Any) -> Dict[str, List[Row]]:
        """Reads streams as a run does, without a destination: rows by stream."""
        self.server.requests.clear()
        source = self.source(*streams, **settings)
        found: Dict[str, List[Row]] = {name: [] for name in source.selected_resources}
        for name, resource in source.selected_resources.items():
            resource.add_map(partial(_noted, found[name]))
        for _ in source:
            pass
        return found

    def check_read(self, found: Dict[str, List[Row]]) -> None:
        """Asserts that every row of the account was read, and no other."""
        for stream, rows in found.items():
            keys = {key_of(stream, {n: plain(v) for n, v in row.items()}) for row in rows}
            assert keys == truth(self.server.account, stream).keys(), stream

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps a DuckDB file open, which dlt else opens and closes with each table."""
        if self.pipeline.destination.destination_name != "duckdb":
            yield
            return
        # DuckDB opens and closes a file of its newest format in a fifth of the time
        config = {"storage_compatibility_version": "latest"}
        database = f"{self.pipeline.pipeline_name}.duckdb"
        if not Path(database).exists():
            duckdb.connect(database, config=config).close()
        with self.pipeline.sql_client():
            yield

    def begin(self, *streams: str, healed: bool = False) -> None:
        """Leaves everything as after a first run, which tests with the same account share.

        Args:
            streams: default: those of this copy, or all.
            healed: the run ended with a comparison, as the script's do.
        """
        if self.pipeline.destination.destination_name != "duckdb":
            self._begin(streams, healed)
            return
        kept = Path(os.environ[SHARED], self._digest(streams or self.streams, healed))
        database = f"{self.pipeline.pipeline_name}.duckdb"
        self.pipeline.dataset_name = FIRST
        if kept.exists():
            shutil.copy(kept, database)
            self.pipeline.sync_destination()
            return
        self._begin(streams, healed)
        mine = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(database, mine)
        mine.rename(kept)

    def _begin(self, streams: Tuple[str, ...], healed: bool) -> None:
        self.run(*streams)
        if healed:
            reconcile(self.pipeline, self.source(*streams))
        self.server.requests.clear()

    def _digest(self, streams: Tuple[str, ...], healed: bool) -> str:
        """A digest of all that a first run depends on."""
        account = self.server.account
        lists = [name for name in LISTINGS if name not in expected.PARENTS]
        settings = {n: each for n, each in self.settings.items() if not n.endswith("_url")}
        seen = [settings, streams, healed, account.company, *map(account.rows, lists)]
        return hashlib.sha256(json.dumps(seen, default=str).encode()).hexdigest()

    def skipped(self) -> Dict[str, str]:
        """Streams that the last run left out, and why."""
        return {
            name: metrics.custom_metrics["skipped"]
            for step in self.pipeline.last_trace.last_extract_info.metrics.values()
            for each in step
            for name, metrics in each["resource_metrics"].items()
            if "skipped" in metrics.custom_metrics
        }

    def requests(self) -> List[str]:
        """Paths that the last run asked for."""
        return [record.path for record in self.server.requests]

    def table(self, name: str) -> List[Row]:
        """The rows of a table as dictionaries."""
        with self.reading() as client:
            table = client.make_qualified_table_name(name)
            with client.execute_query(f"SELECT * FROM {table}") as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """One connection for all that is read within, since opening each takes its time."""
        if self._client is not None:
            yield self._client
            return
        with self.pipeline.sql_client() as client:
            self._client = client
            try:
                yield client
            finally:
                self._client = None

    def rows(self, stream: str) -> Table:
        """The rows of a stream by key, each with its child rows, in comparable values."""
        with self.reading():
            return self._rows(stream, self.pipeline.default_schema)

    def _rows(self, stream: str, schema: Schema) -> Table:
        below: Dict[str, Dict[str, List[Tuple[int, Any]]]] = {}
        # a list that no row has had yet has no table
        for name in schema.data_table_names(seen_data_only=True):
            if name.startswith(f"{stream}__") and schema.tables[name].get("parent") == stream:
                lists = below.setdefault(name[len(stream) + 2 :], defaultdict(list))
                for row in self.table(name):
                    value = {k: plain(v) for k, v in row.items() if not k.startswith("_dlt")}
                    item = value["value"] if set(value) == {"value"} else _filled(value)
                    lists[row["_dlt_parent_id"]].append((row["_dlt_list_idx"], item))
        found: Table = {}
        for row in self.table(stream):
            values = {k: plain(v) for k, v in row.items() if not k.startswith("_dlt")}
            for name, lists in below.items():
                values[name] = [item for _, item in sorted(lists[row["_dlt_id"]], key=_first)]
            key = key_of(stream, values)
            assert key not in found, f"{stream} {key} is there twice"
            found[key] = _filled(values)
        return found

    def check(self, *streams: str, names: bool = True, period: str = "year") -> None:
        """Asserts that every row and field of the account is here, and nothing else.

        Args:
            streams: default: those of this copy, or all.
            names: compare what rows repeat of other records too, such as the name of their
                client. When that changes, Harvest does not say that the rows changed.
            period: windows of the reports.
        """
        with self.reading():
            self._check(streams or self.streams or expected.STREAMS, names, period)

    def _check(self, streams: Tuple[str, ...], names: bool, period: str) -> None:
        # dlt reads it anew each time it is asked for it
        schema = self.pipeline.default_schema
        for stream in streams:
            here = self._rows(stream, schema)
            # this report has rows of every window, and those that have lost their entries stay
            starts = (
                [row["period_start"] for row in here.values()] if stream == "uninvoiced" else []
            )
            more = [day for day in starts if day <= str(date.today())]
            there = truth(self.server.account, stream, period, map(date.fromisoformat, more))
            if not names:
                there, here = ids_only(there), ids_only(here)
            assert here.keys() == there.keys(), (
                f"{stream}: missing {sorted(there.keys() - here.keys(), key=str)[:5]},"
                f" too many {sorted(here.keys() - there.keys(), key=str)[:5]}"
            )
            for key, row in there.items():
                differing = {
                    name: (here[key].get(name), row.get(name))
                    for name in {*here[key], *row}
                    if here[key].get(name) != _as(here[key].get(name), row.get(name))
                }
                assert not differing, f"{stream} {key}: (here, in Harvest) {differing}"


def _noted(rows: List[Row], row: Row) -> Row:
    rows.append(row)
    return row


def ids_only(rows: Table) -> Table:
    """Rows without what they repeat of other records, but for the ids."""
    return {
        key: {name: value for name, value in row.items() if not _repeated(name)}
        for key, row in rows.items()
    }


def _repeated(name: str) -> bool:
    whose, _, what = name.partition("__")
    return whose in expected.OTHERS and what not in ("", "id")


def truth(account: Account, stream: str, period: str = "year", more: Iterable[date] = ()) -> Table:
    """What a copy of a stream has to hold, by key, in comparable values."""
    found = (_filled(flat(row)) for row in expected.rows(account, stream, period, more))
    return {key_of(stream, row): row for row in found}


def key_of(stream: str, row: Row) -> Any:
    return tuple(row.get(name) for name in expected.key(stream))


def plain(value: Any) -> Any:
    """A value as JSON would have it, so that both sides can be compared."""
    if isinstance(value, float):
        value = Decimal(str(value))
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, datetime):
        value = value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc)
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _as(here: Any, value: Any) -> Any:
    """A number that Harvest wrote as text, if the column is one of numbers."""
    if isinstance(here, Decimal) and isinstance(value, str):
        return Decimal(value).normalize() + 0
    return value


def flat(row: Row, prefix: str = "") -> Row:
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict) and name in UNKNOWN:
            found[prefix + name] = json.dumps(value)
        elif isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}__"))
        elif isinstance(value, list):
            found[prefix + name] = [
                _filled(flat(item)) if isinstance(item, dict) else item for item in value
            ]
        else:
            found[prefix + name] = plain(value)
    return found


def _filled(row: Row) -> Row:
    """A row without its nulls and empty lists, which a table cannot tell from missing ones."""
    return {name: value for name, value in row.items() if value is not None and value != []}


def _first(pair: Tuple[int, Any]) -> int:
    return pair[0]
