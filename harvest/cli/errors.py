"""One sentence for each thing that goes wrong, with the way out."""

import errno
import os
import re
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type

from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException, SignalReceivedException
from dlt.common.schema.exceptions import DataValidationError

from .. import HarvestError

TOLD = (
    (
        r"set lock on file \"([^\"]+)|used by another process.*?\"?([^\" ]+\.duckdb)",
        "{} is open in another program, whose lock on file and tables ends with it:"
        " close it there, or run again later.",
    ),
    (
        r"Cannot open file \"([^\"]+)\": Permission|open database \"([^\"]+)\" in read",
        "{} cannot be written: run as the user to whom it belongs, or in a folder of"
        " your own.",
    ),
    (
        r"Cannot open file \"([^\"]+)\"",
        "{} cannot be opened: see that its folder is there and may be written to.",
    ),
    (
        r"file \"([^\"]+)\".*not a valid DuckDB",
        "{} is no DuckDB database: move it away, or set another destination.",
    ),
    (
        r"No space left|disk full|File too large|could not extend file|DiskFull"
        r"|Disk quota exceeded",
        "The disk is full, or a file too large for it: make room and run again.",
    ),
    (
        r"password authentication failed|no password supplied|no pg_hba\.conf"
        r"|role \"[^\"]*\" does not exist|Access denied|Invalid credentials",
        "The database refuses user name or password: correct the credentials of the"
        " destination in .dlt/secrets.toml or in the environment.",
    ),
    (
        r"database \"([^\"]+)\" does not exist",
        "The database {} is not there: create it, or correct the credentials of the"
        " destination.",
    ),
    (
        r"permission denied for (\w+ [^\s:]+)|must be owner of (\w+ [^\s:]+)",
        "The role in the credentials of the destination may not use {}: its owner must"
        " GRANT that.",
    ),
    (
        r"not currently accepting connections|the database system is \w+",
        "The database is not currently accepting connections: run again when it does.",
    ),
    (
        r"could not translate host name|Connection refused|could not connect"
        r"|timeout expired|No route to host|Network is unreachable"
        r"|Is the server running",
        "The database cannot be reached: see that it runs, and that host and port in"
        " the credentials of the destination are right.",
    ),
    (
        r"terminating connection|server closed the connection|connection already closed"
        r"|SSL connection has been closed|connection has been lost|Connection reset",
        "The database ended the connection: run again when it is back.",
    ),
    (
        r"Out of Memory Error",
        "DuckDB has too little memory: give it more by DESTINATION__DUCKDB__CREDENTIALS"
        """__GLOBAL_CONFIG='{{"memory_limit": "1GB"}}' in the environment.""",
    ),
    (
        r"Transaction conflict|Failed to commit DuckLake transaction",
        "Another program changed the lake at the same moment: run again.",
    ),
    (
        r"cannot drop (\S+ \S+) because other objects depend on it",
        "{} cannot be made anew, since other tables or views refer to it: drop these"
        " first, and create them again afterwards.",
    ),
    (
        r"violates foreign key constraint \"([^\"]+)\"",
        "The foreign key {} keeps rows from being replaced: drop it, or make it"
        " DEFERRABLE INITIALLY DEFERRED.",
    ),
    (
        r"(?:column|Table with name|relation|no such table:?) \"?([\w.]+)\"? does not"
        r" exist|does not have a column with name \"(\w+)\"|no such table: (\w+)"
        r"|Referenced (?:update )?column \"?(\w+)\"? not found",
        "{} is not there, though it was loaded: --full-refresh makes tables anew that"
        " somebody changed.",
    ),
)
"""Patterns in the messages of databases, each with the sentence that explains it.

The sentence takes in what the group of the pattern matched.
"""


def explain(error: BaseException) -> str:
    """Return the one sentence that explains an exception.

    Args:
        error (BaseException): What was raised, with its causes.

    Returns:
        str: What was wrong, and the way out.
    """
    chain = [*causes(error)]
    for each in chain:
        if isinstance(each, HarvestError):
            # the source knows arguments; here they are options
            share = r"max_deleted_share=([\d.]+)"
            return re.sub(share, r"--max-deleted-share \1", str(each))
    for each in reversed(chain):
        for kind, explained in SENTENCES:
            if isinstance(each, kind) and (said := explained(each)):
                return said
    words = " ".join(" ".join(str(each).split()) for each in reversed(chain))
    for pattern, sentence in TOLD:
        if found := re.search(pattern, words, re.IGNORECASE):
            return sentence.format(*filter(None, found.groups()))
    return (
        f"The run ended with a {type(chain[-1]).__name__}, which nobody foresaw:"
        " -v shows all of it."
    )


def causes(error: Optional[BaseException]) -> Iterator[BaseException]:
    """Yield an exception and what it was caused by, the innermost last."""
    while error is not None:
        yield error
        error = error.__cause__


def stopped_by(error: BaseException, received: List[int]) -> Optional[int]:
    """Return the signal that ended a run, if one did.

    Args:
        error (BaseException): What was raised.
        received (List[int]): Signals that came.

    Returns:
        Optional[int]: Its number, such as `signal.SIGTERM`.
    """
    for each in causes(error):
        if isinstance(each, SignalReceivedException):
            return int(each.signal_code)
    return received[-1] if received else None


def _file_trouble(error: Any) -> Optional[str]:
    """Explain what the system says of a file."""
    if error.filename is None:
        return None
    path = Path(os.fsdecode(error.filename)).absolute()
    name = errno.errorcode.get(error.errno or 0, "unknown")
    if name in ("ENOSPC", "EDQUOT", "EFBIG"):
        return f"{path} is too large for its disk, or the disk is full: make room."
    if name in ("EACCES", "EPERM", "EROFS"):
        return (
            f"{path} cannot be written{_owner(path)}: run as that user, give it to"
            " yours (chown -R), or set another folder (DLT_DATA_DIR for those of dlt)."
        )
    if name == "ENOENT":
        why = "something else deletes it, or the folder is wrong"
        return f"{path} is not there: {why}."
    return f"{path} cannot be used ({name})."


def _owner(path: Path) -> str:
    for each in (path, *path.parents):
        try:
            return f", for it belongs to {each.owner()}" if each.exists() else ""
        except (OSError, KeyError, NotImplementedError):
            continue
    return ""


def _toml_trouble(error: Any) -> Optional[str]:
    """Explain which settings file cannot be read, and why."""
    for path in map(Path, error.full_paths):
        if path.is_file() and (wrong := _wrong_in(path)):
            return f"{path.absolute()} cannot be read: {wrong}."
    return f"{error.file_name} cannot be read: see that it is TOML, stored as UTF-8."


def _wrong_in(path: Path) -> str:
    import tomlkit

    content = path.read_bytes()
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "it begins with a byte order mark; store it as UTF-8 without BOM"
    try:
        tomlkit.parse(content.decode())
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return f"line {line} is not UTF-8; store it in that encoding"
    except tomlkit.exceptions.TOMLKitError as error:
        line = int(getattr(error, "line", 0) or 0)
        return f'line {line} is not TOML, which has text in quotes: name = "value"'
    return ""


def _missing_setting(error: Any) -> str:
    # dlt lists all names under which it looked, the longest first
    tried = re.findall(r"Environment Variables, (\w+)\)", str(error))
    own = [name for name in tried if name.startswith("DESTINATION__")]
    names = own or tried or [each.upper() for each in error.fields]
    name = re.sub(r"__CREDENTIALS__\w+$", "__CREDENTIALS", names[0])
    what = f"{' and '.join(error.fields)}{' of the destination' if own else ''}"
    return (
        f"{what} must be set: put it into .dlt/secrets.toml, or {name} into the"
        " environment (https://dlthub.com/docs/dlt-ecosystem/destinations says how)."
    )


def _wrong_kind(error: Any) -> str:
    kind = getattr(error.hint, "__name__", error.hint)
    return f"{error.field_name} is {error.field_value!r}, but must be {kind}."


def _missing_package(error: Any) -> str:
    return (
        f"{error.caller} needs packages that are not installed: pip install"
        f" {' '.join(repr(name) for name in error.dependencies)}."
    )


def _no_destination(error: Any) -> str:
    return (
        f"dlt has no destination {error.ref}; those that it has are listed at"
        " https://dlthub.com/docs/dlt-ecosystem/destinations."
    )


def _frozen(error: Any) -> str:
    names = filter(None, (error.table_name, error.column_name))
    return (
        f"Harvest sent {'.'.join(names)}, which the schema contract does not allow:"
        " nothing was loaded. Change the contract, or load without it."
    )


SENTENCES: Tuple[Tuple[Type[BaseException], Callable[[Any], Optional[str]]], ...] = (
    (ConfigValueCannotBeCoercedException, _wrong_kind),
    (ConfigFieldMissingException, _missing_setting),
    (TomlProviderReadException, _toml_trouble),
    (MissingDependencyException, _missing_package),
    (UnknownDestinationModule, _no_destination),
    (DataValidationError, _frozen),
    (OSError, _file_trouble),
)
