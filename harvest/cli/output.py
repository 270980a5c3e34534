"""The printed reports: for people, and as JSON."""

import json
import os
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, List

from .destination import place

if TYPE_CHECKING:
    from ..drift import StreamDrift
    from ..dry_run import Forecast
    from ..reconcile import Result
    from .commands import Loaded


def say(text: str) -> None:
    """Print a line, if there is anybody to read it.

    What was loaded is loaded, whatever becomes of its report.
    """
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        # the reader has ended, as `head` does; Python would complain again at its end
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(found: Dict[str, Any]) -> None:
    """Print plain data as JSON."""
    say(json.dumps(found, indent=2, default=float))


def report(loaded: "Loaded", as_json: bool = False) -> None:
    """Print what was loaded, table by table, what was repaired, and where it is."""
    where = place(loaded.pipeline)
    if as_json:
        found = {**loaded._asdict(), "pipeline": loaded.pipeline.pipeline_name}
        result = loaded.compared and as_data(loaded.compared)
        print_json({**found, "place": where, "compared": result})
        return
    for name, count in loaded.rows.items():
        say(f"{name:<40}{count:>10,}")
    for name, reason in loaded.skipped.items():
        say(f"{name:<40}   skipped: {reason}")
    say(
        f"{_counted(sum(loaded.rows.values()), 'row')} loaded into {where} with"
        f" {_counted(loaded.requests, 'request')} in {loaded.seconds:.0f} s."
    )
    if loaded.compared is not None:
        _report_repairs(loaded.compared)
    if loaded.versions:
        counts = (f"{count:,} of {name}" for name, count in loaded.versions.items())
        say(f"Versions kept: {', '.join(counts)}.")


def _report_repairs(compared: "Result") -> None:
    for each in compared.comparisons:
        if each.outcome in ("different", "not compared"):
            say(f"{each.stream:<40}   {each.verdict}")
    gone = sum(len(each.deleted) for each in compared.comparisons)
    again = sum(
        len(each.missing) + len(each.different) for each in compared.comparisons
    )
    windows = sum(len(each.windows) for each in compared.comparisons)
    done = {"remove": "removed", "mark": "marked", "ignore": "left alone"}
    say(
        f"Compared with Harvest in {_counted(compared.requests, 'request')}:"
        f" {_counted(gone, 'deleted row')} {done[compared.deleted]}, {again:,} written"
        f" again, {_counted(windows, 'window')} of reports read again."
    )
    for sentence in compared.unrepaired:
        say(sentence)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def report_forecast(found: "Forecast", as_json: bool = False) -> None:
    """Print what a run would read, stream by stream."""
    if as_json:
        streams = [each._asdict() for each in found.planned]
        deep = [each._asdict() for each in found.deep]
        totals = {"rows": found.rows, "requests": found.requests}
        print_json(
            {"streams": streams, "deep": deep, **totals, "seconds": found.seconds}
        )
        return
    say(f"{'stream':<26}{'rows':>12}{'requests':>10}   would be read")
    for each in found.planned:
        rows = "" if each.rows is None else f"{each.rows:,}"
        say(f"{each.stream:<26}{rows:>12}{each.requests:>10,}   {each.reads}")
    if found.deep:
        requests = sum(each.requests for each in found.deep)
        say(f"{'deep comparison':<38}{requests:>10,}   every row and column, once more")
    limits = f"take at least {found.seconds:,.0f} s at Harvest's rate limits"
    say(
        f"{found.rows:,} rows, and those that only reading counts;"
        f" {found.requests:,} requests, which"
        f" {limits if found.seconds else 'no rate limit holds up'}. Nothing was loaded."
    )


def report_comparison(result: "Result", as_json: bool = False) -> None:
    """Print what was found by comparing, stream by stream."""
    if as_json:
        print_json(as_data(result))
        return
    amounts_head = f"{'hours or money':>18}{'here':>16}"
    say(f"{'stream':<26}{'in Harvest':>12}{'here':>10}{amounts_head}")
    for each in result.comparisons:
        rows = "" if each.harvest is None else f"{each.harvest:,}"
        amounts = [
            "" if n is None else f"{n:,.2f}"
            for n in (each.amount_harvest, each.amount_here)
        ]
        say(
            f"{each.stream:<26}{rows:>12}{each.here:>10,}{amounts[0]:>18}"
            f"{amounts[1]:>16}   {each.verdict}"
        )
    found: Counter[str] = Counter(each.outcome for each in result.comparisons)
    kinds = ("equal", "different", "not compared", "not covered")
    counts = ", ".join(f"{found[kind]} {kind}" for kind in kinds if found[kind])
    streams = _counted(len(result.comparisons), "stream")
    say(f"{streams}, {_counted(result.requests, 'request')}: {counts}.")


def as_data(result: "Result") -> Dict[str, Any]:
    """Return what was found by comparing, as plain data."""
    streams = [
        {
            "stream": each.stream,
            "outcome": each.outcome,
            "rows_in_harvest": each.harvest,
            "rows_here": each.here,
            "amount_in_harvest": each.amount_harvest,
            "amount_here": each.amount_here,
            "missing": len(each.missing),
            "different": len(each.different),
            "deleted": len(each.deleted),
            "twice": len(each.twice),
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
    }


def report_drift(found: "List[StreamDrift]", as_json: bool = False) -> None:
    """Print how what Harvest sends differs from the schema: names, types and counts."""
    if as_json:
        streams = [
            {
                **each._asdict(),
                "unforeseen": [field._asdict() for field in each.unforeseen],
                "other_types": [field._asdict() for field in each.other_types],
            }
            for each in found
        ]
        print_json({"streams": streams})
        return
    say(f"{'stream':<26}{'rows':>8}   what Harvest sends, against the schema")
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
        say(f"{each.stream:<26}{each.rows:>8,}   {lines[0]}")
        for line in lines[1:]:
            say(f"{'':<37}{line}")
    say("No value is in this list: it can be pasted into a bug report.")


def _field(field: Any) -> str:
    types = ", ".join(f"{count:,} {kind}" for kind, count in field.types.items())
    return f"{field.table}.{field.name} ({types})"
