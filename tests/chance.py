"""Random sequences of events for the tests that play them.

By default, a test plays a few short ones, the same each time. With `LONG=3` it plays three batches
of more and longer ones. `SEED=1` gives other sequences than `SEED=0`, the default.
"""

import os
from typing import Any, Callable, Tuple

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy, tuples

LONG = int(os.environ.get("LONG") or 0)
FIRST = 1000 * int(os.environ.get("SEED") or 0)

in_batches = pytest.mark.parametrize(
    "batch", range(FIRST, FIRST + (LONG or 1)), ids="batch {}".format
)
"""Runs a test once for each batch, whose number is the seed of what happens in it."""


def play_sequences(
    play: Callable[..., None], *chance: SearchStrategy[Any], batch: int, few: int, many: int
) -> None:
    """Calls `play` with what chance gives, `few` times, or `many` times in a long run."""
    played = 0

    @seed(batch)
    @settings(
        max_examples=many if LONG else few,
        deadline=None,
        # play no sequence again because it failed once
        database=None,
        print_blob=True,
        # shrinking a sequence that fails takes long
        phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tuples(*chance))
    def once(values: Tuple[Any, ...]) -> None:
        nonlocal played
        played += 1
        play(*values)

    once()
    print(f"{played} sequences")
