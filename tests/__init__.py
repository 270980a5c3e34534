"""Tests: the real source over real HTTP, against the sandbox, into real databases."""

import yaml

# dlt reads harvest.schema.yaml with each declaration of the source: the same in a tenth of the time
yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[misc]
