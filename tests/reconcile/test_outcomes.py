"""What a comparison leaves behind: of lists without proof, and where it cannot be made."""

import threading
from typing import Any, Callable

import psycopg2
import pytest

from harvest.reconcile import default_compare_hours, reconcile, verify
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import agree, check, repair, sql


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    return generated(seed=7, time_entries=40, years=0.3)


def test_a_list_that_was_read_without_proof_is_proved(server: Server) -> None:
    copy = Copy(server).of("tasks", "clients")
    copy.run()
    with copy.pipeline.managed_state() as state:
        state["sources"]["harvest"]["resources"]["tasks"]["unproven"] = True
    check(copy)
    assert notes(copy)["unproven"]
    repair(copy)
    assert "unproven" not in notes(copy)


def notes(copy: Copy) -> Any:
    return copy.pipeline.state["sources"]["harvest"]["resources"]["tasks"]


def test_a_statement_that_the_destination_refuses(server: Server) -> None:
    """What is loaded stays loaded, and the result says what the destination said."""
    copy = Copy(server).of("time_entries", "tasks")
    copy.run()
    sql(copy, "ALTER TABLE {}time_entries ALTER COLUMN rounded_hours TYPE VARCHAR")
    sql(copy, "UPDATE {}time_entries SET rounded_hours = 'many'")
    for result in (check(copy), repair(copy)):
        assert not result.equal
        assert "the destination says:" in result.failure
        assert "\n" not in result.failure


def test_comparing_once_in_some_hours(server: Server) -> None:
    copy = Copy(server).of("tasks", "clients")
    copy.run()
    source = copy.source()
    assert reconcile(copy.pipeline, source).hours_ago is None
    # nobody asked for it to be noted before
    assert reconcile(copy.pipeline, source, every_hours=24).hours_ago is None
    server.requests.clear()
    again = reconcile(copy.pipeline, source, every_hours=24)
    assert again.hours_ago is not None
    assert 0 <= again.hours_ago < 24
    assert not server.requests
    assert reconcile(copy.pipeline, source, every_hours=again.hours_ago / 2).hours_ago is None
    agree(verify(copy.pipeline, source))
    assert default_compare_hours(copy.pipeline) == 0


def test_a_slow_query_does_not_stop_requests(
    server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    copy = Copy(server, "postgres").of("clients", "tasks", "projects", "users")
    copy.run()
    other = psycopg2.connect(postgres)
    asked_for_all = threading.Event()
    paths = {f"/{name}" for name in copy.streams}

    def lock(record: Any) -> None:
        # the tables are counted by now, and none has been read
        with other.cursor() as cursor:
            for name in copy.streams:
                cursor.execute(f"LOCK TABLE {copy.pipeline.dataset_name}.{name}")

    def note(record: Any) -> None:
        paths.discard(record.path)
        if not paths:
            asked_for_all.set()

    def release() -> None:
        # as long as they are locked, no query gives anything
        seen.append(asked_for_all.wait(60))
        other.rollback()

    seen: list[bool] = []
    server.before("/users/me", lock)
    server.before("/(clients|tasks|projects|users)", note, times=None)
    waiting = threading.Thread(target=release)
    waiting.start()
    agree(verify(copy.pipeline, copy.source()))
    waiting.join()
    other.close()
    assert seen == [True]
