"""The list of broken promises keeps up with the code: `make test-all` makes each break."""

import pytest

from tests.breaks import BREAKS, ROOT, Break


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.promise)
def test_what_is_broken_is_there_once(each: Break) -> None:
    assert (ROOT / each.file).read_text(encoding="utf-8").count(each.text) == 1
    assert each.instead != each.text
    file, _, name = each.test.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text(encoding="utf-8")
