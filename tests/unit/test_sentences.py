"""The sentence for each thing that goes wrong in a database, and what none of them may say."""

import pytest

from harvest.cli.errors import explain, traceback_of


def wrapped(message: str) -> Exception:
    """An error as dlt wraps that of a database."""
    try:
        try:
            raise RuntimeError(message)
        except RuntimeError as error:
            raise ValueError("Pipeline execution failed") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            'unacceptable schema name "pg_harvest"\nDETAIL: The prefix "pg_" is reserved',
            ["pg_harvest", "--dataset"],
        ),
        (
            "cannot execute CREATE SCHEMA in a read-only transaction",
            ["only read (CREATE SCHEMA is refused)", "who may write"],
        ),
        ("canceling statement due to statement timeout", ["statement_timeout", "ALTER ROLE"]),
        ("(sqlite3.OperationalError) database is locked", ["SQLite", "another program"]),
        (
            'could not translate host name "ss" to address: Name or service not known',
            ["host of the database is not known", "%40 for @", "%2F for /"],
        ),
        ('password authentication failed for user "me"', ["user name or password", "%40 for @"]),
        ("connection to server failed: Connection refused", ["cannot be reached"]),
        ("Out of Memory Error: could not allocate", ["too little memory", "memory_limit"]),
    ],
)
def test_what_a_database_says(message: str, words: list[str]) -> None:
    said = explain(wrapped(message))
    for word in words:
        assert word in said
    assert "\n" not in said
    assert "Unexpected" not in said


@pytest.mark.parametrize("password", ["", "@", "a@@b"])
def test_no_password_hides_nothing(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", f"postgresql://me:{password}@db/w")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS__PASSWORD", password)
    said = traceback_of(wrapped("The database is full."))
    assert "RuntimeError: The database is full." in said


@pytest.mark.parametrize(
    ("password", "part"),
    [
        ("p@ss/word", "ss/word@db.example"),
        ("p@ss/word", "word"),
        ("pa#ssword", "ssword"),
        ("pa%ssword", "ssword"),
        ("pass:word", "word"),
    ],
)
def test_no_part_of_a_password_is_told(
    password: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"postgresql://loader:{password}@db.example:5432/warehouse"
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    error = wrapped(f'no such thing as "{part}" of {address}')
    said = traceback_of(error)
    assert "RuntimeError" in said
    for told in (said, explain(error)):
        assert password not in told
        assert "word" not in told.replace("password", "")
