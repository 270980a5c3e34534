"""What the tests of destinations share: the script's load, and sums that have to be exact."""

from collections import defaultdict
from decimal import Decimal
from functools import lru_cache
from typing import Any, Dict, List

from harvest import harvest_source
from harvest.cli.commands import load
from harvest.reconcile import verify
from harvest.settings import STREAMS
from sandbox import Account
from tests.copy import Copy, truth


def script_load(copy: Copy, **arguments: Any) -> Any:
    """Loads a copy as the script does, with its comparison. Returns what the script reports."""
    options = ("full_refresh", "deleted", "max_deleted_share", "deep", "history")
    how = {name: arguments.pop(name) for name in options if name in arguments}
    resources = arguments.pop("resources", ())
    with copy.held():
        loaded = load(
            copy.source(*resources, **arguments),
            destination=copy.pipeline.destination.destination_name,
            dataset=copy.pipeline.dataset_name,
            # also where the default is once a day
            compare_every_hours=0,
            **how,
        )
    copy.pipeline = loaded.pipeline
    return loaded


def silent_changes(copy: Copy, *streams: str) -> None:
    """Changes that leave `updated_at` as it is are found and repaired: some by `deep` alone."""
    account = copy.server.account
    entry = account.rows("time_entries")[-1]
    account.edit("time_entries", entry["id"], touch=False, hours=entry["hours"] + 1)
    found = verify(copy.pipeline, copy.source(*streams))
    assert "time_entries" in {each.stream for each in found.comparisons if each.outcome != "equal"}
    script_load(copy, resources=streams)
    assert verify(copy.pipeline, copy.source(*streams)).equal
    payment = account.rows("invoice_payments")[0]
    account.edit("invoice_payments", payment["id"], touch=False, notes="Changed")
    assert verify(copy.pipeline, copy.source(*streams)).equal
    found = verify(copy.pipeline, copy.source(*streams), deep=True)
    different = {each.stream for each in found.comparisons if each.outcome == "different"}
    assert different == {"invoice_payments"}
    assert script_load(copy, resources=streams, deep=True).compared.unrepaired == []
    assert verify(copy.pipeline, copy.source(*streams), deep=True).equal
    copy.check(*streams)


def expected_sums(account: Account) -> Dict[str, Decimal]:
    """Sums of all columns of money and hours, from the account itself."""
    found: Dict[str, Decimal] = defaultdict(Decimal)
    for stream in STREAMS:
        for row in truth(account, stream).values():
            lists = {name: value for name, value in row.items() if isinstance(value, list)}
            tables = {stream: [row], **{f"{stream}__{name}": lists[name] for name in lists}}
            for table, rows in tables.items():
                for column in decimals(table):
                    found[f"{table}.{column}"] += sum(
                        Decimal(each.get(column) or 0) for each in rows
                    )
    return {name: value.normalize() for name, value in found.items()}


def stored_sums(copy: Copy) -> Dict[str, Decimal]:
    """The same, added up by the destination."""
    found = {}
    with copy.reading() as client:
        for table in copy.pipeline.default_schema.data_tables(seen_data_only=True):
            name = table["name"]
            if columns := decimals(name):
                sums = ", ".join(f"sum({client.escape_column_name(each)})" for each in columns)
                place = client.make_qualified_table_name(name)
                (row,) = client.execute_sql(f"SELECT {sums} FROM {place}")
                for column, value in zip(columns, row, strict=True):
                    found[f"{name}.{column}"] = Decimal(value or 0).normalize()
    return found


@lru_cache
def decimals(table: str) -> List[str]:
    """The columns of a table that hold money, hours or shares."""
    columns = harvest_source().schema.get_table_columns(table)
    return [name for name, column in columns.items() if column["data_type"] == "decimal"]
