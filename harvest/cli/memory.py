"""Settings by which a run takes little memory, where the user has none of their own."""

import ctypes
import os
from contextlib import suppress
from typing import Any

import dlt

WORKERS = 3
"""Tables that are loaded at once. dlt's 20 take a connection and room to merge each."""

DUCKDB = {"memory_limit": "140MB", "threads": 1, "preserve_insertion_order": False}
"""DuckDB runs inside of this process. By default it takes up to 80 % of the machine's
memory; each thread needs a part of it, and so does the order of rows. With 110 MB, some
merges fail: of a file that is open, what is not written out yet stays there, too."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of options in C's `mallopt`."""


def give_memory_back() -> None:
    """Give memory back to the system that is not used any more."""
    # Arrow's own allocator keeps what it once had; the import is what asks for it
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        # nor does that of C give back what it had, once it has seen large pieces; with
        # less than these it goes to the system for each page of a table
        with suppress(AttributeError, OSError, TypeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(TRIM_THRESHOLD, 2 * 1024 * 1024)
            libc.mallopt(MMAP_THRESHOLD, 1024 * 1024)


def load_few_tables(pipeline: dlt.Pipeline, workers: int) -> None:
    """Load so many tables at once at most, unless `load.workers` says how many."""
    if dlt.config.get("load.workers") is None:
        able = pipeline.destination.capabilities().max_parallel_load_jobs or workers
        pipeline.destination.caps_params["max_parallel_load_jobs"] = min(able, workers)


def limit_duckdb(pipeline: dlt.Pipeline) -> None:
    """Limit the memory of a DuckDB file, unless `global_config` says otherwise."""
    config: Any = pipeline.destination_client().config
    if not config.credentials.global_config:
        config.credentials.global_config = dict(DUCKDB)
        pipeline.destination.config_params["credentials"] = config.credentials
