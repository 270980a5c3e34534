"""Import and read, before processes fork, all that each run of the script needs."""

from contextlib import suppress

import dlt
import pandas  # noqa: F401 - as PyArrow does where it is installed
import pyarrow.fs
import pyarrow.pandas_compat
import pyarrow.parquet  # noqa: F401

from harvest import harvest_source

dlt.destinations.duckdb().client_class  # noqa: B018
# whatever is set where the first of them forks
with suppress(Exception):
    harvest_source(access_token="none", base_url="http://127.0.0.1:9/v2")
