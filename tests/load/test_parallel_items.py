"""dlt reads only so many resources at a time: none may wait for a slot that it holds."""

import pytest

from tests.copy import Copy


@pytest.mark.parametrize("most", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_few_slots(copy: Copy, most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT__MAX_PARALLEL_ITEMS", most)
    copy.run()
    copy.check()
