"""Open the pipeline where it stands, and say what is wrong with the destination."""

import logging
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import dlt
from dlt.common.configuration import with_config
from dlt.common.configuration.specs import known_sections
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.pipeline.configuration import PipelineConfiguration

from .. import HarvestError
from .lock import destination_lock, file_lock
from .memory import limit_duckdb
from .postgres import check_postgres

MakePipeline = Callable[[], dlt.Pipeline]


def harvest_pipeline() -> dlt.Pipeline:
    """Return the pipeline that is used unless another is given: DuckDB, here."""
    return dlt.pipeline(
        pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data"
    )


@contextmanager
def opened(
    make: MakePipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    writes: bool = False,
) -> Iterator[dlt.Pipeline]:
    """Open the pipeline, which stands where the destination says that it does.

    dlt also keeps that in its working directory, where it may be left of a run that was
    killed in the middle of anything, or be about another dataset. So that is dropped.

    Args:
        make (MakePipeline): Makes the pipeline, as `dlt.pipeline` does.
        destination (Optional[str]): Name of another destination of dlt.
        dataset (Optional[str]): Name of another dataset.
        writes (bool): Hold the lock of the destination.

    Yields:
        dlt.Pipeline: The pipeline.

    Raises:
        HarvestError: It cannot be used so, with the way out.
    """
    target = _destination(destination) if destination else None
    with file_lock(Path(_working_directories()) / "harvest.lock"):
        _forget(make)
        pipeline = make()
        if target:
            pipeline.destination = target
        if dataset:
            layout = pipeline.config.dataset_name_layout or "%s"
            pipeline.dataset_name = layout % dataset
        _refuse(pipeline)
        if database_file(pipeline):
            limit_duckdb(pipeline)
        lock = destination_lock(pipeline) if writes else nullcontext()
        with lock, _no_empty_database(pipeline):
            if writes:
                check_postgres(pipeline)
                _replace_at_once(pipeline)
            pipeline.sync_destination()
            yield pipeline


def _forget(make: MakePipeline) -> None:
    """Drop the working directory, which may be that of a run in another folder."""
    before = logging.root.manager.disable
    # dlt warns of what an earlier run left there, such as another destination
    logging.disable(logging.WARNING)
    try:
        make().drop()
    finally:
        logging.disable(before)


@with_config(
    spec=PipelineConfiguration,
    sections=(known_sections.PIPELINES,),
    section_arg_name="pipeline_name",
)
def _working_directories(
    pipeline_name: str = "harvest", pipelines_dir: Optional[str] = None
) -> str:
    """Return the folder of dlt's working directories, as dlt finds it."""
    return pipelines_dir or str(get_dlt_pipelines_dir())


def _destination(name: str) -> Any:
    try:
        return Destination.from_reference(name)
    except UnknownDestinationModule:
        raise HarvestError(
            f"dlt has no destination {name}; those that it has are listed at"
            " https://dlthub.com/docs/dlt-ecosystem/destinations."
        ) from None


def _refuse(pipeline: dlt.Pipeline) -> None:
    """Raise what is known to go wrong before anything is read."""
    if not pipeline.config.restore_from_destination:
        raise HarvestError(
            "restore_from_destination is false (RESTORE_FROM_DESTINATION in the"
            " environment, or config.toml), but each run begins where the destination"
            " says that the last one ended: leave it out."
        )
    database = database_file(pipeline)
    if database and database.stem.lower() == pipeline.dataset_name.lower():
        raise HarvestError(
            f"The dataset {pipeline.dataset_name} has the name of its DuckDB file,"
            f" {database.name}, so that DuckDB cannot tell which of them a name means:"
            " choose another name with --dataset."
        )


def database_file(pipeline: dlt.Pipeline) -> Optional[Path]:
    """Return the file of a DuckDB database; None for other destinations."""
    config: Any = pipeline.destination_client().config
    database = str(getattr(config.credentials, "database", "") or "")
    in_file = kind_of(pipeline) == "duckdb" and database[:1] != ":"
    return Path(database) if in_file else None


def kind_of(pipeline: dlt.Pipeline) -> str:
    """Return the kind of the destination, such as `duckdb`, whatever its name is."""
    return pipeline.destination.destination_type.rpartition(".")[2]


@contextmanager
def _no_empty_database(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Delete a DuckDB file that came to be by being looked into, with nothing in it."""
    database = database_file(pipeline)
    is_new = database and not database.exists()
    try:
        yield
    finally:
        if database and is_new and _is_empty(database):
            for file in (database, Path(f"{database}.lock")):
                with suppress(OSError):
                    file.unlink()


def _is_empty(database: Path) -> bool:
    import duckdb

    if not database.exists():
        return False
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            tables = connection.execute("SELECT 1 FROM duckdb_tables() LIMIT 1")
            return not tables.fetchall()
    except duckdb.Error:
        return False


def _replace_at_once(pipeline: dlt.Pipeline) -> None:
    """Have a table that is replaced be so at once or not at all, wherever a run dies.

    Where it depends on the table whether that can be done, as with files, dlt knows
    best.
    """
    able = pipeline.destination.capabilities()
    config: Any = pipeline.destination_client().config
    plain = getattr(config, "replace_strategy", None) == "truncate-and-insert"
    if plain and not able.replace_strategies_selector:
        pipeline.destination.config_params["replace_strategy"] = "insert-from-staging"


def place(pipeline: dlt.Pipeline) -> str:
    """Return where the tables are, in words."""
    config: Any = pipeline.destination_client().config
    where = str(config)
    if kind_of(pipeline) == "bigquery":
        where = f"BigQuery project {config.project_id or config.credentials.project_id}"
    return f"{pipeline.dataset_name} ({where})"
