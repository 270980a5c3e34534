"""A load in steps: tables are there early, and nothing that was stored is read again.

What is below invoices, estimates and users takes a request for each of them: 20,000
invoices are 40,000 requests, and an hour and a half at Harvest's rate limit. One run
stores nothing before the last of them. In steps, each run reads the lists, and the rest
only for a while. The next one goes on where it ended, also if it was killed meanwhile.
"""

from typing import Iterator, Tuple

from dlt.extract import DltSource

from .settings import STREAMS
from .streams.account import account_of

SECONDS = (15.0, 60.0)
"""The length of the first step and of the later ones; lists may take longer."""


def steps(
    source: DltSource, seconds: Tuple[float, float] = SECONDS
) -> Iterator[DltSource]:
    """Yield a source for each step of a load, until nothing is left to be read.

    The first step reads all lists, and of the reports and of what is below records as
    much as it can in the given time. In most runs, that is all of it.

    Args:
        source (DltSource): A `harvest_source`, or some of its streams.
        seconds (Tuple[float, float]): After how many seconds the first step reads
            nothing but lists, and each later one ends.

    Yields:
        DltSource: What the pipeline must run, before the next one is asked for.

    Examples:
        >>> pipeline = dlt.pipeline("harvest", destination="duckdb")
        >>> for step in steps(harvest_source()):
        ...     pipeline.run(step)

        Everything anew, which only the first step must begin:

        >>> for number, step in enumerate(steps(harvest_source())):
        ...     pipeline.run(step, refresh=None if number else "drop_sources")
    """
    account = account_of(source)
    first, later = seconds
    try:
        account.step_seconds = first
        yield source
        account.step_seconds, account.load_began = later, account.run.began
        while left := [name for name in STREAMS if name in account.run.unfinished]:
            step = source.with_resources(*left)
            for resource in step.selected_resources.values():
                # to what the first step has replaced, the others add
                if resource.write_disposition == "replace":
                    resource.apply_hints(write_disposition="merge")
            yield step
    finally:
        account.step_seconds, account.load_began = None, ""
