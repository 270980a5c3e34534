"""The command line of the sandbox, and how its modules lean on each other."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import (
    UNFORESEEN,
    Account,
    Server,
)
from sandbox.__main__ import welcome
from tests.script import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def running() -> Iterator[tuple[str, str]]:
    """A sandbox of the command line: what it printed, and its address."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--time-entries", "200"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("To stop"):
                break
        found = re.search(r"http://127.0.0.1:\d+", "".join(lines))
        assert found
        yield "".join(lines), found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_command_line(running: tuple[str, str]) -> None:
    printed, url = running
    settings = dict(re.findall(r"export SOURCES__HARVEST__(\w+)=(\S+)", printed))
    assert set(settings) == {"BASE_URL", "ID_URL", "ACCESS_TOKEN", "ACCOUNT_ID"}
    assert "200 time entries" in printed
    headers = {
        "Authorization": f"Bearer {settings['ACCESS_TOKEN']}",
        "Harvest-Account-Id": settings["ACCOUNT_ID"],
    }
    path = settings["BASE_URL"] + "/time_entries"
    assert requests.get(path, headers=headers, timeout=5).json()["total_entries"] == 200
    changed = run("change", "--url", url, "--seed", "3", "--count", "4", "--kinds", "add,edit")
    assert changed.returncode == 0
    assert len(changed.stdout.splitlines()) == 4
    stats = requests.get(f"{url}/sandbox/stats", timeout=5).json()
    assert stats["requests"] == {"/time_entries": {"200": 1}}
    assert stats["rows"]["company"] == 1
    assert stats["limited"] == 0
    requests.post(f"{url}/sandbox/stats/reset", timeout=5)
    assert requests.get(f"{url}/sandbox/stats", timeout=5).json()["total"] == 0
    wrong = run("change", "--url", url, "--kinds", "explode")
    assert wrong.returncode == 1
    assert "explode" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_options_of_the_command_line() -> None:
    options = ["--time-entries", "60", "--port", "0", "--unforeseen", "--owner", "member"]
    options += ["--pages", "all=bare_page,clients=bare_cursor", "--paid-time-off", "404"]
    command = [sys.executable, "-m", "sandbox", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        headers = {"Authorization": "Bearer sandbox-token", "Harvest-Account-Id": "1000001"}

        def get(path: str) -> Any:
            return requests.get(url + path, headers=headers, timeout=5)

        me = get("/users/me").json()
        assert me["access_roles"] == ["member"]
        assert set(UNFORESEEN) <= set(me)
        for path in ("/clients", "/time_entries"):
            assert set(get(path).json()) == {path[1:], "per_page", "links"}
        assert get("/pto/types").status_code == 404
        process.send_signal(signal.SIGINT)


def test_the_printed_settings_have_the_limits_where_there_are_none() -> None:
    """The source would go on keeping Harvest's limits, which nobody enforces."""
    with Server(Account.empty(users=1), limits=False) as server:
        printed = welcome(server, 0.1)
    settings = dict(re.findall(r"export SOURCES__HARVEST__(\w+)=(\S+)", printed))
    assert int(settings["RATE_LIMIT"]) == int(settings["REPORT_RATE_LIMIT"]) >= 10000
    with Server(Account.empty(users=1)) as server:
        assert "RATE_LIMIT" not in welcome(server, 0.1)


def test_command_line_says_what_is_wrong() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--time-entries", "10")
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert str(port) in result.stderr
    for wrong in (
        ["--port", "99999"],
        ["--time-entries", "-5"],
        ["--pages", "clients=spiral"],
        ["--pages", "clients"],
        ["--pages", "robots=page"],
        ["--owner", "king"],
        ["--paid-time-off", "maybe"],
    ):
        result = run(*wrong)
        assert result.returncode == 2, wrong
        assert wrong[1].split("=")[-1] in result.stderr or "robots" in result.stderr
        assert "Traceback" not in result.stderr
    result = run("change", "--url", f"http://127.0.0.1:{port}")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "python -m sandbox" in result.stderr


def modules() -> dict[str, ast.Module]:
    """Return the modules of the sandbox by their names with dots."""
    home = ROOT / "sandbox"
    return {
        ".".join(file.relative_to(home).with_suffix("").parts): ast.parse(file.read_text())
        for file in home.rglob("*.py")
    }


def test_the_folders_lean_on_each_other_one_way() -> None:
    """The store knows nothing of who fills it, and neither of who serves it."""
    may = {
        "store": {"store", "clock"},
        "agency": {"agency", "store", "clock"},
        "api": {"api", "store", "account"},
        "server": {"server", "api", "account"},
    }
    for module, tree in modules().items():
        folder, _, name = module.partition(".")
        if folder not in may or name == "__init__":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                asked = folder if node.level == 1 else str(node.module or "").split(".")[0]
                assert asked in may[folder], (module, asked)


def test_no_module_uses_private_names_of_another() -> None:
    """A name with an underscore is used only by the module that defines it."""
    for module, tree in modules().items():
        # _replace: of named tuples, by Python's own documentation
        own, used = {"_replace"}, set()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Attribute):
                (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                used |= {name.name for name in node.names}
        private = {name for name in used - own if name.startswith("_") and name[-2:] != "__"}
        assert not private, module


def test_the_sandbox_imports_nothing_of_the_source() -> None:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "harvest" for name in names), module


def test_a_demo_whose_load_fails_says_why(tmp_path: Path) -> None:
    for name in ("harvest", "sandbox"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "clone" / name, ignore=ignored)
    shutil.copy(ROOT / "harvest_pipeline.py", tmp_path / "clone")
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo"],
        cwd=tmp_path / "clone",
        env={**os.environ, "SOURCES__HARVEST__REPORT_PERIOD": "week"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: report_period is 'week'")
    assert done.stderr.count("\n") == 1
