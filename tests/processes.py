"""Runs of `load` in processes of their own, which may be killed at any moment."""

import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import dlt

from harvest import harvest_source
from harvest.cli.commands import load
from harvest.cli.errors import explain
from harvest.steps import SECONDS

Settings = Dict[str, Any]

# a server that has imported everything and forks: a new process in milliseconds, not seconds
HOW = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_FORKS: Any = multiprocessing.get_context(HOW)
if HOW == "forkserver":
    _FORKS.set_forkserver_preload(["tests.warm", __name__])

MOVES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.truncate"}
"""What is counted to find a moment: everything that a run does to files passes through these."""


class Run:
    """A run of the pipeline in the present folder, with the present environment.

    Args:
        streams: streams to load.
        dies_at: kill it (SIGKILL) just before its so-manieth dealing with a file.
        dies_before: kill it just before that dealing of which this pattern says what it is, such
            as `os.rename .*/started_jobs/tasks`.
        file_size: bytes that no file may exceed, as if the disk were full.
        destination: name of a destination of dlt.
        dataset: name of the dataset.
        step_seconds: after how long the first step of the load ends, and each later one.
        full_refresh: read everything again.
        max_deleted_share: largest part of a table that may go at once.
        history: lists of which every version is kept.
        **settings: arguments of `harvest_source`.
    """

    def __init__(
        self,
        *streams: str,
        dies_at: Optional[int] = None,
        dies_before: str = "",
        file_size: Optional[int] = None,
        destination: Optional[str] = None,
        dataset: Optional[str] = None,
        step_seconds: Tuple[float, float] = SECONDS,
        full_refresh: bool = False,
        max_deleted_share: float = 0.2,
        history: str = "",
        **settings: Any,
    ) -> None:
        self._said, saying = _FORKS.Pipe(duplex=False)
        how = {
            "destination": destination,
            "dataset": dataset,
            "step_seconds": step_seconds,
            "full_refresh": full_refresh,
            "max_deleted_share": max_deleted_share,
            "history": history,
        }
        target = (streams, how, settings)
        dies = (dies_at, dies_before)
        arguments = (saying, os.getcwd(), dict(os.environ), dies, file_size, target)
        self.process = _FORKS.Process(target=_run, args=arguments)
        self.process.start()
        saying.close()

    def kill(self) -> None:
        assert self.process.pid
        # it may have come to its own end just before
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> Tuple[int, str]:
        """Waits for the end: exit code (-9 when killed), and what was wrong."""
        self.process.join(120)
        assert self.process.exitcode is not None, "the run does not end"
        # EOFError: killed before it could say anything
        try:
            said = str(self._said.recv())
        except EOFError:
            said = ""
        self._said.close()
        return self.process.exitcode, said

    def moves(self) -> int:
        """How often a run that ended well dealt with files: the moments at which it can die."""
        code, said = self.end()
        assert code == 0, said
        return int(said)


def _run(
    saying: Any,
    folder: str,
    environment: Dict[str, str],
    dies: Tuple[Optional[int], str],
    file_size: Optional[int],
    target: Tuple[Sequence[str], Settings, Settings],
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    dlt.current.run_context().reload()
    out = os.open(Path(folder) / "out.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if file_size:
        # Windows has none
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    moves = 0
    dies_at, dies_before = dies

    def count(event: str, about: Any) -> None:
        nonlocal moves
        if event in MOVES:
            moves += 1
            meant = dies_before and re.search(dies_before, f"{event} {about}")
            if meant or moves == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
                # the signal may reach another thread first
                time.sleep(60)

    sys.addaudithook(count)
    streams, how, settings = target
    try:
        source = harvest_source(**settings)
        source = source.with_resources(*streams) if streams else source
        load(source, **how)
    except Exception as error:
        saying.send(explain(error))
        # without waiting for threads, as they may be what is stuck
        saying.close()
        os._exit(1)
    saying.send(moves)


def run_script(
    script: Path, arguments: Sequence[str], environment: Dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Runs a script in the present folder, by a process that has imported dlt already."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        target = (os.getcwd(), environment, script, arguments, out, err)
        process = _FORKS.Process(target=_run_script, args=target)
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(
            [str(script), *arguments], process.exitcode, out.read_text(), err.read_text()
        )


def _run_script(
    folder: str,
    environment: Dict[str, str],
    script: Path,
    arguments: Sequence[str],
    out: Path,
    err: Path,
) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # a file that cannot be read is for the script to tell of
    with suppress(Exception):
        dlt.current.run_context().reload()
    sys.argv = [str(script), *arguments]
    sys.path[:1] = [str(script.parent)]
    runpy.run_path(str(script), run_name="__main__")
