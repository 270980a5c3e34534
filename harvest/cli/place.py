"""A working directory for each place that is loaded into, which agrees with that place.

dlt keeps one working directory for each name of a pipeline, whatever its destination
and dataset are. Here the one of that name belongs to the place that the script names;
each other place gets a directory of its own beside it.
"""

from contextlib import contextmanager, suppress
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator, Optional, Tuple

import dlt
from dlt.common.configuration import with_config
from dlt.common.configuration.specs import known_sections
from dlt.common.destination import Destination
from dlt.common.destination.client import (
    DestinationClientDwhConfiguration,
    WithStateSync,
)
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.storages.configuration import WithLocalFiles
from dlt.pipeline.configuration import PipelineConfiguration
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from .. import HarvestError
from ..typing import Row
from .dlt_internals import forget_state, stored_state
from .lock import file_lock

MakePipeline = Callable[[], dlt.Pipeline]

PLACE = "harvest_place"
"""Names the place of a working directory in dlt's local state."""
BEGAN_FROM = "harvest_began_from"
"""Names the version in the destination that the last run began from, likewise."""


@contextmanager
def pipeline_at(
    make: MakePipeline, destination: Optional[str] = None, dataset: Optional[str] = None
) -> Iterator[dlt.Pipeline]:
    """Yield the pipeline of a place, with the working directory of that place.

    Args:
        make (MakePipeline): Makes the pipeline, as `dlt.pipeline` does.
        destination (Optional[str]): Name of another destination of dlt.
        dataset (Optional[str]): Name of another dataset.

    Yields:
        dlt.Pipeline: The pipeline.
    """
    target = Destination.from_reference(destination) if destination else None
    # two that create the same directory at once would delete it for each other
    with file_lock(_working_directories() / "harvest.opening", patience=60):
        given = make()
        before = given.destination, given.dataset_name, given.collector
        named, folder = _name(given), _folder(given)
        place = _place(given, _move(given, target, dataset))
        noted = _note(given, PLACE)
        is_free = noted is None and _folder(given) == folder
        if _name(given) == named and (noted == place or is_free):
            pipeline = given
        else:
            pipeline = _at(Path(given.working_dir + ".places", place), given)
        pipeline.set_local_state_val(PLACE, place)
    try:
        yield pipeline
    finally:
        given.dataset_name, given.collector = before[1:]
        if before[0]:
            given.destination = before[0]


def _move(pipeline: dlt.Pipeline, target: Optional[Any], dataset: Optional[str]) -> Any:
    """Set another destination and dataset, in the folder of this process.

    Returns:
        DestinationClientConfiguration: The settings of the destination.
    """
    destination = deepcopy(target or pipeline.destination)
    if issubclass(destination.spec, WithLocalFiles):
        # dlt would go on to use the folder in which the directory was created
        here = dlt.current.run_context().local_dir
        destination.config_params["local_dir"] = str(Path(here).absolute())
    pipeline.destination = destination
    if dataset:
        layout = pipeline.config.dataset_name_layout or "%s"
        pipeline.dataset_name = layout % dataset
        if "." in dataset:
            raise HarvestError(
                f"The dataset {dataset} has a dot in its name, which separates names in"
                " a database: choose a name without."
            )
    client: Any = pipeline.destination_client()
    if isinstance(client.config, DestinationClientDwhConfiguration):
        # as dlt names the tables: Agency One becomes agency_one
        named = client.config.normalize_dataset_name(client.schema)
        pipeline.dataset_name = named or pipeline.dataset_name
    return client.config


def _name(pipeline: dlt.Pipeline) -> Tuple[Any, ...]:
    """Return what a script says of a place."""
    destination: Any = pipeline.destination
    kind = destination and (
        destination.destination_type,
        destination.configured_name,
    )
    return kind, pipeline.dataset_name


def _folder(pipeline: dlt.Pipeline) -> Optional[str]:
    """Return the folder to which paths are relative, if there are any."""
    params = pipeline.destination.config_params if pipeline.destination else {}
    folder: Optional[str] = params.get("local_dir")
    return folder


def _place(pipeline: dlt.Pipeline, config: Any) -> str:
    """Return the name of a place: readable, and different for each."""
    kind = pipeline.destination.destination_type
    # neither the password nor another secret is in it
    where = f"{kind} {config} {pipeline.dataset_name}"
    digest = sha256(where.encode()).hexdigest()[:12]
    return f"{pipeline.destination.destination_name}-{pipeline.dataset_name}-{digest}"


def _at(folder: Path, given: dlt.Pipeline) -> dlt.Pipeline:
    """Return a pipeline like another, with its working directory in a folder."""
    params = given.destination.config_params
    if params.get("pipeline_working_dir") == given.working_dir:
        del params["pipeline_working_dir"]
    given_schemas: Any = given.schemas.config
    refresh: Any = given.refresh
    pipeline = dlt.pipeline(
        given.pipeline_name,
        pipelines_dir=str(folder),
        pipeline_salt=given.pipeline_salt,
        destination=given.destination,
        staging=given.staging,
        import_schema_path=given_schemas.import_schema_path,
        export_schema_path=given_schemas.export_schema_path,
        refresh=refresh,
        progress=given.collector,
    )
    pipeline.dataset_name = given.dataset_name
    with pipeline.managed_state():
        # stores the name: dlt warns where that in the destination is another
        return pipeline


@with_config(
    spec=PipelineConfiguration,
    sections=(known_sections.PIPELINES,),
    section_arg_name="pipeline_name",
)
def _working_directories(
    pipeline_name: str = "harvest", pipelines_dir: Optional[str] = None
) -> Path:
    """Return the folder of dlt's working directories, as dlt finds it."""
    return Path(pipelines_dir or get_dlt_pipelines_dir())


def _note(pipeline: dlt.Pipeline, name: str) -> Any:
    """Return what was noted in dlt's local state; None if nothing was."""
    with suppress(KeyError):
        return pipeline.get_local_state_val(name)
    return None


def agree(pipeline: dlt.Pipeline) -> None:
    """Have dlt's local state agree with the destination before a run.

    It is used as it is if the destination holds the same version. Else dlt restores it
    from there: the dataset was dropped, or restored from a backup, or another machine
    loaded into it. A load package that an earlier run left behind is loaded later, if
    the destination is as that run found it.

    Args:
        pipeline (dlt.Pipeline): The pipeline.

    Raises:
        HarvestError: There is a load package that must not be loaded any more.
    """
    stored = _stored_state(pipeline)
    version = stored.get("_version_hash")
    if pipeline.has_pending_data:
        if not _may_be_loaded(pipeline, stored):
            raise HarvestError(
                f"An earlier run left a load package in {pipeline.working_dir}, but"
                f" {pipeline.dataset_name} has changed since: remove it with"
                f" `{drop_command(pipeline)}`, and run again."
            )
    elif version != pipeline.state.get("_version_hash") and _keeps_state(pipeline):
        forget_state(pipeline)
        pipeline.sync_destination()
    pipeline.set_local_state_val(BEGAN_FROM, version)


def note_end(pipeline: dlt.Pipeline) -> None:
    """Note that a run has ended, and that a script may add packages to what it left."""
    pipeline.set_local_state_val(BEGAN_FROM, pipeline.state.get("_version_hash"))


def _may_be_loaded(pipeline: dlt.Pipeline, stored: Row) -> bool:
    """Return whether the destination is as it was when a package was made for it."""
    mine: Any = pipeline.state
    version = stored.get("_version_hash")
    if not _keeps_state(pipeline) or (version and version == mine.get("_version_hash")):
        return True
    with suppress(KeyError):
        began: Optional[str] = pipeline.get_local_state_val(BEGAN_FROM)
        return bool(began == version)
    # a script extracted it
    if not stored:
        return pipeline.first_run
    return bool(mine["_state_version"] > stored["_state_version"])


def _keeps_state(pipeline: dlt.Pipeline) -> bool:
    """Return whether the destination keeps dlt's state."""
    return isinstance(pipeline.destination_client(), WithStateSync)


@retry(
    retry=retry_if_exception(lambda error: "initialize DuckLake" in str(error)),
    wait=wait_fixed(1),
    stop=stop_after_attempt(3),
    reraise=True,
)
def _stored_state(pipeline: dlt.Pipeline) -> Row:
    """Return the state that the destination holds; nothing if there is none.

    Of two first runs that create the catalog of one DuckLake at once, one fails, and
    finds the catalog when it tries again.
    """
    with pipeline.destination_client() as client, suppress(DestinationUndefinedEntity):
        if isinstance(client, WithStateSync):
            return stored_state(pipeline.pipeline_name, client)
    return {}


def drop_command(pipeline: dlt.Pipeline) -> str:
    """Return the command that removes load packages which are not loaded yet."""
    folder = Path(pipeline.working_dir).parent
    where = (
        "" if folder == Path(get_dlt_pipelines_dir()) else f" --pipelines-dir {folder}"
    )
    return f"dlt pipeline{where} {pipeline.pipeline_name} abort-packages"


@contextmanager
def to_be_read(pipeline: dlt.Pipeline) -> Iterator[dlt.Pipeline]:
    """Yield a pipeline in the state of the destination, and leave this one as it is."""
    stored = _stored_state(pipeline)
    version = stored.get("_version_hash")
    agrees = version == pipeline.state.get("_version_hash")
    if not _keeps_state(pipeline) or (agrees and not pipeline.has_pending_data):
        yield pipeline
        return
    with TemporaryDirectory(prefix="harvest_") as folder:
        restored = _at(Path(folder), pipeline)
        restored.sync_destination()
        yield restored
