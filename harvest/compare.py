"""What differs between Harvest's lists and their tables.

Short lists are read whole and compared row by row, which costs no more requests than counting.
Long ones are compared by counts and sums over ever shorter spans of time, until the rows of a span
fit on one page (https://help.getharvest.com/api-v2/introduction/overview/pagination/).
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta  # noqa: I251
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from dlt.common import Decimal
from dlt.extract.items_transform import ItemTransform

from .account import Account
from .client import AccessRefused, RecordGone
from .held import AMOUNTS, Figures, Held, Key, Row
from .pages import Reader, Unsteady, Waiting
from .resources import DATED, windows
from .settings import PER_PAGE, STREAMS, Stream
from .values import identifies

WHOLE_PAGES = 5
"""Time entries and expenses on more pages than this are compared by figures, not row by row."""
SUMS = {
    "time_entries": (STREAMS["time_clients"], "total_hours"),
    "expenses": (STREAMS["expenses_clients"], "total_amount"),
}
"""The reports that sum up what `AMOUNTS` names, and their column with the sum."""
LINKS = [
    *((each.name, each.parent_key, each.parent) for each in STREAMS.values() if each.parent),
    ("project_assignments", "project__id", "projects"),
]
"""What goes when something else goes: its stream, its column, and the stream of the other."""

Added = Sequence[ItemTransform[Any, Any]]
"""The steps that were added to a resource, such as by `add_map`."""
Window = Tuple[date, date]
"""First and last day."""


@dataclass
class Comparison:
    """What was found out about one stream.

    Attributes:
        stream (str): Its name.
        here (int): Rows in the destination.
        harvest (Optional[int]): Rows in Harvest; None where they were not counted.
        amount_here (Optional[Decimal]): Rounded hours of time entries, money of other streams.
        amount_harvest (Optional[Decimal]): The same in Harvest.
        missing (Dict[Key, Row]): Rows that only Harvest has.
        different (Dict[Key, Row]): Rows that differ, as Harvest has them.
        gone (Set[Key]): Keys of the rows that only the destination has.
        windows (List[Window]): Windows of a report that are no longer true.
        days (Set[date]): Days of the time entries or expenses that differ.
        note (str): Why it was not compared, or not altogether.
    """

    stream: str
    here: int
    harvest: Optional[int] = None
    amount_here: Optional[Decimal] = None
    amount_harvest: Optional[Decimal] = None
    missing: Dict[Key, Row] = field(default_factory=dict)
    different: Dict[Key, Row] = field(default_factory=dict)
    gone: Set[Key] = field(default_factory=set)
    windows: List[Window] = field(default_factory=list)
    days: Set[date] = field(default_factory=set)
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return not (self.missing or self.different or self.gone or self.windows)

    @property
    def verdict(self) -> str:
        """What was found, in words."""
        found = [
            f"{len(rows):,} {what}"
            for rows, what in (
                (self.missing, "missing here"),
                (self.different, "different"),
                (self.gone, "gone in Harvest"),
                (self.windows, "out of date"),
            )
            if rows
        ]
        return "; ".join([*found, self.note] if self.note else found) or "equal"


class Comparing:
    """A comparison of the streams with Harvest.

    Args:
        account (Account): The account.
        held (Held): The destination.
        starts (Dict[str, str]): The `start_date` that the table of a stream was begun with.
        streams (Mapping[str, Added]): Streams to compare, and what was added to each.
    """

    def __init__(
        self, account: Account, held: Held, starts: Dict[str, str], streams: Mapping[str, Added]
    ) -> None:
        self._account = account
        self._held = held
        self._starts = starts
        self._added = streams
        self.found = {name: Comparison(name, held.count(name) or 0) for name in streams}

    def _reader(self, stream: Stream) -> Reader:
        return Reader(self._account.client, stream)

    def compare(self, comparison: Comparison, proof: bool) -> Iterator[None]:
        """Compares one stream, unless Harvest does not let it be read, or not now.

        Args:
            comparison (Comparison): Takes what is found.
            proof (bool): Ask again about rows that are to be removed.

        Yields:
            None: It waits for an answer.
        """
        stream = STREAMS[comparison.stream]
        try:
            if stream.feature and (yield from self._account.lacks(stream.feature)):
                comparison.note = f"not compared: {stream.feature} is switched off"
            elif stream.kind == "whole":
                yield from self._whole(comparison)
            else:
                yield from self._list(comparison, proof)
            return
        except AccessRefused:
            if self._account.on_forbidden == "raise":
                raise
            why = "Harvest refused it (403)"
        except Unsteady:
            why = "it changed while it was read"
        # what was found so far may be half the truth
        self.found[stream.name] = Comparison(
            stream.name, comparison.here, note=f"not compared: {why}"
        )

    def _whole(self, found: Comparison) -> Waiting[None]:
        """Compares what each load replaces as a whole."""
        stream = STREAMS[found.stream]
        if stream.name == "company":
            rows = (yield from self._account.company()).rows
        else:
            with self._reader(stream) as reader:
                rows = yield from reader.rows()
        found.harvest = len(rows)
        self._compare_rows(found, rows)
        found.gone = self._held.keys(stream) - _by_key(stream, rows).keys()

    def _list(self, found: Comparison, proof: bool) -> Waiting[None]:
        stream = STREAMS[found.stream]
        start = self._starts.get(stream.name)
        # rows that were last changed before the table was begun are not missing in it
        params = {"updated_since": start} if start else {}
        if stream.name in AMOUNTS:
            found.amount_here = self._held.amount(stream.name)
        seen = yield from self._read(found, params, WHOLE_PAGES if stream.name in DATED else None)
        if seen is None:
            yield from self._by_figures(found, params, proof)
        else:
            yield from self._by_keys(found, seen, proof or bool(start))
        if stream.name in DATED:
            for row in (*found.missing.values(), *found.different.values()):
                found.days.add(date.fromisoformat(row["spent_date"]))
            for _, row in self._held.rows(stream, found.gone if proof else ()):
                found.days.add(row["spent_date"])

    def _by_keys(self, found: Comparison, seen: Set[Key], proof: bool) -> Waiting[None]:
        """Finds what is gone, and what hung on it, when a list was read whole."""
        stream = STREAMS[found.stream]
        found.harvest = len(seen)
        links = [link for link in LINKS if link[2] == stream.name and link[0] in self.found]
        here = self._held.keys(stream)
        named = {(key,) for child, column, _ in links for key in self._held.ids(child, column)}
        gone = (here | named) - seen
        if gone and proof:
            # of all times: what hangs on something may be younger than that is
            gone -= yield from self._keys(stream)
        found.gone = gone & here
        for child, column, _ in links if gone else ():
            lost = f"t.{column} IN ({', '.join(str(key) for (key,) in gone)})"
            self.found[child].gone |= self._held.keys(STREAMS[child], lost)

    def _read(
        self, found: Comparison, params: Row, most: Optional[int] = None, span: Optional[Row] = None
    ) -> Waiting[Optional[Set[Key]]]:
        """Reads rows and compares them. Gives their keys; None for more pages than `most`."""
        stream = STREAMS[found.stream]
        seen: Set[Key] = set()
        amount = Decimal(0)
        with self._reader(stream) as reader:
            stamp = "updated_at" if params else "created_at"
            for page in reader.pages(stamp, **params, **(span or {})):
                if page is None:
                    yield None
                    continue
                if most and int(page.body.get("total_pages") or 1) > most:
                    return None
                self._compare_rows(found, page.rows)
                seen.update(_by_key(stream, page.rows))
                if stream.name in AMOUNTS:
                    amount += _total(page.rows, AMOUNTS[stream.name])
        if stream.name in AMOUNTS and not span:
            found.amount_harvest = amount
        return seen

    def _keys(self, stream: Stream) -> Waiting[Set[Key]]:
        """The keys of all rows in Harvest, read anew."""
        seen: Set[Key] = set()
        with self._reader(stream) as reader:
            for page in reader.pages("created_at"):
                if page is None:
                    yield None
                    continue
                seen.update(_by_key(stream, page.rows))
        return seen

    def _compare_rows(self, found: Comparison, rows: Sequence[Row]) -> None:
        """Compares rows of Harvest with the rows here that have the same keys."""
        stream = STREAMS[found.stream]
        # what users have the load leave out, a comparison must not bring in
        for step in self._added[stream.name]:
            rows = step([dict(row) for row in rows]) or []
        theirs = _by_key(stream, rows)
        ours: Dict[Key, List[Row]] = defaultdict(list)
        for key, row in self._held.rows(stream, theirs):
            ours[key].append(row)
        for key, row in theirs.items():
            values = self._held.comparable(stream, row)
            if key not in ours:
                found.missing[key] = row
            elif [values] != [self._held.comparable(stream, one) for one in ours[key]]:
                found.different[key] = row
                found.days.update(one["spent_date"] for one in ours[key] if "spent_date" in one)

    def _by_figures(self, found: Comparison, params: Row, proof: bool) -> Waiting[None]:
        """Compares counts and sums, and the rows of the spans of time in which they differ."""
        stream = STREAMS[found.stream]
        days = self._held.days(stream.name)
        # reports would count what is older than the start, too
        names = ["rows", "billed"] if params else ["rows", "billed", "amount"]
        years = windows("year", min(days), max(days)) if days else []
        asked = yield from self._figures(stream, params, [None, *years], names)
        total, by_year = asked[0]["rows"], asked[1:]
        found.harvest = total
        if "amount" in asked[0]:
            found.amount_harvest = asked[0]["amount"]
        else:
            found.amount_here = None
            found.note = "hours and money not compared"
        pages = -(-total // PER_PAGE)
        seen: Set[Key] = set()
        doubtful: Set[Key] = set()
        if total != sum(year["rows"] for year in by_year):
            for span in _outside(years):
                seen |= (yield from self._read(found, params, span=span)) or set()
        todo = [
            (year, _less(figures, _within(days, year)))
            for year, figures in zip(years, by_year, strict=True)
        ]
        budget = pages - sum(abs(difference.get("rows", 0)) for _, difference in todo)
        while todo and budget >= 0:
            (first, last), difference = todo.pop()
            here = _within(days, (first, last))["rows"]
            if not difference:
                continue
            if max(here, here + difference.get("rows", 0)) <= PER_PAGE or first == last:
                span = {"from": first, "to": last}
                seen |= (yield from self._read(found, params, span=span)) or set()
                within = f"t.spent_date BETWEEN DATE '{first}' AND DATE '{last}'"
                doubtful |= self._held.keys(stream, within)
                budget -= 1
                continue
            half = (first, first + (last - first) // 2)
            (figures,) = yield from self._figures(stream, params, [half], list(difference))
            budget -= len(difference)
            in_half = _less(figures, _within(days, half))
            todo.append((half, in_half))
            todo.append(((half[1] + timedelta(days=1), last), _less(difference, in_half)))
        if budget < 0:
            # so much differs that reading all of it takes fewer requests
            seen = (yield from self._read(found, params)) or set()
            doubtful = self._held.keys(stream)
        doubtful -= seen
        if doubtful and proof:
            doubtful = yield from self._proven(found, doubtful, pages)
        found.gone = doubtful

    def _figures(
        self, stream: Stream, params: Row, wanted: Sequence[Optional[Window]], names: List[str]
    ) -> Waiting[List[Dict[str, Any]]]:
        """Asks Harvest for figures, side by side; those that it refuses are left out.

        Args:
            stream (Stream): Time entries or expenses.
            params (Dict[str, Any]): Filters of the list.
            wanted (Sequence[Optional[Window]]): Windows; None for all time, of which the amount is
                summed up from the windows.
            names (List[str]): Fields of `Figures` that are wanted.
        """
        report, column = SUMS[stream.name]
        found: List[Dict[str, Any]] = [{} for _ in wanted]
        with self._reader(stream) as lists, self._reader(report) as reports:
            calls = []
            for figures, window in zip(found, wanted, strict=True):
                span = {"from": window[0], "to": window[1]} if window else {}
                for name in names:
                    if name == "amount" and window:
                        calls.append((figures, name, reports.submit(report.path, dict(span))))
                    elif name == "rows" or (name == "billed" and window):
                        billed = {"is_billed": "true"} if name == "billed" else {}
                        query = {**params, **span, **billed, "per_page": 1}
                        calls.append((figures, name, lists.submit(stream.path, query)))
            for figures, name, call in calls:
                if name != "amount":
                    page = yield from lists.wait(call)
                    figures[name] = int(page.body["total_entries"])
                    continue
                try:
                    page = yield from reports.wait(call)
                except AccessRefused:
                    continue
                figures[name] = Decimal(0)
                for each in reports.follow(page):
                    if each is None:
                        yield None
                        continue
                    figures[name] += _total(each.rows, column)
        if wanted[0] is None and all("amount" in figures for figures in found[1:]):
            found[0]["amount"] = sum((one["amount"] for one in found[1:]), Decimal(0))
        return found

    def _proven(self, found: Comparison, doubtful: Set[Key], pages: int) -> Waiting[Set[Key]]:
        """Those that are gone by a second answer: of each record, or of the whole list."""
        stream = STREAMS[found.stream]
        if len(doubtful) > pages:
            return doubtful - (yield from self._keys(stream))
        gone: Set[Key] = set()
        with self._reader(replace(stream, kind="child", key=())) as reader:
            keys = sorted(doubtful)
            calls = reader.side_by_side(reader.submit(f"{stream.path}/{key}") for (key,) in keys)
            for key in keys:
                try:
                    page = yield from reader.wait(next(calls))
                    self._compare_rows(found, page.rows)
                except RecordGone as answer:
                    if answer.status == 404:
                        gone.add(key)
        return gone


def _by_key(stream: Stream, rows: Sequence[Row]) -> Dict[Key, Row]:
    """Rows by their keys, which are whole numbers; rows without are not stored either."""
    return {
        tuple(int(row[name]) for name in stream.key): row
        for row in rows
        if all(identifies(row.get(name)) for name in stream.key)
    }


def _total(rows: Sequence[Row], column: str) -> Decimal:
    return sum((Decimal(row.get(column) or 0) for row in rows), Decimal(0))


def _within(days: Dict[date, Figures], window: Window) -> Dict[str, Any]:
    """The sums of the figures of the days of a window."""
    inside = [figures for day, figures in days.items() if window[0] <= day <= window[1]]
    return {name: sum(getattr(one, name) for one in inside) for name in Figures._fields}


def _less(figures: Dict[str, Any], others: Dict[str, Any]) -> Dict[str, Any]:
    """By how much figures are higher than others; those that agree are left out."""
    less = {name: value - others.get(name, 0) for name, value in figures.items()}
    return {name: value for name, value in less.items() if value}


def _outside(years: Sequence[Window]) -> List[Row]:
    """The spans before and after some years."""
    if not years:
        return [{}]
    day = timedelta(days=1)
    return [{"to": years[0][0] - day}, {"from": years[-1][1] + day}]
