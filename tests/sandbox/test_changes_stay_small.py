"""A few made-up changes leave most of an account as it was, as the demo must find it."""

from __future__ import annotations

from sandbox import Account


def test_no_deleted_project_takes_a_large_part_of_the_entries() -> None:
    changes = []
    for seed in (1, 2):
        account = Account.generate()
        before = len(account.rows("time_entries"))
        for each in range(10):
            changes += account.change(seed + 100 * each, count=24, kinds=["add", "delete"])
            left = len(account.rows("time_entries"))
            assert left > 0.8 * before
            before = left
    assert ("delete", "projects") in {(change.kind, change.stream) for change in changes}
