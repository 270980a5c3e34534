"""Chance: changes, faults and deaths in any order, and after each quiet run the copy is right."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import dlt
import pytest
from hypothesis import note
from hypothesis import strategies as st

from harvest.cli.commands import load
from harvest.settings import STREAMS
from sandbox import Account, Server
from sandbox.server import RequestRecord
from tests.chance import LONG, in_batches, play_sequences
from tests.copy import Copy
from tests.helpers import sentence
from tests.processes import Run

GROUPS = {
    "lists": ("clients", "contacts", "projects", "tasks"),
    "entries": ("time_entries", "expenses", "user_assignments", "task_assignments"),
    "invoices": ("invoices", "invoice_messages", "invoice_payments"),
    "estimates": ("estimates", "estimate_messages", "expense_categories"),
    "users": ("users", "cost_rates", "billable_rates", "roles"),
}
"""Streams that a sequence is about: all at once would make it slow."""

FAULTS = {
    "500": ("status", {"code": 500}),
    "429": ("status", {"code": 429, "retry_after": 0}),
    "422": ("status", {"code": 422}),
    "403": ("status", {"code": 403}),
    "reset": ("reset", {}),
    "cut": ("truncate", {}),
    "html": ("html", {}),
    "no key": ("no_key", {}),
}


class Fault(NamedTuple):
    """Something goes wrong with a stream."""

    stream: int
    kind: str
    after: int
    times: Optional[int]


class Step(NamedTuple):
    """What happens between two runs, and in the second of them.

    Attributes:
        changes: seed and number of the changes to the account, with the seconds after each.
        faults: what goes wrong.
        changes_at: before which request the account changes while it is read, and how.
        dies_at: at which of its dealings with files the run dies, in thousandths.
        full_refresh: everything is read again.
    """

    changes: List[Tuple[int, int, int]]
    faults: List[Fault]
    changes_at: List[Tuple[int, int]]
    dies_at: Optional[int]
    full_refresh: bool

    @property
    def quiet(self) -> bool:
        return not self.faults and not self.changes_at and self.dies_at is None


seeds = st.integers(0, 10**6)
rarely = st.sampled_from([False, False, False, True])
changes = st.lists(st.tuples(seeds, st.integers(1, 6), st.integers(0, 3)), max_size=2)
faults = st.builds(
    Fault,
    st.integers(0, 3),
    st.sampled_from(sorted(FAULTS)),
    st.integers(0, 3),
    st.sampled_from([1, 2, None]),
)
steps = st.builds(
    Step,
    changes,
    st.one_of(st.just([]), st.lists(faults, max_size=2)),
    st.one_of(st.just([]), st.lists(st.tuples(st.integers(0, 20), seeds), max_size=3)),
    st.one_of(st.none(), st.integers(1, 1000)),
    rarely,
)


@contextmanager
def folder(parent: Path) -> Iterator[None]:
    """An empty present folder for each sequence."""
    made = Path(tempfile.mkdtemp(dir=parent))
    os.chdir(made)
    os.environ["DLT_DATA_DIR"] = str(made / "dlt")
    dlt.current.run_context().reload()
    try:
        yield
    finally:
        os.chdir(parent)
        shutil.rmtree(made)


def change(account: Account, chance: int, number: int = 3) -> None:
    account.change(chance, number, {"add", "edit", "bill", "delete"})


def play(server: Server, streams: Tuple[str, ...], sequence: List[Step]) -> None:
    copy = Copy(server, rate_window=0.05, substream_refresh_hours=0)
    for step in sequence:
        for chance, number, seconds in step.changes:
            change(server.account, chance, number)
            server.account.clock.advance(seconds)
        for fault in step.faults:
            kind, details = FAULTS[fault.kind]
            path = STREAMS[streams[fault.stream % len(streams)]].path.replace("{id}", "[0-9]+")
            server.faults.add(path, kind, after=fault.after, times=fault.times, **details)
        coming = dict(step.changes_at)
        change_before(server, coming)
        if step.dies_at is not None:
            # a little more than there are, so that some live
            moment = step.dies_at * 1200 // 1000
            dying = Run(
                *streams,
                dies_at=moment,
                full_refresh=step.full_refresh,
                max_deleted_share=1,
                **copy.settings,
            ).end()
            note(f"died: {dying}")
        else:
            try:
                source = copy.source(*streams)
                loaded = load(source, full_refresh=step.full_refresh, max_deleted_share=1)
                copy.pipeline = loaded.pipeline
            except Exception as error:
                if step.quiet:
                    raise
                # what the source does not tell in a sentence of its own is a mistake of its own
                note(f"failed: {sentence(error)}")
            else:
                if step.quiet:
                    copy.check(*streams, names=False)
        server.faults.clear()
        # some were to come at a request that never came
        coming.clear()
    copy.pipeline = load(copy.source(*streams), max_deleted_share=1).pipeline
    copy.check(*streams, names=False)


def change_before(server: Server, coming: Dict[int, int]) -> None:
    """Changes the account before some requests while a run is under way."""
    number = count()

    def once(_: RequestRecord) -> None:
        at = next(number)
        if at in coming:
            change(server.account, coming.pop(at))
            # what is changed next is changed later
            server.account.clock.advance(5)

    if coming:
        server.before(".*", once, times=max(coming) + 1)


@pytest.mark.long
@in_batches
@pytest.mark.parametrize("group", GROUPS)
def test_any_sequence(
    group: str, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # by default, a rate limit that stays reached is waited for for an hour
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_RETRY_DELAY", "0.1")

    def any_sequence(number: int, sequence: List[Step]) -> None:
        account = Account.generate(seed=number, time_entries=40, years=0.4)
        # every list has several pages, which makes some thousands of rows of each superfluous
        with folder(tmp_path), Server(account, limits=False, page_size=7) as server:
            play(server, GROUPS[group], sequence)

    several = st.lists(steps, min_size=1, max_size=5 if LONG else 4)
    number = batch * len(GROUPS) + list(GROUPS).index(group)
    play_sequences(any_sequence, st.integers(0, 99), several, batch=number, few=3, many=25)
