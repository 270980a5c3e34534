"""Copies the source into a checkout of dlt's verified-sources, in the layout that it has there.

python tools/export_to_verified_sources.py CHECKOUT

Run it with the Python of the checkout's own environment (`make dev` there makes it), so that the
copies are formatted by its black.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

ROOT = Path(__file__).resolve().parent.parent
IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc")

NOT_FOR_TESTS = shutil.ignore_patterns("__pycache__", "*.pyc", "demo.py")
"""The demo of the sandbox starts the example script where it lies here."""

LINT = "# flake8: noqa: A001, A002, A003, I251\n"
"""What flake8 has to pass over in the sandbox, which knows nothing of dlt: the standard library's
datetime and decimal, for which verified-sources has dlt's, and names such as `id`."""


def export(checkout: Path) -> List[Path]:
    """Copies source, example script and tests, in place of those of an earlier export.

    Args:
        checkout (Path): Folder of a clone of verified-sources.

    Returns:
        List[Path]: What was written, relative to the checkout.

    Raises:
        SystemExit: The folder is no such clone.
    """
    # the first file that a clone has and this repository, which also has `sources`, has not
    if not (checkout / "tests" / "test_dlt_init.py").is_file():
        raise SystemExit(f"error: {checkout} is no checkout of dlt-hub/verified-sources.")
    source = Path("sources", "harvest")
    script = Path("sources", "harvest_pipeline.py")
    tests = Path("tests", "harvest")
    # what is no longer here has to go there, too
    shutil.rmtree(checkout / source, ignore_errors=True)
    shutil.rmtree(checkout / tests, ignore_errors=True)
    shutil.copytree(ROOT / "harvest", checkout / source, ignore=IGNORED)
    shutil.copyfile(ROOT / script.name, checkout / script)
    shutil.copytree(ROOT / "sandbox", checkout / tests / "sandbox", ignore=NOT_FOR_TESTS)
    for module in (checkout / tests / "sandbox").rglob("*.py"):
        module.write_text(LINT + module.read_text(encoding="utf-8"), encoding="utf-8")
    (checkout / tests / "__init__.py").touch()
    shutil.copy(ROOT / "tools" / "verified_sources" / "test_harvest_source.py", checkout / tests)
    return [source, script, tests]


def main(arguments: Optional[List[str]] = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="a clone of dlt-hub/verified-sources")
    checkout: Path = parser.parse_args(arguments).checkout.resolve()
    written = export(checkout)
    print("\n".join(f"written: {path}" for path in written))
    # from within the checkout, for black to find its settings
    black = [sys.executable, "-m", "black", "--quiet", *map(str, written)]
    return subprocess.run(black, cwd=checkout, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
