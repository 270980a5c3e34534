"""What BigQuery would be told to create, which dlt can say without a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot
from dlt.common.configuration.specs import GcpServiceAccountCredentials
from dlt.destinations import bigquery
from dlt.destinations.impl.bigquery.bigquery import BigQueryClient
from dlt.destinations.impl.bigquery.configuration import BigQueryClientConfiguration
from sqlglot import exp

from harvest import harvest_source

TYPES = {
    "bigint": "INT64",
    "decimal": "NUMERIC(20, 6)",
    "bool": "BOOL",
    "text": "STRING",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
SCHEMA = harvest_source(access_token="token", account_id="1").schema


@pytest.fixture(scope="module")
def client() -> Iterator[BigQueryClient]:
    """The client of BigQuery that dlt has, which is not connected to anything."""
    credentials = GcpServiceAccountCredentials()
    credentials.project_id = "project"
    credentials.client_email = "nobody@example.com"
    credentials.private_key = "none"
    configuration = BigQueryClientConfiguration(credentials=credentials)
    made: Any = bigquery().client(SCHEMA, configuration._bind_dataset_name("harvest_data"))
    assert isinstance(made, BigQueryClient)
    yield made
    assert made.sql_client._client is None


def compiled(client: BigQueryClient, table: str) -> exp.Create:
    """The parsed statement that creates a table."""
    columns = list(client.schema.get_table_columns(table).values())
    (statement,) = client._get_table_update_sql(table, columns, False)
    parsed = sqlglot.parse_one(statement, dialect="bigquery")
    assert isinstance(parsed, exp.Create)
    # sqlglot takes what it does not understand for an opaque command or property
    assert not list(parsed.find_all(exp.Command))
    return parsed


@pytest.mark.parametrize("table", SCHEMA.data_table_names())
def test_table_compiles_with_exact_types_and_descriptions(
    client: BigQueryClient, table: str
) -> None:
    created = compiled(client, table)
    target = created.find(exp.Table)
    assert target is not None
    assert target.sql(dialect="bigquery") == f"`project`.`harvest_data`.`{table}`"

    expected = SCHEMA.get_table_columns(table)
    definitions = {column.name: column for column in created.find_all(exp.ColumnDef)}
    assert list(definitions) == list(expected)
    for name, column in definitions.items():
        hints: Any = expected[name]
        kind = column.args["kind"].sql(dialect="bigquery")
        assert kind == TYPES[hints["data_type"]], name
        required = column.find(exp.NotNullColumnConstraint) is not None
        assert required is not hints.get("nullable", True), name
        texts = [literal.this for literal in column.find_all(exp.Literal) if literal.is_string]
        assert texts == [hints["description"]], name


def test_time_entries_alone_are_partitioned_and_clustered(client: BigQueryClient) -> None:
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
