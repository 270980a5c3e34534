"""The few things of dlt that it has no public name for, in one place to look after."""

from typing import Any, List, Optional

import dlt
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.pipeline import PipelineContext
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.runtime.collector_base import Collector
from dlt.common.schema import Schema
from dlt.common.schema.utils import has_table_seen_data
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource, DltSource
from dlt.extract.exceptions import CurrentSourceNotAvailable
from dlt.extract.pipe import ForkPipe


def steps_of(resource: DltResource) -> List[Any]:
    """Return what the rows of a resource pass through: dlt lets steps be added only."""
    return list(resource._pipe.steps)


def feeds_transformers(pipe: Any) -> bool:
    """Return whether rows go on to transformers: the pipe says so to its steps only."""
    return any(isinstance(step, ForkPipe) for step in pipe.steps)


def current_source() -> Optional[DltSource]:
    """Return the source that is read; None if a resource is read without one."""
    try:
        return dlt.current.source()
    except CurrentSourceNotAvailable:
        return None


def current_load_id() -> str:
    """Return the load id of the run; empty if no pipeline loads what is read."""
    try:
        return str(dlt.current.load_package_state()["load_id"])
    except CurrentLoadPackageStateNotAvailable:
        return ""


def stored_schema(name: str) -> Optional[Schema]:
    """Return the schema that the present pipeline has stored by a name."""
    context = Container()[PipelineContext]
    schemas = context.pipeline().schemas if context.is_active() else {}
    # its own `get` raises an error for a schema that is not there
    return next((schemas[each] for each in schemas if each == name), None)


def has_rows(schema: Schema, table: str) -> bool:
    """Return whether a table was loaded before, and is not to be dropped now."""
    return has_table_seen_data(schema.tables[table])


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
