"""What destinations would be told to create that no test can reach.

dlt can say it without a connection. What it says is parsed in the destination's own dialect of SQL,
so that a type that a destination has not is found here.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import MagicMock

import pytest
import sqlglot
from dlt.common.destination import Destination
from dlt.common.storages.configuration import FilesystemConfiguration
from sqlglot import exp

from harvest import harvest_source

SCHEMA = harvest_source(access_token="token", account_id="1").schema

SERVERS: dict[str, dict[str, Any]] = {
    "athena": {
        "credentials": {"aws_access_key_id": "id", "aws_secret_access_key": "key"},
        "query_result_bucket": "s3://bucket",
        "force_iceberg": True,
    },
    "bigquery": {
        "credentials": {
            "project_id": "project",
            "client_email": "nobody@example.com",
            "private_key": "none",
        }
    },
    "clickhouse": {"credentials": "clickhouse://user:word@host:9000/project"},
    "databricks": {
        "credentials": {
            "catalog": "project",
            "server_hostname": "host",
            "http_path": "path",
            "access_token": "token",
        }
    },
    "dremio": {"credentials": "grpc://user:word@host:32010/project", "staging_data_source": "s"},
    "motherduck": {"credentials": "md:///project?motherduck_token=token"},
    "mssql": {"credentials": "mssql://user:word@host/project?driver=ODBC Driver 18 for SQL Server"},
    "redshift": {"credentials": "redshift://user:word@host:5439/project"},
    "snowflake": {"credentials": "snowflake://user:word@host/project"},
    "synapse": {
        "credentials": "synapse://user:word@host/project?driver=ODBC Driver 18 for SQL Server"
    },
}
"""Destinations, and settings that lead nowhere."""

NAMES = ("bigint", "bool", "date", "decimal", "text", "timestamp")
"""Types of dlt that the source has."""
TYPES: dict[str, tuple[str, ...]] = {
    "athena": ("BIGINT", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "VARCHAR", "TIMESTAMP"),
    "bigquery": ("INT64", "BOOL", "DATE", "NUMERIC(20, 6)", "STRING", "TIMESTAMP"),
    "clickhouse": ("Int64", "Bool", "DATE", "Decimal(20, 6)", "String", "DateTime64(6, 'UTC')"),
    "databricks": ("BIGINT", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "STRING", "TIMESTAMP"),
    "dremio": ("BIGINT", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "VARCHAR", "TIMESTAMP"),
    "motherduck": ("BIGINT", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "TEXT", "TIMESTAMPTZ"),
    "mssql": ("BIGINT", "BIT", "DATE", "NUMERIC(20, 6)", "NVARCHAR(MAX)", "DATETIMEOFFSET"),
    "redshift": (
        *("BIGINT", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "VARCHAR(MAX)"),
        "TIMESTAMP WITH TIME ZONE",
    ),
    "snowflake": ("DECIMAL(19, 0)", "BOOLEAN", "DATE", "DECIMAL(20, 6)", "VARCHAR", "TIMESTAMPLTZ"),
    "synapse": ("BIGINT", "BIT", "DATE", "NUMERIC(20, 6)", "NVARCHAR(MAX)", "DATETIMEOFFSET"),
}
"""What destinations call them, in the same order."""
KEYS = {"NVARCHAR(900)"}
"""Text that is in an index, which SQL Server keeps short: keys that dlt makes, and currencies."""
DESCRIBED = {"bigquery", "databricks", "snowflake"}
"""Where dlt writes the descriptions of columns along."""

DRIVERS = {
    *("botocore", "clickhouse_connect", "clickhouse_driver", "databricks", "pyathena", "pyodbc"),
    *("snowflake",),
}


class Drivers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for drivers that are not installed, of which compiling uses nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] not in DRIVERS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        return MagicMock(__path__=[])

    def exec_module(self, module: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module", params=SERVERS)
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The client that dlt has of a destination, not connected to anything."""
    drivers, loaded = Drivers(), set(sys.modules)
    # last, so that those that are installed come first
    sys.meta_path.append(drivers)
    destination = Destination.from_reference(request.param, **SERVERS[request.param])
    configuration: Any = destination.spec()
    configuration._bind_dataset_name("harvest_data")
    made: Any = destination.client(SCHEMA, configuration)
    # where Athena's tables are
    made.config.staging_config = FilesystemConfiguration(bucket_url="s3://bucket")
    made.table_prefix_layout = "{table_name}"
    yield made
    sys.meta_path.remove(drivers)
    for name in set(sys.modules) - loaded:
        if name.split(".")[0] in DRIVERS or name.startswith("dlt.destinations.impl."):
            del sys.modules[name]


def compiled(client: Any, table: str) -> exp.Create:
    """The parsed statement that creates a table."""
    columns = list(client.schema.get_table_columns(table).values())
    statement = client._get_table_update_sql(table, columns, False)[0]
    parsed = sqlglot.parse_one(statement, dialect=client.capabilities.sqlglot_dialect)
    assert isinstance(parsed, exp.Create)
    # sqlglot takes what it does not understand for an opaque command
    assert not list(parsed.find_all(exp.Command))
    return parsed


def test_all_tables_compile_with_exact_types(client: Any) -> None:
    name = client.config.destination_type.split(".")[-1]
    dialect = client.capabilities.sqlglot_dialect
    types = dict(zip(NAMES, TYPES[name], strict=True))
    for table in client.schema.data_table_names():
        created = compiled(client, table)
        expected = client.schema.get_table_columns(table)
        columns = {column.name.lower(): column for column in created.find_all(exp.ColumnDef)}
        assert list(columns) == list(expected), table
        for column, hints in expected.items():
            kind = columns[column].args["kind"].sql(dialect=dialect)
            required = columns[column].find(exp.NotNullColumnConstraint) is not None
            if name == "clickhouse":
                required = not kind.startswith("Nullable(")
                kind = kind.removeprefix("Nullable(").removesuffix("" if required else ")")
            assert kind == types[hints["data_type"]] or kind in KEYS, f"{table}.{column}"
            # dlt lets all columns of Athena's tables be null
            nullable = hints.get("nullable", True) or name == "athena"
            assert required is not nullable, f"{table}.{column}"
            texts = [each.this for each in columns[column].find_all(exp.Literal) if each.is_string]
            if name in DESCRIBED:
                assert texts == [hints["description"]], f"{table}.{column}"


def test_bigquery_partitions_and_clusters_time_entries_alone(client: Any) -> None:
    if client.config.destination_type.split(".")[-1] != "bigquery":
        return
    for table in SCHEMA.data_table_names():
        properties = compiled(client, table).args["properties"]
        clauses = [one.sql("bigquery") for one in properties.expressions] if properties else []
        expected = ["PARTITION BY `spent_date`", "CLUSTER BY `project__id`, `user__id`"]
        assert clauses == (expected if table == "time_entries" else []), table


def test_hints_are_for_bigquery_only() -> None:
    for table in SCHEMA.data_table_names():
        for name, hints in SCHEMA.get_table_columns(table).items():
            # the general ones would have Delta tables make a folder of each day
            assert not hints.get("partition"), f"{table}.{name}"
            assert not hints.get("cluster"), f"{table}.{name}"
