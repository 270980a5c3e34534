"""Keep two runs apart: on this machine, and where the destination can hold a lock."""

import json
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Iterator

import dlt

from .. import HarvestError

LEASE = 600
"""Seconds for which a lock in a bucket is good, unless its owner renews it."""


def busy(where: str) -> HarvestError:
    """Return the error that tells of another run."""
    return HarvestError(
        f"Another run of this pipeline is under way (it holds {where}): run again when"
        " it has ended."
    )


@contextmanager
def file_lock(file: Path, patience: float = 0) -> Iterator[None]:
    """Hold a lock on a file, which is created and stays.

    The lock is SQLite's: it works on all systems, and ends with the process.

    Args:
        file (Path): The file, used for nothing else.
        patience (float): Seconds to wait for another run that holds it.

    Raises:
        HarvestError: Another run holds it, or the file cannot be used for that.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not os.access(file, os.W_OK):
        # SQLite would open it to read, and then lock nothing
        raise PermissionError(13, "", str(file))
    try:
        with closing(
            sqlite3.connect(file, timeout=patience, isolation_level=None)
        ) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
    except sqlite3.DatabaseError as error:
        if "database is locked" in str(error):
            raise busy(str(file)) from None
        if not os.access(file.parent, os.W_OK):
            raise PermissionError(13, "", str(file.parent)) from error
        raise HarvestError(
            f"{file} cannot be locked, as a run must do: delete it if it is a file of"
            " something else, or move the folder to a disk that can lock files"
            " (PIPELINES_DIR sets dlt's)."
        ) from error


@contextmanager
def advisory_lock(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Hold an advisory lock of PostgreSQL's, in a connection of its own.

    It belongs to a transaction, so that it also holds behind a connection pooler, and
    so that the server's time-out for idle sessions does not end it.

    Args:
        pipeline (dlt.Pipeline): A pipeline with a PostgreSQL destination.

    Raises:
        HarvestError: Another run holds it.
    """
    name = f"harvest/{pipeline.dataset_name}".encode()
    key = int.from_bytes(sha256(name).digest()[:8], "big", signed=True)
    client = pipeline.sql_client()
    client.open_connection()
    try:
        # not begin_transaction(): what went well stays so when the lock cannot be given
        # back because the database went away in the end
        client.native_connection.autocommit = False
        client.execute_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        answer = client.execute_sql("SELECT pg_try_advisory_xact_lock(%s)", key)
        if not (answer and answer[0][0]):
            raise busy(f"the lock of {pipeline.dataset_name} in PostgreSQL")
        yield
    finally:
        with suppress(Exception):
            client.close_connection()


@contextmanager
def bucket_lock(files: Any, place: str) -> Iterator[None]:
    """Hold a lock in a bucket: the newest of several small files, each written once.

    A file is created on the condition that there is none of its name, which a bucket
    grants to one writer. The owner renews it; who finds the newest not renewed for
    `LEASE` seconds, or given back, creates the next.

    Args:
        files (Any): The file system, as `fsspec` has it.
        place (str): Folder of the locks.

    Raises:
        HarvestError: Another run holds it.
    """
    older = []
    with suppress(FileNotFoundError):
        files.invalidate_cache()
        older = sorted(files.ls(place, detail=False))
    number, until = 0, 0.0
    try:
        if older:
            number = int(older[-1].rpartition("/")[2][:12])
            until = float(json.loads(files.cat_file(older[-1]))["until"])
    except FileNotFoundError:
        # another run has just put its own in its place
        raise busy(place) from None
    if until > time.time():
        raise busy(f"{place}, until {time.strftime('%H:%M', time.localtime(until))}")
    mine = f"{place}/{number + 1:012}.json"
    try:
        files.pipe_file(mine, _lease(LEASE), mode="create")
    except FileExistsError:
        raise busy(place) from None
    ended = threading.Event()
    thread = threading.Thread(target=_renew, args=(files, mine, ended), daemon=True)
    thread.start()
    try:
        for name in older:
            with suppress(FileNotFoundError):
                files.rm_file(name)
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(Exception):
            files.pipe_file(mine, _lease(0))


def _lease(seconds: float) -> bytes:
    return json.dumps({"until": time.time() + seconds}).encode()


def _renew(files: Any, mine: str, ended: threading.Event) -> None:
    while not ended.wait(LEASE / 10):
        # one that fails is followed by others, long before the lease ends
        with suppress(Exception):
            files.pipe_file(mine, _lease(LEASE))
