"""The few things of dlt that it has no public name for, in one place to look after."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, List, Mapping, Set

import dlt
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.pipeline import PipelineContext, SupportsPipeline
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.runtime.collector_base import Collector
from dlt.common.schema.typing import TTableSchema
from dlt.common.schema.utils import has_table_seen_data
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource
from dlt.extract.exceptions import CurrentSourceNotAvailable


def steps_of(resource: DltResource) -> List[Any]:
    """Return what the rows of a resource pass through: dlt lets steps be added only."""
    return list(resource._pipe.steps)


def resources() -> Mapping[str, DltResource]:
    """Return the resources of the source; none if one is read without it."""
    try:
        return dlt.current.source().resources
    except CurrentSourceNotAvailable:
        return {}


def collector() -> Collector:
    """Return what shows the progress of the present pipeline."""
    context = Container()[PipelineContext]
    return context.pipeline().collector if context.is_active() else NULL_COLLECTOR


def takes_parquet() -> bool:
    """Return whether the destination loads Parquet files as they are."""
    caps = Container().get(DestinationCapabilitiesContext)
    if caps is None:
        return False
    formats = list(
        caps.supported_loader_file_formats or caps.supported_staging_file_formats or ()
    )
    if caps.loader_file_format_selector:
        preferred = caps.preferred_loader_file_format
        selector = caps.loader_file_format_selector
        formats = [*selector(preferred, formats, table_schema={})[1]]
    return "parquet" in formats


def absent_lists(selected: Iterable[str]) -> List[TTableSchema]:
    """Return the tables of lists that the destination lacks, of streams never loaded.

    dlt creates such a table with the first item of any list only.
    """
    try:
        dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        # nothing is loaded
        return []
    known = dlt.current.source_state().get("resources", {})
    new = {name for name in selected if not known.get(name, {}).get("created")}
    lists = [
        table
        for table in dlt.current.source_schema().tables.values()
        if table.get("parent") in new and not has_table_seen_data(table)
    ]
    context = Container()[PipelineContext]
    if not lists or not context.is_active() or not context.pipeline().destination:
        return []
    names = [str(table["name"]) for table in lists]
    # in a thread: dlt keeps the tracebacks of what it does not find among the
    # settings, and with them all that those who asked have in their hands
    with ThreadPoolExecutor(1) as thread:
        absent = thread.submit(_absent, context.pipeline(), names).result()
    return [table for table in lists if table["name"] in absent]


def _absent(pipeline: SupportsPipeline, names: List[str]) -> Set[str]:
    """Return the tables that the destination lacks; none if it cannot tell."""
    with pipeline.destination_client() as client:
        if not hasattr(client, "get_storage_tables"):
            return set()
        return {name for name, there in client.get_storage_tables(names) if not there}


def create_tables(tables: List[TTableSchema]) -> None:
    """Have dlt create tables, as it does with those that it is to empty."""
    state: Dict[str, Any] = dlt.current.load_package_state()["state"]  # type: ignore[assignment]
    state.setdefault("truncated_tables", []).extend(tables)
