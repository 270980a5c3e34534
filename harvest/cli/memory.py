"""Settings by which a run takes little memory, where the user has none of their own."""

import ctypes
import os
from contextlib import contextmanager, suppress
from typing import Any, Iterator

import dlt

WORKERS = 3
"""Tables that are loaded at once. dlt's 20 take a connection and room to merge each."""

DUCKDB = {"memory_limit": "140MB", "threads": 1, "preserve_insertion_order": False}
"""DuckDB runs inside of this process. By default it takes up to 80 % of the machine's
memory; each thread needs a part of it, and so does the order of rows. With 110 MB, some
merges fail: of a file that is open, what is not written out yet stays there, too."""

MORE = "560MB"
"""The limit with which a load is tried once more that had too little memory."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of options in C's `mallopt`."""
KILOBYTE = 1024
C_DEFAULT = 128 * KILOBYTE
"""The default values of the two options."""


@contextmanager
def memory_given_back() -> Iterator[None]:
    """Give memory back to the system that is not used any more."""
    # Arrow's own allocator keeps what it once had; the import is what asks for it
    pool = "ARROW_DEFAULT_MEMORY_POOL"
    is_free = pool not in os.environ
    os.environ.setdefault(pool, "system")
    # nor does that of C give back what it had, once it has seen large pieces; with less
    # than these it goes to the system for each page of a table
    _set_thresholds(2 * KILOBYTE * KILOBYTE, KILOBYTE * KILOBYTE)
    try:
        yield
    finally:
        if is_free:
            del os.environ[pool]
        _set_thresholds(C_DEFAULT, C_DEFAULT)


def _set_thresholds(trim: int, mmap: int) -> None:
    """Set from which size on C's allocator gives memory back to the system."""
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        with suppress(AttributeError, OSError, TypeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(TRIM_THRESHOLD, trim)
            libc.mallopt(MMAP_THRESHOLD, mmap)


def load_few_tables(pipeline: dlt.Pipeline, workers: int) -> None:
    """Load so many tables at once at most, unless `load.workers` says how many."""
    if dlt.config.get("load.workers") is None:
        able = pipeline.destination.capabilities().max_parallel_load_jobs or workers
        pipeline.destination.caps_params["max_parallel_load_jobs"] = min(able, workers)


def limit_duckdb(pipeline: dlt.Pipeline, config: Any) -> None:
    """Limit the memory of a DuckDB file, unless `global_config` says otherwise."""
    if not config.credentials.global_config:
        config.credentials.global_config = dict(DUCKDB)
        pipeline.destination.config_params["credentials"] = config.credentials


def raise_limit(pipeline: dlt.Pipeline) -> bool:
    """Give DuckDB more memory, unless the user set a limit; return whether it has more.

    A table with hundreds of columns takes more than others while rows are merged.
    """
    credentials: Any = pipeline.destination.config_params.get("credentials")
    if getattr(credentials, "global_config", None) != DUCKDB:
        return False
    credentials.global_config = {**DUCKDB, "memory_limit": MORE}
    return True
