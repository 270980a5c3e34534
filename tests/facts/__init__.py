"""Facts of Harvest's API: names and types, from its description and from recorded answers.

`python -m tests.facts.make` writes them; the tests of the sandbox read them.
"""

import json
from pathlib import Path
from typing import Any, Dict

FILE = Path(__file__).with_name("harvest.json")


def load() -> Dict[str, Any]:
    """Return the facts: `sources`, `endpoints` and `recorded`."""
    facts: Dict[str, Any] = json.loads(FILE.read_text())
    return facts
