"""A command leaves the process in which it runs as it found it."""

import logging
import os
import signal
import sys
import threading
from typing import Any, Dict, List

import dlt
import pyarrow
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest import harvest_source
from harvest.cli import main
from harvest.cli.process import Signals, open_streams
from sandbox import Server
from tests.script import environment

SOME = ["--resources", "clients", "-q"]


def pipeline() -> dlt.Pipeline:
    return dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")


def found() -> Dict[str, Any]:
    """What a process has that a command may change."""
    context = Container()[PipelineContext]
    return {
        "environment": dict(os.environ),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "streams": (sys.stdout, sys.stderr),
        "active": context.pipeline() if context.is_active() else None,
        "filters": [*logging.getLogger("dlt").filters],
        "level": logging.getLogger("dlt").level,
        "disabled": logging.root.manager.disable,
        "arrow": pyarrow.default_memory_pool().backend_name,
        "hook": sys.excepthook,
    }


@pytest.fixture
def empty(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the sandbox, and variables that are there, with nothing in them."""
    for name, text in environment(server).items():
        monkeypatch.setenv(name, text)
    for name in ("SOURCES__HARVEST__START_DATE", "NORMALIZE__WORKERS", "NOBODY_KNOWS"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 0), (["--destination", "oracel"], 1), (["verify", "-v"], 1)]
)
@pytest.mark.usefixtures("empty")
def test_it_leaves_the_process_as_it_was(arguments: List[str], code: int) -> None:
    before = found()
    assert main(pipeline, harvest_source, [*SOME, *arguments]) == code
    assert found() == before


@pytest.mark.usefixtures("empty")
def test_the_active_pipeline_stays_active() -> None:
    mine = dlt.pipeline("mine", destination="duckdb")
    assert main(pipeline, harvest_source, SOME) == 0
    assert mine.is_active
    assert Container()[PipelineContext].pipeline() is mine


@pytest.mark.usefixtures("empty")
def test_the_pipeline_of_a_script_stays_as_it_was() -> None:
    """Also where the script makes it once, and gives it every time."""
    mine = pipeline()
    before = (mine.destination, mine.dataset_name, mine.collector)
    for dataset in ("harvest_data", "other"):
        assert main(lambda: mine, harvest_source, [*SOME, "--dataset", dataset]) == 0
        assert (mine.destination, mine.dataset_name, mine.collector) == before


@pytest.mark.usefixtures("empty")
def test_it_runs_in_another_thread(capsys: pytest.CaptureFixture[str]) -> None:
    """Where signals cannot be set, and errors are told all the same."""
    codes: List[int] = []

    def work() -> None:
        codes.append(main(pipeline, harvest_source, SOME))
        codes.append(main(pipeline, harvest_source, [*SOME, "--destination", "oracel"]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [0, 1]
    assert "error: dlt has no destination oracel" in capsys.readouterr().err


def test_a_signal_is_heard_while_something_waits() -> None:
    """In the middle of what does not come back to Python, as a statement that waits for a lock."""
    signals, cancelled = Signals(), threading.Event()
    signals.cancel.append(cancelled.set)
    with pytest.raises(KeyboardInterrupt), signals.heard():
        signal.raise_signal(signal.SIGTERM)
    assert cancelled.wait(5)
    assert set(signals.received) == {signal.SIGTERM}


def test_streams_that_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with open_streams():
        print("to nobody", file=sys.stderr)
    assert sys.stderr is None
