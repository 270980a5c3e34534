"""The command line: serve a made-up account, or change one that is being served."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from .account import Account
from .agency.changes import KINDS
from .api.answers import TIME_OFF_ANSWERS, Api
from .api.permissions import ROLES, Permissions
from .server import Server
from .store.listings import LISTINGS, PAGES

PORT = 8722
UNLIMITED = """
export SOURCES__HARVEST__RATE_LIMIT=100000
export SOURCES__HARVEST__REPORT_RATE_LIMIT=100000"""


def whole(highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from 0 up to the highest, for the command line."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) > highest:
            raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {highest:,}")
        return int(text)

    return parse


def styles(text: str) -> dict[str, str]:
    """Read how lists page, for the command line."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    if wrong := [stream for stream, _, style in pairs if not style]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is not STREAM=STYLE")
    given = {stream: style for stream, _, style in pairs}
    everywhere = given.pop("all", "")
    try:
        empty = Account.empty()
        api = Api(empty, Permissions(empty.store))
        if everywhere:
            api.page_by(everywhere)
        for stream, style in given.items():
            api.page_by(style, stream)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return api.pages


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A local Harvest API v2 over a made-up account. Without a command: serve it.",
    )
    top.add_argument(
        "--port", type=whole(65535), default=PORT, help="default: %(default)s; 0: any free one"
    )
    top.add_argument(
        "--time-entries", type=whole(10**7), default=6000, metavar="N", help="default: %(default)s"
    )
    top.add_argument(
        "--years",
        type=float,
        help="how far back the account goes (default: what suits the entries)",
    )
    top.add_argument("--seed", type=int, default=1, help="another seed, another account")
    top.add_argument("--no-limits", action="store_true", help="do not enforce the rate limits")
    top.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="delay of each answer"
    )
    top.add_argument(
        "--documented-only",
        action="store_true",
        help="send only the fields that Harvest documents, not those that live accounts add",
    )
    top.add_argument(
        "--unforeseen",
        action="store_true",
        help="add fields that nobody has declared to every row of every stream",
    )
    top.add_argument(
        "--pages",
        type=styles,
        default={},
        metavar="STREAM=STYLE,...",
        help=f"how lists page: {', '.join(PAGES)}; `all` for every list",
    )
    top.add_argument(
        "--paid-time-off",
        choices=TIME_OFF_ANSWERS,
        default="on",
        help="what is answered about it; default: %(default)s",
    )
    top.add_argument("--owner", choices=ROLES, default="administrator", help="whose token it is")
    top.add_argument("--quiet", action="store_true", help="print nothing")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    change = commands.add_parser("change", help="change the account of a running sandbox")
    change.add_argument("--url", default=f"http://127.0.0.1:{PORT}", help="default: %(default)s")
    change.add_argument("--seed", type=int, help="repeats the same draw (default: by the time)")
    change.add_argument("--count", type=whole(10**6), default=10, help="how many (default: 10)")
    change.add_argument("--kinds", default=",".join(KINDS), help="default: %(default)s")
    return top


def serve(options: argparse.Namespace) -> int:
    """Serve an account until it is told to stop; return the exit code."""
    began = time.monotonic()
    if options.time_entries > 50000 and not options.quiet:
        print(f"Making up an account with {options.time_entries:,} time entries ...", flush=True)
    account = Account.generate(
        options.seed,
        options.time_entries,
        options.years,
        documented_only=options.documented_only,
        unforeseen=options.unforeseen,
    )
    server = Server(
        account,
        limits=not options.no_limits,
        latency=options.latency,
        port=options.port,
        pages=options.pages,
        paid_time_off=options.paid_time_off,
    )
    server.owned_by(options.owner)
    try:
        server.start()
    except OSError as error:
        print(
            f"Port {options.port} cannot be used ({error.strerror}); "
            "choose another with --port, or --port 0 for any free one.",
            file=sys.stderr,
        )
        return 1
    if not options.quiet:
        print(welcome(server, time.monotonic() - began), flush=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    server.stop()
    return 0


def welcome(server: Server, seconds: float) -> str:
    """Return what to know about a server that has just started."""
    account = server.account
    counts = account.counts()
    ids = account.ids(LISTINGS["time_entries"])
    first = account.get("time_entries", ids[-1]) if ids else None
    since = f", since {first['spent_date']}" if first else ""
    names = ("clients", "projects", "users", "time_entries", "expenses", "invoices", "estimates")
    held = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)
    own_port = "" if server.url.endswith(f":{PORT}") else f" --url {server.url}"
    limits = "as Harvest's" if server.service.limits else "none"
    # The source keeps Harvest's limits unless it is told of others.
    more = "" if server.service.limits else UNLIMITED
    return f"""\
{account.company["name"]}, a made-up agency, is served at {server.base_url} ({seconds:.1f} s).
It holds {held}{since}.
Rate limits: {limits}. Added latency: {server.service.latency:g} s.

Settings to use it, ready to paste:

export SOURCES__HARVEST__BASE_URL={server.base_url}
export SOURCES__HARVEST__ID_URL={server.id_url}
export SOURCES__HARVEST__ACCESS_TOKEN={server.token}
export SOURCES__HARVEST__ACCOUNT_ID={server.account_id}{more}

To change the account while it runs:  python -m sandbox change{own_port}
To see what was asked of it:          curl {server.url}/sandbox/stats
To stop:                              Ctrl+C"""


def change(options: argparse.Namespace) -> int:
    """Change the account of a running sandbox; return the exit code."""
    seed = time.time_ns() % 2**31 if options.seed is None else options.seed
    query = urlencode({"seed": seed, "count": options.count, "kinds": options.kinds})
    try:
        request = Request(f"{options.url}/sandbox/change?{query}", method="POST")
        with urlopen(request) as response:
            changes = json.load(response)["changes"]
    except HTTPError as error:
        print(json.load(error).get("message", error), file=sys.stderr)
        return 1
    except (URLError, ValueError) as error:
        reason = getattr(error, "reason", error)
        print(
            f"No sandbox answers at {options.url} ({reason}); start one with: python -m sandbox",
            file=sys.stderr,
        )
        return 1
    for made in changes:
        print(made["line"])
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = parser().parse_args(arguments)
    return change(options) if options.command == "change" else serve(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
