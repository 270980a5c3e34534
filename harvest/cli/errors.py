"""One sentence for each thing that goes wrong, with the way out."""

import errno
import os
import re
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type

import dlt
from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException, SignalReceivedException
from dlt.common.schema.exceptions import DataValidationError

from .. import HarvestError
from .database_errors import DATABASE_ERROR_MESSAGES

ISSUES = "https://github.com/dlt-hub/verified-sources/issues"
"""Where to report what is unexpected."""

CONNECTION_STRING = re.compile(r"\w[\w+.-]*://[^:/@]*:(.+)@")
SECRET_NAME = re.compile(r"password|secret|token|private_key|access_key")


def explain(error: BaseException) -> str:
    """Return the one sentence that explains an exception.

    Args:
        error (BaseException): What was raised, with its causes.

    Returns:
        str: What was wrong, and the way out.
    """
    if said := explained(error):
        return hidden(said)
    return (
        f"Unexpected {type([*causes(error)][-1]).__name__}. Run again with -v for the"
        f" traceback, and report it: {ISSUES}"
    )


def explained(error: BaseException) -> Optional[str]:
    """Return the sentence that explains an exception; None if there is none."""
    chain = [*causes(error)]
    for each in chain:
        if isinstance(each, HarvestError):
            # the source knows arguments; here they are options
            share = r"max_deleted_share=([\d.]+)"
            return re.sub(share, r"--max-deleted-share \1", str(each))
    for each in reversed(chain):
        for kind, sentence_of in SENTENCES:
            if isinstance(each, kind) and (said := sentence_of(each)):
                return said
    words = " ".join(" ".join(str(each).split()) for each in reversed(chain))
    for pattern, sentence in DATABASE_ERROR_MESSAGES:
        if found := re.search(pattern, words, re.IGNORECASE):
            return sentence.format(*filter(None, found.groups()))
    return None


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception, without the credentials in it."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return hidden("".join(lines).rstrip())


def hidden(text: str) -> str:
    """Return a text without any part of a password that the environment or files hold.

    Of a connection string whose password has a character such as @ or / in it, the
    parts between may turn up in a message as the name of a host or of a database.
    """
    for part in sorted({*_secret_parts()} - {""}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "***", text)
    return text


def _secret_parts() -> Iterator[str]:
    """Yield passwords of destinations, and the parts that they may be torn into."""
    with suppress(Exception):
        found = [*_texts(dlt.secrets.get("destination") or {}, "")]
        found += [(name.lower(), text) for name, text in os.environ.items()]
        for name, text in found:
            password = CONNECTION_STRING.match(text)
            if not password and not SECRET_NAME.search(name):
                continue
            whole = password[1] if password else text
            ends = [match.start() for match in re.finditer(r"[@/#?:%]", whole)]
            begins = [0, *(end + 1 for end in ends)]
            for begin in begins:
                for end in [*(each for each in ends if each > begin), len(whole)]:
                    yield whole[begin:end]


def _texts(settings: Any, name: str) -> Iterator[Tuple[str, str]]:
    """Yield the texts in nested settings, with the names that they have."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from _texts(value, str(key).lower())
    elif isinstance(settings, str):
        yield name, settings


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
            f" yours (chown -R), or set another {_setting_of(path)}."
        )
    if name == "ENOENT":
        why = "something else deletes it, or the folder is wrong"
        return f"{path} is not there: {why}."
    return f"{path} cannot be used ({name})."


def _setting_of(path: Path) -> str:
    """Return the setting that names another folder, or another file."""
    dlt_itself = Path(dlt.current.run_context().data_dir)
    if path == dlt_itself or dlt_itself in path.parents:
        return "folder (DLT_DATA_DIR)"
    if path.suffix in (".duckdb", ".lock"):
        return "file (DESTINATION__DUCKDB__CREDENTIALS)"
    return "folder"


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
