"""Breaks promises of the source, one by one, and sees a test fail: `python -m tests.breaks`.

Each break is a few characters changed in a copy of the repository. A break that no test notices is
a promise that nobody holds. Without arguments all breaks are made; else those whose promises have
one of the arguments in them.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple

ROOT = Path(__file__).parent.parent


class Break(NamedTuple):
    """One promise, how it is broken, and who must notice.

    Attributes:
        promise: what is promised, in a few words.
        file: the file that is changed.
        text: what is there; once.
        instead: what is put in its place.
        test: the test that must fail, as pytest takes it.
    """

    promise: str
    file: str
    text: str
    instead: str
    test: str


DUE = "harvest/streams/due.py"
CURSOR = "harvest/streams/cursor.py"
LIMIT = "harvest/api/rate_limit.py"
COMPLETE = "harvest/api/completeness.py"
UNIT = "tests/unit/"

BREAKS: List[Break] = [
    Break(
        "a cursor never passes the moment at which Harvest was asked",
        CURSOR,
        "max([min(value, most), *before])",
        "max([value, *before])",
        "tests/load/test_change.py::test_the_cursor_never_passes_harvests_now",
    ),
    Break(
        "rows at the cursor's second come once",
        CURSOR,
        "if digest not in self._before:",
        "if True:",
        UNIT + "test_cursor.py",
    ),
    Break(
        "a second change within the cursor's second is read",
        CURSOR,
        "text = json.dumps(row, sort_keys=True, default=str)",
        'text = str(row.get("id"))',
        UNIT + "test_cursor.py",
    ),
    Break(
        "a run covers the second at which the last one ended",
        DUE,
        "moment - timedelta(seconds=1)",
        "moment",
        UNIT + "test_due.py",
    ),
    Break(
        "windows that ended lately are read again",
        DUE,
        " or window[1] >= settled",
        "",
        UNIT + "test_due.py",
    ),
    Break(
        "windows that were never read are read",
        DUE,
        "if [str(day) for day in window] not in known or window",
        "if window",
        UNIT + "test_due.py",
    ),
    Break(
        "the children of all parents are read again after a day",
        DUE,
        "due = not 0 <= hours < refresh_hours",
        "due = False",
        UNIT + "test_due.py",
    ),
    Break(
        "what is read by year is read for this year and the last",
        DUE,
        "return [today.year - 1, today.year]",
        "return [today.year]",
        UNIT + "test_due.py",
    ),
    Break(
        "an owner who sees less does not remove rows",
        DUE,
        'return before is None or owner == before or "administrator"',
        'return True or "administrator"',
        UNIT + "test_due.py",
    ),
    Break(
        "a list of parents is read as the neediest of its children asks",
        DUE,
        "since = None if None in starts else min(",
        "since = max(",
        UNIT + "test_due.py",
    ),
    Break(
        "a row that moved between pages is noticed",
        COMPLETE,
        "return self._old >= self.total",
        "return True",
        UNIT + "test_pagination.py",
    ),
    Break(
        "a count that changes between pages is noticed",
        COMPLETE,
        "self._moved |= page.total_entries != self.total",
        "pass",
        UNIT + "test_pagination.py",
    ),
    Break(
        "rate limits are kept, not hit",
        LIMIT,
        "turn = Turn(now + self.window + self._margin)",
        "turn = Turn(now)",
        UNIT + "test_rate_limit.py",
    ),
    Break(
        "Retry-After is obeyed",
        LIMIT,
        "time.monotonic() + seconds)",
        "0)",
        UNIT + "test_rate_limit.py",
    ),
    Break(
        "the documented defaults are those of the source",
        "harvest/__init__.py",
        "report_rate_limit: int = 100",
        "report_rate_limit: int = 999",
        "tests/docs/test_readme.py::test_the_table_of_settings",
    ),
    Break(
        "no private attribute of dlt is set outside of dlt_internals",
        DUE,
        "    return [today.year - 1, today.year]",
        "    today._known = 1\n    return [today.year - 1, today.year]",
        UNIT + "test_house.py::test_private_names_of_dlt_are_in_files_of_that_name",
    ),
    Break(
        "no module keeps state between runs",
        DUE,
        "    return [today.year - 1, today.year]",
        "    MOST[0] = 1\n    return [today.year - 1, today.year]\n\n\nMOST = [0]",
        UNIT + "test_house.py::test_no_state_of_a_module_changes",
    ),
    Break(
        "the token is sent in the clear to this machine only",
        "harvest/streams/arguments.py",
        'parts.scheme == "http" and parts.hostname in',
        'parts.scheme == "http" or parts.hostname in',
        "tests/failures/test_secrets.py::test_http_is_for_this_machine_only",
    ),
    Break(
        "the token goes to no other host",
        "harvest/api/session.py",
        "if where[:2] != home[:2]:",
        "if False:",
        "tests/failures/test_secrets.py::test_another_port_name_or_scheme_is_another_host",
    ),
    Break(
        "include_fixed_fee is sent if it is given",
        "harvest/streams/reports.py",
        "window_params(account, stream, window))\n        for window in due",
        'dict(zip(("from", "to"), map(str, window))))\n        for window in due',
        "tests/load/test_fixed_fees.py::test_what_is_sent",
    ),
    Break(
        "the documented page size is asked for",
        "harvest/settings.py",
        "PER_PAGE = 2000",
        "PER_PAGE = 100",
        "tests/load/test_requests.py::test_the_first_sync_makes_as_few_requests_as_can_be",
    ),
    Break(
        "a stream that is refused is left out, and the others are loaded",
        "harvest/streams/read.py",
        'if account.on_forbidden == "raise" and not stream.section:',
        "if True:",
        "tests/failures/test_access.py::test_skip_is_the_default_and_no_error",
    ),
    Break(
        "no secret is in what a person is told of Harvest's words",
        "harvest/api/errors.py",
        'words = words.replace(secret, "...")',
        "pass",
        "tests/failures/test_words_of_harvest.py::test_what_was_posted_is_not_told",
    ),
    Break(
        "a wait that is given as a date is obeyed",
        "harvest/api/errors.py",
        "return max(0.0, until.total_seconds())",
        "return 0.0",
        "tests/failures/test_answers.py::test_retry_after_is_obeyed",
    ),
    Break(
        "characters that not every database can store do not stop a load",
        "harvest/api/decoding.py",
        "if any(each in content for each in",
        "if not content and any(each in content for each in",
        "tests/load/test_values.py::test_characters_that_cannot_be_stored",
    ),
    Break(
        "another account is not loaded into the same dataset",
        "harvest/streams/account.py",
        "if before and here and before != here:",
        "if False:",
        "tests/command_line/test_dry_run.py::test_another_account",
    ),
    Break(
        "teammates are asked of managers only",
        "harvest/streams/children.py",
        "return not stream.parent_role or stream.parent_role in roles",
        "return True",
        "tests/load/test_requests.py::test_the_first_sync_makes_as_few_requests_as_can_be",
    ),
    Break(
        "a list that changed each time is read again from where that reading began",
        "harvest/streams/children.py",
        "if own and reading.complete:",
        "if own:",
        "tests/load/test_unsteady_lists.py",
    ),
    Break(
        "a fee less all that was ever invoiced of it is not doubted",
        "harvest/reconcile/totals.py",
        "found[place] = fee - facts.invoiced.get(key, Decimal(0))",
        "found[place] = fee",
        "tests/reconcile/test_reconcile.py::test_a_whole_copy_is_equal",
    ),
    Break(
        "not more than a part of a table is removed at once",
        "harvest/reconcile/reconciliation.py",
        "if lost > max(1, share * each.here):",
        "if False:",
        "tests/reconcile/test_reconcile.py::test_too_much_at_once",
    ),
    Break(
        "what was not compared is not called equal",
        "harvest/reconcile/comparison.py",
        'return outcomes <= {"equal", "not covered"}',
        'return outcomes <= {"equal", "not covered", "not compared"}',
        "tests/reconcile/test_reconcile_truth.py::test_what_was_refused_is_not_equal",
    ),
]
"""The promises, in the order of the way that a row takes."""

PYTEST = (sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", "-n", "0")


def copied(folder: Path) -> Path:
    """Copy what git knows of the repository, and return where to."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def is_noticed(each: Break, home: Path) -> str:
    """Make one break, and return what is wrong with the test, or nothing."""
    file = home / each.file
    whole = file.read_text()
    if whole.count(each.text) != 1:
        return f"{each.file} does not have once: {each.text}"
    file.write_text(whole.replace(each.text, each.instead))
    try:
        ended = subprocess.run([*PYTEST, each.test], cwd=home, capture_output=True, text=True)
    finally:
        file.write_text(whole)
    # 1: tests failed; anything else is that none ran, or that none failed
    if ended.returncode == 1:
        return ""
    return f"{each.test} did not fail (exit code {ended.returncode})"


def main(names: List[str]) -> int:
    """Make the breaks; return 1 if one of them was not noticed."""
    chosen = [each for each in BREAKS if not names or any(name in each.promise for name in names)]
    missed: Dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = copied(Path(folder))
        for each in chosen:
            problem = is_noticed(each, home)
            if problem:
                missed[each.promise] = problem
            print(f"{'MISSED ' if problem else 'noticed'} {each.promise}", flush=True)
    for promise, problem in missed.items():
        print(f"{promise}: {problem}", file=sys.stderr)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} breaks were noticed.")
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
