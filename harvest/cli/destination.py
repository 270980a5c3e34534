"""Open the pipeline where it stands, and say what is wrong with the destination."""

import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, ContextManager, Iterator, List, Optional

import dlt
import duckdb

from .. import HarvestError
from .errors import causes
from .lock import advisory_lock, bucket_lock, file_lock
from .memory import WORKERS, limit_duckdb, load_few_tables, raise_limit
from .mysql import widen_texts
from .place import MakePipeline, agree, note_end, pipeline_at, to_be_read
from .postgres import bounded_waiting, check_postgres, holder_named
from .process import Signals

PATIENCE = 60
"""Seconds that a load waits for a DuckDB file which another program has open."""


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
    signals: Optional[Signals] = None,
) -> Iterator[dlt.Pipeline]:
    """Open the pipeline in the state of the destination.

    Args:
        make (MakePipeline): Makes the pipeline, as `dlt.pipeline` does.
        destination (Optional[str]): Name of another destination of dlt.
        dataset (Optional[str]): Name of another dataset.
        writes (bool): Hold the locks of a run. Without, nothing is changed.
        signals (Optional[Signals]): Those that cancel what the destination waits for.

    Yields:
        dlt.Pipeline: The pipeline.

    Raises:
        HarvestError: It cannot be used so, with the way out.
    """
    with pipeline_at(make, destination, dataset) as pipeline:
        # once, since dlt reads the schema and all settings for each
        config: Any = pipeline.destination_client().config
        database = database_file(pipeline, config)
        _refuse(pipeline, database)
        alone = database or kind_of(pipeline) == "sqlalchemy"
        load_few_tables(pipeline, 1 if alone else WORKERS)
        if database:
            limit_duckdb(pipeline, config)
        if kind_of(pipeline) == "sqlalchemy":
            widen_texts(pipeline, config)
        if kind_of(pipeline) == "postgres" and signals:
            signals.cancel.append(bounded_waiting(pipeline))
        if writes:
            _replace_at_once(pipeline, config)
        opening = _to_be_written(pipeline, database) if writes else to_be_read(pipeline)
        with _no_empty_file(database), opening as ready:
            yield ready


@contextmanager
def _to_be_written(
    pipeline: dlt.Pipeline, database: Optional[Path]
) -> Iterator[dlt.Pipeline]:
    """Yield a pipeline that no other run writes to meanwhile."""
    directory = file_lock(Path(f"{pipeline.working_dir}.lock"))
    with directory, destination_lock(pipeline, database):
        is_postgres = kind_of(pipeline) == "postgres"
        if is_postgres:
            check_postgres(pipeline)
        with holder_named(pipeline) if is_postgres else nullcontext():
            agree(pipeline)
            yield pipeline
            note_end(pipeline)


def _refuse(pipeline: dlt.Pipeline, database: Optional[Path]) -> None:
    """Raise what is known to go wrong before anything is read."""
    if not pipeline.config.restore_from_destination:
        raise HarvestError(
            "restore_from_destination is false (RESTORE_FROM_DESTINATION in the"
            " environment, or config.toml), but each run begins where the destination"
            " says that the last one ended: leave it out."
        )
    if database and database.is_dir():
        raise HarvestError(
            f"{database} is a folder, but DuckDB needs a file: correct the credentials"
            " of the destination."
        )
    if database and database.stem.lower() == pipeline.dataset_name.lower():
        raise HarvestError(
            f"The dataset {pipeline.dataset_name} has the name of its DuckDB file,"
            f" {database.name}, so that DuckDB cannot tell which of them a name means:"
            " choose another name with --dataset."
        )


def database_file(pipeline: dlt.Pipeline, config: Any) -> Optional[Path]:
    """Return the file of a DuckDB database; None for other destinations."""
    if kind_of(pipeline) != "duckdb":
        return None
    database = str(config.credentials.database)
    return None if database.startswith(":") else Path(database)


def load_tables(pipeline: dlt.Pipeline) -> None:
    """Load what is prepared: again, if DuckDB had too little memory, or was locked."""
    try:
        with _held_open(pipeline):
            pipeline.load()
    except Exception as error:
        why = " ".join(str(each) for each in causes(error))
        is_short = "Out of Memory" in why and raise_limit(pipeline)
        if not is_short and not ("lock on file" in why and _is_free(pipeline)):
            raise
        with _held_open(pipeline):
            pipeline.load()


def _is_free(pipeline: dlt.Pipeline) -> bool:
    """Wait for a while until no other program has the DuckDB file open.

    DuckDB lets one process have it, also one that only reads, as `verify` does.
    """
    database = database_file(pipeline, pipeline.destination_client().config)
    for _ in range(PATIENCE):
        with suppress(duckdb.IOException), duckdb.connect(str(database)):
            return True
        time.sleep(1)
    return False


def _held_open(pipeline: dlt.Pipeline) -> ContextManager[Any]:
    """Return what holds a DuckDB file open while tables are loaded into it.

    dlt opens it for each table, and DuckDB writes out what the file is made of each
    time that it is closed.
    """
    is_duckdb = kind_of(pipeline) == "duckdb"
    held: Any = pipeline.sql_client() if is_duckdb else nullcontext()
    return held  # type: ignore[no-any-return]


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


def _replace_at_once(pipeline: dlt.Pipeline, config: Any) -> None:
    """Have a table that is replaced be so at once or not at all, wherever a run dies.

    Where it depends on the table whether that can be done, as with files, dlt knows
    best.
    """
    able = pipeline.destination.capabilities()
    strategy: Any = getattr(config, "replace_strategy", None)
    known = able.supported_replace_strategies or []
    if strategy and strategy not in known:
        raise HarvestError(
            f"replace_strategy is {strategy}, which {kind_of(pipeline)} cannot do:"
            f" leave it out, or take one of {', '.join(map(str, known))}."
        )
    safe = "insert-from-staging"
    plain = strategy in (None, "truncate-and-insert") and safe in known
    if plain and not able.replace_strategies_selector:
        pipeline.destination.config_params["replace_strategy"] = safe


def place(pipeline: dlt.Pipeline) -> str:
    """Return where the tables are, in words."""
    config: Any = pipeline.destination_client().config
    where = str(config)
    if kind_of(pipeline) == "bigquery":
        where = f"BigQuery project {config.project_id or config.credentials.project_id}"
    return f"{pipeline.dataset_name} ({where})"
