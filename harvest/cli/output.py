"""The printed reports: for people, and as JSON."""

import json
import os
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Callable, Dict, Iterator, List, Optional, TextIO, Tuple

from ..reconcile import Result
from ..typing import Row
from .commands import Loaded, Outcome
from .destination import place
from .drift import Field, StreamDrift
from .dry_run import Forecast

COUNTED = ("missing", "different", "deleted", "twice")
"""Rows of a comparison of which a report has the number only."""


def report(outcome: Outcome, as_json: bool = False) -> None:
    """Print what came of a command: what was loaded, found, or would be read."""
    data, lines = FORMS[type(outcome)]
    if as_json:
        say(json.dumps(data(outcome), indent=2, default=float))
        return
    for line in lines(outcome):
        say(line)


def say(text: str, file: Optional[TextIO] = None) -> None:
    """Print a line to stdout or a file, if there is anybody to read it.

    What was loaded is loaded, whatever becomes of its report.
    """
    try:
        print(text, file=file, flush=True)
    except (OSError, ValueError):
        # the reader has ended, as `head` does; Python would complain again at its end
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, (file or sys.stdout).fileno())


def _loaded_as_data(loaded: Loaded) -> Row:
    return {
        **loaded._asdict(),
        "pipeline": loaded.pipeline.pipeline_name,
        "place": place(loaded.pipeline),
        "compared": loaded.compared and _result_as_data(loaded.compared),
    }


def _loaded_in_words(loaded: Loaded) -> Iterator[str]:
    for name, count in loaded.rows.items():
        yield f"{name:<40}{count:>10,}"
    for name, reason in loaded.skipped.items():
        yield f"{name:<40}   skipped: {reason}"
    yield (
        f"{_counted(sum(loaded.rows.values()), 'row')} loaded into"
        f" {place(loaded.pipeline)} with {_counted(loaded.requests, 'request')} in"
        f" {loaded.seconds:.0f} s."
    )
    if loaded.compared is not None:
        yield from _repairs_in_words(loaded.compared)
    if loaded.versions:
        counts = (f"{count:,} of {name}" for name, count in loaded.versions.items())
        yield f"Versions kept: {', '.join(counts)}."


def _repairs_in_words(compared: Result) -> Iterator[str]:
    if compared.failure:
        yield f"Loaded; not compared with Harvest: {compared.failure}."
        return
    if compared.hours_ago is not None:
        yield f"Compared with Harvest {compared.hours_ago:.0f} hours ago."
        return
    found: Counter[str] = Counter()
    for each in compared.comparisons:
        found["deleted"] += len(each.deleted)
        found["again"] += len(each.missing) + len(each.different)
        found["windows"] += len(each.windows)
        if each.outcome in ("different", "not compared"):
            yield f"{each.stream:<40}   {each.verdict}"
    done = {"remove": "removed", "mark": "marked", "ignore": "left alone"}
    yield (
        f"Compared with Harvest in {_counted(compared.requests, 'request')}:"
        f" {_counted(found['deleted'], 'deleted row')} {done[compared.deleted]},"
        f" {found['again']:,} written again, {_counted(found['windows'], 'window')} of"
        " reports read again."
    )
    yield from compared.unrepaired


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _forecast_as_data(found: Forecast) -> Row:
    return {
        "streams": [each._asdict() for each in found.planned],
        "deep": [each._asdict() for each in found.deep],
        "rows": found.rows,
        "requests": found.requests,
        "seconds": found.seconds,
    }


def _forecast_in_words(found: Forecast) -> Iterator[str]:
    yield f"{'stream':<26}{'rows':>12}{'requests':>10}   would be read"
    for each in found.planned:
        rows = "" if each.rows is None else f"{each.rows:,}"
        yield f"{each.stream:<26}{rows:>12}{each.requests:>10,}   {each.reads}"
    if found.deep:
        requests = sum(each.requests for each in found.deep)
        every = "every row and column, once more"
        yield f"{'deep comparison':<38}{requests:>10,}   {every}"
    limits = f"take at least {found.seconds:,.0f} s at Harvest's rate limits"
    yield (
        f"{found.rows:,} rows, and those that only reading counts;"
        f" {found.requests:,} requests, which"
        f" {limits if found.seconds else 'no rate limit holds up'}. Nothing was loaded."
    )


def _result_as_data(result: Result) -> Row:
    streams = [
        {
            "stream": each.stream,
            "outcome": each.outcome,
            "rows_in_harvest": each.harvest,
            "rows_here": each.here,
            "amount_in_harvest": each.amount_harvest,
            "amount_here": each.amount_here,
            **{name: len(getattr(each, name)) for name in COUNTED},
            "tables_missing": each.absent,
            "out_of_date": [[str(day) for day in window] for window in each.windows],
            "note": each.note,
        }
        for each in result.comparisons
    ]
    return {
        "equal": result.equal,
        "requests": result.requests,
        "streams": streams,
        "unrepaired": result.unrepaired,
        "failure": result.failure,
        "hours_since_comparison": result.hours_ago,
    }


def _result_in_words(result: Result) -> Iterator[str]:
    if result.failure:
        yield f"Not compared with Harvest: {result.failure}."
    amounts_head = f"{'hours or money':>18}{'here':>16}"
    yield f"{'stream':<26}{'in Harvest':>12}{'here':>10}{amounts_head}"
    for each in result.comparisons:
        rows = "" if each.harvest is None else f"{each.harvest:,}"
        amounts = [
            "" if n is None else f"{n:,.2f}"
            for n in (each.amount_harvest, each.amount_here)
        ]
        yield (
            f"{each.stream:<26}{rows:>12}{each.here:>10,}{amounts[0]:>18}"
            f"{amounts[1]:>16}   {each.verdict}"
        )
    found: Counter[str] = Counter(each.outcome for each in result.comparisons)
    kinds = ("equal", "different", "not compared", "not covered")
    counts = ", ".join(f"{found[kind]} {kind}" for kind in kinds if found[kind])
    streams = _counted(len(result.comparisons), "stream")
    yield f"{streams}, {_counted(result.requests, 'request')}: {counts}."


def _drift_in_words(found: List[StreamDrift]) -> Iterator[str]:
    yield f"{'stream':<26}{'rows':>8}   what Harvest sends, against the schema"
    for each in found:
        said = [
            *(f"new: {_field(field)}" for field in each.unforeseen),
            *(f"not sent: {name}" for name in each.absent),
            *(
                f"{_field(field)} where {field.declared} is declared"
                for field in each.other_types
            ),
        ]
        lines = said or [each.note or "as declared"]
        yield f"{each.stream:<26}{each.rows:>8,}   {lines[0]}"
        for line in lines[1:]:
            yield f"{'':<37}{line}"
    yield "No value is in this list: it can be pasted into a bug report."


def _field(field: Field) -> str:
    types = ", ".join(f"{count:,} {kind}" for kind, count in field.types.items())
    return f"{field.table}.{field.name} ({types})"


FORMS: Dict[type, Tuple[Callable[[Any], Row], Callable[[Any], Iterator[str]]]] = {
    Loaded: (_loaded_as_data, _loaded_in_words),
    Forecast: (_forecast_as_data, _forecast_in_words),
    Result: (_result_as_data, _result_in_words),
    list: (lambda found: {"streams": [*map(asdict, found)]}, _drift_in_words),
}
"""The two forms of the report on each outcome: plain data, and words."""
