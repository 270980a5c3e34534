"""The few things of dlt that it has no public name for, in one place to look after."""

from typing import Any, Dict, List

import dlt
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.pipeline import PipelineContext
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltResource
from dlt.extract.exceptions import CurrentSourceNotAvailable


def steps_of(resource: DltResource) -> List[Any]:
    """Return what the rows of a resource pass through: dlt lets steps be added only."""
    return list(resource._pipe.steps)


def selected() -> Dict[str, DltResource]:
    """Return the resources that are read; none if one is read without its source."""
    try:
        return dict(dlt.current.source().resources.selected)
    except CurrentSourceNotAvailable:
        return {}


def is_limited(name: str) -> bool:
    """Return whether `add_limit` ends a resource before all of it is read."""
    try:
        resource = dlt.current.source().resources.get(name)
    except CurrentSourceNotAvailable:
        return False
    return resource is not None and resource.limit is not None


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
