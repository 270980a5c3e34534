"""Any sequence of changes, and any change while the comparison is under way."""

from typing import Any, Iterator, List, Set, Tuple

import pytest
from hypothesis import strategies as st

from harvest.reconcile import reconcile, verify
from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.chance import in_batches, play_sequences
from tests.copy import Copy
from tests.helpers import agree

Step = Tuple[int, int, Set[str], int]
kinds = st.sets(st.sampled_from(["add", "edit", "delete", "bill"]), min_size=1)
steps = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(1, 25), kinds, st.integers(0, 3)),
    min_size=1,
    max_size=2,
)


def change(account: Account, step: Step) -> None:
    """Changes of all kinds, and some that leave no trace."""
    seed, count, kinds, silent = step
    account.change(seed=seed, count=count, kinds=kinds)
    rows = account.rows("time_entries")
    for number in range(silent):
        row = rows[(seed + 37 * number) % len(rows)]
        fields: Any = [{"hours": 1.75}, {"billable_rate": 7}, {"invoice_id": None}][number]
        account.edit("time_entries", row["id"], touch=False, **fields)


@pytest.mark.long
@in_batches
def test_one_run_after_any_changes(batch: int) -> None:
    play_sequences(one_run_after, steps, batch=batch, few=2, many=10)


def one_run_after(sequence: List[Step]) -> None:
    account = Account.generate(seed=sequence[0][0] % 5, time_entries=60, years=0.6)
    with Server(account, limits=False) as server:
        copy = Copy(server)
        copy.run()
        for step in sequence:
            change(account, step)
            copy.run(substream_refresh_hours=0)
            reconcile(copy.pipeline, copy.source(), max_deleted_share=1)
            copy.check(names=False)
            agree(verify(copy.pipeline, copy.source()))


@pytest.mark.long
@in_batches
def test_nothing_that_lives_is_removed(batch: int) -> None:
    changes = st.integers(0, 10_000), st.integers(1, 4), kinds
    play_sequences(only_the_dead_are_removed, *changes, batch=batch, few=2, many=10)


def only_the_dead_are_removed(seed: int, often: int, kinds: Set[str]) -> None:
    """The account changes before every so-manieth request of the comparison."""
    account = Account.generate(seed=seed % 5, time_entries=60, years=0.6)
    with Server(account, limits=False) as server:
        copy = Copy(server)
        copy.run()
        account.change(seed=seed, count=10, kinds={"delete"})
        lists = [name for name in STREAMS if STREAMS[name].kind == "list"]
        before = {name: set(copy.rows(name)) for name in lists}
        numbers: Iterator[int] = iter(range(10_000))

        def disturb(record: Any) -> None:
            number = next(numbers)
            if number % often == 0:
                account.change(seed=seed + number, count=2, kinds=kinds)
                rows = account.rows("time_entries")
                row, other = rows[number % len(rows)], rows[-1 - number % len(rows)]
                # to another place in the list, and without a trace
                day = other["spent_date"]
                account.edit("time_entries", row["id"], touch=False, spent_date=day)

        server.before(".*", disturb, times=None)
        # a list that never stands still is left for the next run
        reconcile(copy.pipeline, copy.source(), max_deleted_share=1)
        server.forget_before()
        for name in lists:
            alive = {(row["id"],) for row in account.rows(name)}
            assert (before[name] & alive) <= set(copy.rows(name)), name
        # and when the account is left alone, the next run makes it whole
        copy.run(substream_refresh_hours=0)
        reconcile(copy.pipeline, copy.source(), max_deleted_share=1)
        copy.check(names=False)
