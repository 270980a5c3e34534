"""The order of the house: which part of harvest/ may know of which, and what none may do."""

import ast
from graphlib import TopologicalSorter
from typing import Dict, Iterator, List, Set, Tuple

import pytest

from tests.script import ROOT

HARVEST = ROOT / "harvest"

LAYERS: List[Tuple[str, ...]] = [
    ("settings", "exceptions", "typing"),
    ("api",),
    ("streams",),
    ("",),
    ("reconcile",),
    ("history", "steps"),
    ("cli",),
]
"""Parts of harvest/ from the bottom up: each may import what is below it. "" is the source."""


def modules() -> Dict[str, ast.Module]:
    """The modules of harvest/ by their names, such as `api.client`; that of the source is ""."""
    found = {}
    for path in sorted(HARVEST.rglob("*.py")):
        parts = path.relative_to(HARVEST).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(name: str, tree: ast.Module, every: Set[str]) -> Iterator[str]:
    """The modules of harvest/ that a module imports."""
    is_package = (HARVEST / name.replace(".", "/")).is_dir()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parts = name.split(".") if name else []
        up = node.level - is_package
        base = parts[: len(parts) - up] if up else parts
        target = [*base, *(node.module.split(".") if node.module else [])]
        for alias in node.names:
            inner = ".".join([*target, alias.name])
            yield inner if inner in every else ".".join(target)


def layer(name: str) -> int:
    first = name.split(".")[0]
    return next(number for number, names in enumerate(LAYERS) if first in names)


def test_each_part_imports_only_what_is_below_it() -> None:
    trees = modules()
    for name, tree in trees.items():
        for other in imported(name, tree, set(trees)):
            same = name.split(".")[0] == other.split(".")[0]
            assert same or layer(other) < layer(name), f"{name or 'harvest'} imports {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    trees = modules()
    graph = {
        name: {other for other in imported(name, tree, set(trees)) if other != name}
        for name, tree in trees.items()
    }
    # raises CycleError, with the modules in it
    TopologicalSorter(graph).prepare()


def test_only_relative_imports_and_nothing_of_the_sandbox() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for other in names:
                assert other.split(".")[0] not in ("harvest", "sandbox", "tests"), (name, other)


def test_private_names_of_dlt_are_in_files_of_that_name() -> None:
    """An attribute with an underscore is one of the own object, or stands in dlt_internals.

    What is set on another object than `self` is not the own object's: to set a private attribute of
    dlt's is to use it.
    """
    trees = modules()
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    own = {"_asdict", "_replace"}
    own |= {node.name for node in nodes if isinstance(node, functions)}
    own |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }
    own |= {
        node.target.id
        for node in nodes
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                known = node.attr.startswith("__") or node.attr in own
                known &= mine or not isinstance(node.ctx, ast.Store)
                assert known or name.endswith(".dlt_internals"), f"{name}: {node.attr}"


CHANGING = {
    *("append", "add", "update", "setdefault", "pop", "popitem", "clear", "extend", "insert"),
    *("remove", "discard", "sort", "reverse", "appendleft", "popleft", "move_to_end"),
}
"""Methods that change what they are called on."""


def changed_by(node: ast.AST) -> Iterator[ast.expr]:
    """What a node changes in place: by a method, by an index, or by an attribute."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGING
    ):
        yield node.func.value
    if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        yield node.value


def test_no_state_of_a_module_changes() -> None:
    """What a module assigns is not assigned again by its functions, nor filled by them."""
    for name, tree in modules().items():
        names = {
            target.id
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for function in ast.walk(tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            nodes = [*ast.walk(function)]
            local = {
                each.id
                for each in nodes
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
            for node in nodes:
                assert not isinstance(node, ast.Global), f"{name}: global {node.names}"
                for each in changed_by(node):
                    if isinstance(each, ast.Name):
                        assert each.id not in names - local, f"{name}: {each.id}"


@pytest.mark.parametrize("most", [300])
def test_no_file_is_longer_than_one_reads_in_one_go(most: int) -> None:
    for path in [*HARVEST.rglob("*.py"), ROOT / "harvest_pipeline.py"]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        allowed = 100 if path.name == "harvest_pipeline.py" else most
        assert lines <= allowed, f"{path.relative_to(ROOT)}: {lines} lines"


def test_no_function_is_longer_than_a_page() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            described = ast.get_docstring(node, clean=False) or ""
            assert node.end_lineno
            lines = node.end_lineno - node.lineno + 1 - len(described.splitlines())
            # the arguments of the source are its documentation
            assert lines <= 40 or node.name == "harvest_source", f"{name}: {node.name}, {lines}"
