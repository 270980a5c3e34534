"""What a run would read and how many requests that takes, by asking for counts only."""

from typing import List, NamedTuple, Sequence, Tuple

import dlt
from dlt.extract import DltSource

from ..api.running import run
from ..settings import COMPANY, STREAMS
from ..streams.context import Context, context_of
from ..typing import Row
from .planner import Planned, Planner

__all__ = ["Forecast", "Planned", "forecast"]


class Forecast(NamedTuple):
    """What a run would do.

    Attributes:
        planned (List[Planned]): One for each stream that is read, or asked about for
            others.
        deep (List[Planned]): The same for a deep comparison, if it was asked for.
        seconds (float): What both take at least, by Harvest's rate limits alone.
    """

    planned: List[Planned]
    deep: List[Planned]
    seconds: float

    @property
    def rows(self) -> int:
        """Return the rows that are known of before they are read."""
        return sum(each.rows or 0 for each in self.planned)

    @property
    def requests(self) -> int:
        """Return the requests of all streams, and of the deep comparison."""
        return sum(each.requests for each in [*self.planned, *self.deep])


def forecast(
    pipeline: dlt.Pipeline,
    source: DltSource,
    full_refresh: bool = False,
    deep: bool = False,
) -> Forecast:
    """Return what a run would read, and change nothing.

    It asks for a count of each list, with the filter that the run would use.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        source (DltSource): The `harvest_source`, or some of its streams.
        full_refresh (bool): The run reads everything again.
        deep (bool): Say what a deep comparison reads, too.

    Returns:
        Forecast: What would be read.

    Raises:
        HarvestError: The dataset holds another account, or Harvest cannot be read.

    Example:
        >>> source = harvest_source().with_resources("invoices", "invoice_payments")
        >>> forecast(pipeline, source).requests
        512
    """
    context = context_of(source)
    context.new_run()
    state: Row = pipeline.state.get("sources", {}).get(source.schema.name, {})
    selected = [name for name in STREAMS if name in source.selected_resources]
    begins_anew = {
        name
        for name in selected
        if full_refresh or source.resources[name].write_disposition == "replace"
    }

    async def plan() -> Tuple[List[Planned], List[Planned]]:
        planned = await Planner(context, state, selected, begins_anew).plan()
        # which reads all that the tables hold
        whole = Planner(context, state, selected, {*selected})
        return planned, await whole.plan() if deep else []

    planned, compared = run(plan())
    context.check_same(state.get("account_id"))
    return Forecast(planned, compared, _seconds(context, [*planned, *compared]))


def _seconds(context: Context, planned: Sequence[Planned]) -> float:
    found = [0.0]
    for limit in context.client.rate_limits:
        requests = sum(
            each.requests
            for each in planned
            if (STREAMS.get(each.stream) or COMPANY).rate_limit == limit.name
        )
        # the first of each window go at once
        found.append(max(0, requests - 1) // limit.rate * limit.window)
    return max(found)
