"""Open the pipeline where it stands, and say what is wrong with the destination."""

import logging
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator, List, Optional

import dlt
import duckdb
from dlt.common.configuration import with_config
from dlt.common.configuration.specs import known_sections
from dlt.common.destination import Destination
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.pipeline.configuration import PipelineConfiguration
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from .. import HarvestError
from .lock import advisory_lock, bucket_lock, file_lock
from .memory import WORKERS, limit_duckdb, load_few_tables
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
    target = Destination.from_reference(destination) if destination else None
    with file_lock(_working_directories() / "harvest.lock"):
        _forget(make)
        pipeline = make()
        if target:
            pipeline.destination = target
        if dataset:
            layout = pipeline.config.dataset_name_layout or "%s"
            pipeline.dataset_name = layout % dataset
        database = database_file(pipeline)
        _refuse(pipeline, database)
        load_few_tables(pipeline, 1 if database else WORKERS)
        if database:
            limit_duckdb(pipeline)
        lock = destination_lock(pipeline, database) if writes else nullcontext()
        with lock, _no_empty_file(database):
            if writes and kind_of(pipeline) == "postgres":
                check_postgres(pipeline)
            if writes:
                _replace_at_once(pipeline)
            _sync(pipeline)
            yield pipeline


@retry(
    retry=retry_if_exception(lambda error: "initialize DuckLake" in str(error)),
    wait=wait_fixed(1),
    stop=stop_after_attempt(3),
    reraise=True,
)
def _sync(pipeline: dlt.Pipeline) -> None:
    """Read where the pipeline stands.

    Of two first runs that create the catalog of one DuckLake at once, one fails, and
    finds the catalog when it tries again.
    """
    pipeline.sync_destination()


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
) -> Path:
    """Return the folder of dlt's working directories, as dlt finds it."""
    return Path(pipelines_dir or get_dlt_pipelines_dir())


def _refuse(pipeline: dlt.Pipeline, database: Optional[Path]) -> None:
    """Raise what is known to go wrong before anything is read."""
    if not pipeline.config.restore_from_destination:
        raise HarvestError(
            "restore_from_destination is false (RESTORE_FROM_DESTINATION in the"
            " environment, or config.toml), but each run begins where the destination"
            " says that the last one ended: leave it out."
        )
    if database and database.stem.lower() == pipeline.dataset_name.lower():
        raise HarvestError(
            f"The dataset {pipeline.dataset_name} has the name of its DuckDB file,"
            f" {database.name}, so that DuckDB cannot tell which of them a name means:"
            " choose another name with --dataset."
        )


def database_file(pipeline: dlt.Pipeline) -> Optional[Path]:
    """Return the file of a DuckDB database; None for other destinations."""
    if kind_of(pipeline) != "duckdb":
        return None
    config: Any = pipeline.destination_client().config
    database = str(config.credentials.database)
    return None if database.startswith(":") else Path(database)


def kind_of(pipeline: dlt.Pipeline) -> str:
    """Return the kind of the destination, such as `duckdb`, whatever its name is."""
    return pipeline.destination.destination_type.rpartition(".")[2]


def destination_lock(
    pipeline: dlt.Pipeline, database: Optional[Path]
) -> ContextManager[None]:
    """Return the lock that the destination keeps: PostgreSQL, DuckDB, file systems.

    It ends with the process that holds it, in a bucket at the latest after `LEASE`
    seconds. Other destinations keep none.

    Args:
        pipeline (dlt.Pipeline): The pipeline, with its destination and dataset.
        database (Optional[Path]): Its DuckDB file.
    """
    if database:
        return file_lock(Path(f"{database}.lock"))
    kind, name = kind_of(pipeline), f"{pipeline.dataset_name}.lock"
    if kind == "postgres":
        return advisory_lock(pipeline)
    if kind != "filesystem":
        return nullcontext()
    client: Any = pipeline.destination_client()
    if client.is_local_filesystem:
        return file_lock(Path(client.bucket_path) / name)
    return bucket_lock(client.fs_client, f"{client.bucket_path}/{name}")


@contextmanager
def _no_empty_file(database: Optional[Path]) -> Iterator[None]:
    """Delete a DuckDB file that came to be by being looked into, with nothing in it."""
    is_new = database and not database.exists()
    try:
        yield
    finally:
        # also none that is not there, nor one that another program has open
        with suppress(duckdb.Error, OSError):
            if database and is_new and not _tables_in(database):
                database.unlink()
                Path(f"{database}.lock").unlink()


def _tables_in(database: Path) -> List[Any]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute("SELECT 1 FROM duckdb_tables() LIMIT 1").fetchall()


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
