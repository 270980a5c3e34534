"""The few things of dlt that it has no public name for, in one place to look after."""

import inspect
from typing import (
    Annotated,
    Any,
    Callable,
    ClassVar,
    Dict,
    List,
    Optional,
    ParamSpec,
)

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.base_configuration import (
    BaseConfiguration,
    NotResolved,
    configspec,
    extract_inner_hint,
    is_secret_hint,
)
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.configuration.utils import deserialize_value
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.pipeline import PipelineContext
from dlt.common.reflection.spec import spec_from_signature
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.runtime.collector_base import Collector
from dlt.common.schema import Schema
from dlt.common.schema.utils import has_table_seen_data
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource, DltSource
from dlt.extract.exceptions import CurrentSourceNotAvailable
from dlt.extract.pipe import ForkPipe
from dlt.extract.reference import SourceFactory

from ..exceptions import HarvestError

P = ParamSpec("P")


@configspec
class NamedSettings(BaseConfiguration):
    """Settings that count only where they name the source.

    dlt looks a setting up as far as its bare name, such as BASE_URL, which other
    programs have, too. Here, a value that is found is a default, and dlt itself, which
    is told that there is nothing to look up, puts the arguments in its place.
    """

    @classmethod
    def get_resolvable_fields(cls) -> Dict[str, type]:
        """Return the settings, none of which dlt looks up."""
        hints = super().get_resolvable_fields()
        return {name: Annotated[hint, NotResolved()] for name, hint in hints.items()}  # type: ignore[misc]

    def __post_init__(self) -> None:
        """Take what is set."""
        for name, hint in super().get_resolvable_fields().items():
            if (value := _named_setting(name, hint)) is not None:
                setattr(self, name, value)


def _named_setting(name: str, hint: Any) -> Any:
    """Return a setting of the source that is being made; None if it is not set.

    Raises:
        HarvestError: It is a secret, and in a file that is not meant for secrets.
    """
    where = Container()[ConfigSectionContext]
    top, section, source = where.sections if len(where.sections) == 3 else ("",) * 3
    paths = dict.fromkeys([(top, section, source), (top, section), (top, source)])
    for pipeline in dict.fromkeys([where.pipeline_name, None]) if top else ():
        for provider in dlt.config.config_providers:
            for path in paths:
                value, _ = provider.get_value(name, hint, pipeline, *path)
                # schedulers and templates leave a setting empty to unset it
                if value is None or value == "":
                    continue
                if is_secret_hint(hint) and not provider.supports_secrets:
                    raise HarvestError(
                        f"{name} is in {provider.name}, which is not meant for"
                        " secrets: move it to secrets.toml."
                    )
                return deserialize_value(name, value, extract_inner_hint(hint))
    return None


def named_source(
    name: str,
) -> Callable[[Callable[P, Any]], SourceFactory[P, DltSource]]:
    """Return what `dlt.source` is, for a source whose settings must name it.

    They are looked up under `sources.<section>.<name>`, `sources.<section>` and
    `sources.<name>`, and each of these below the name of the pipeline.

    Args:
        name (str): Name of the source.
    """

    def decorate(function: Callable[P, Any]) -> SourceFactory[P, DltSource]:
        signature = inspect.signature(function)
        spec, _ = spec_from_signature(function, signature, base=NamedSettings)
        return dlt.source(function, name=name, spec=spec)

    return decorate


class HeldIncremental(dlt.sources.incremental[str]):
    """dlt's incremental, held by the object whose method is its `last_value_func`.

    dlt asks for its state once in a run, before any row. If it asked in another way,
    a list that was cut would not be read again (`tests/load/test_steps.py`).
    """

    # ahead of what users add, which may take `updated_at` out
    placement_affinity: ClassVar[float] = 0

    def get_state(self) -> Any:
        """Return where it is kept, as the last whole reading has left it."""
        holder: Any = getattr(self.last_value_func, "__self__", None)
        self.resource_name = holder.place()
        known = super().get_state()
        holder.resume(known)
        return known

    def get_cursor_column_name(self) -> Optional[str]:
        """Return None, which gives the column no hint.

        The hints of columns are in schema.yaml. Another one would change tables that a
        user has frozen.
        """
        return None


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
    active = Container()[PipelineContext]
    schemas = active.pipeline().schemas if active.is_active() else {}
    # its own `get` raises an error for a schema that is not there
    return next((schemas[each] for each in schemas if each == name), None)


def has_rows(schema: Schema, table: str) -> bool:
    """Return whether a table was loaded before, and is not to be dropped now."""
    return has_table_seen_data(schema.tables[table])


def collector() -> Collector:
    """Return what shows the progress of the present pipeline."""
    active = Container()[PipelineContext]
    return active.pipeline().collector if active.is_active() else NULL_COLLECTOR


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
