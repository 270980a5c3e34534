"""Undocumented parts of dlt that the command line uses, in one place."""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Tuple, Type

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import EnvironProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination.client import WithStateSync
from dlt.common.pipeline import PipelineContext
from dlt.pipeline.state_sync import (
    default_pipeline_state,
    load_pipeline_state_from_destination,
)


def stored_state(pipeline_name: str, client: WithStateSync) -> Dict[str, Any]:
    """Return the state of a pipeline as the destination holds it, or nothing.

    `get_stored_state` returns it packed, and without the hash of its version.
    """
    found: Any = load_pipeline_state_from_destination(pipeline_name, client)
    return found or {}


def mysql_types() -> Any:
    """Return the class that maps dlt's types to those of MySQL.

    That a destination takes another one is documented, but not what to begin with.
    """
    from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper

    return MysqlVariantTypeMapper


def forget_state(pipeline: dlt.Pipeline) -> None:
    """Empty the local state, so that the destination's counts as newer.

    dlt compares the numbers of their versions. Of a dataset that was restored from a
    backup the number is lower, and dlt would go on from where the backup does not.
    """
    pipeline.default_schema_name = None
    pipeline.schema_names = []
    pipeline.first_run = True
    pipeline.schemas.clear_storage()
    with pipeline.managed_state() as state:
        local: Any = state["_local"]
        for name in [each for each in local if each.startswith("_last_extracted")]:
            del local[name]
        state.clear()  # type: ignore[attr-defined]
        state.update({**default_pipeline_state(), "_local": local})


def drop_extracted(pipeline: dlt.Pipeline, load_id: str) -> None:
    """Delete an extracted package from which another was made that is ready to load.

    dlt does so right after it has stored the other one, and cannot store it again.
    """
    storage: Any = pipeline._get_normalize_storage()
    storage.extracted_packages.delete_package(load_id)


class FilledVariables(EnvironProvider):
    """Reads the environment, and takes an empty variable for one that is not set."""

    def get_value(
        self, key: str, hint: Type[Any], pipeline_name: Optional[str], *sections: str
    ) -> Tuple[Optional[Any], str]:
        """Return the value of a setting, and the variable that may hold it."""
        pipeline: Any = pipeline_name
        value, name = super().get_value(key, hint, pipeline, *sections)
        return (value if value and value.strip() else None), name


@contextmanager
def empty_is_unset() -> Iterator[None]:
    """Have dlt take empty variables of the environment for ones that are not set.

    dlt has no setting for that: an empty number is an error, an empty text is a value.
    """
    providers = Container()[PluggableRunContext].providers
    name = FilledVariables().name
    before = providers[name]
    providers[name] = FilledVariables()
    try:
        yield
    finally:
        providers[name] = before


@contextmanager
def active_pipeline_kept() -> Iterator[None]:
    """Leave the pipeline active that is active now, or none."""
    context = Container()[PipelineContext]
    before: Any = context.pipeline() if context.is_active() else None
    try:
        yield
    finally:
        if before:
            before.activate()
        elif context.is_active():
            context.deactivate()
