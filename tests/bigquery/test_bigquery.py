"""The source and the script on BigQuery's API, by dlt's own client of it."""

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any, Dict

from harvest.reconcile import reconcile, verify
from harvest.settings import STREAMS
from tests.bigquery.emulator import PROJECT, Emulator
from tests.copy import Copy, truth
from tests.script import ROOT
from tests.sums import expected_sums, script_load, silent_changes, stored_sums
from tests.versions import documented_queries, one_history

TYPES = {
    "bigint": ("INTEGER", "INT64"),
    "decimal": ("NUMERIC", "NUMERIC(20,6)"),
    "bool": ("BOOLEAN", "BOOL"),
    "text": ("STRING", "STRING"),
    "date": ("DATE", "DATE"),
    "timestamp": ("TIMESTAMP", "TIMESTAMP"),
}
"""Types of dlt, as BigQuery's API calls them, and as SQL does."""
ALWAYS = {"whole", "yearly", "report"}
"""Kinds of streams that each run reads again; of reports, the windows that can still move."""


def test_load_again_repair_and_refresh(copy: Copy) -> None:
    account = copy.server.account
    loaded = script_load(copy)
    assert loaded.compared.equal
    assert not loaded.skipped
    copy.check()
    sums = expected_sums(account)
    assert len(sums) > 80
    assert stored_sums(copy) == sums

    again = script_load(copy).rows
    assert {STREAMS[name.split("__")[0]].kind for name in again} <= ALWAYS
    copy.check()

    account.change(seed=0, count=40, kinds={"add", "edit", "bill"})
    # the oldest, which are stored
    entry = account.rows("time_entries")[-1]["id"]
    invoice = account.rows("invoices")[-1]["id"]
    account.delete("time_entries", entry)
    account.delete("invoices", invoice)
    found = verify(copy.pipeline, copy.source())
    gone = {each.stream: each.deleted for each in found.comparisons if each.deleted}
    assert gone["time_entries"] == {(entry,)}
    assert gone["invoices"] == {(invoice,)}

    script_load(copy, substream_refresh_hours=0)
    copy.check(names=False)
    assert verify(copy.pipeline, copy.source()).equal
    removed = {(row["stream"], row["id"]) for row in copy.table("removed_rows")}
    assert {("time_entries", entry), ("invoices", invoice)} <= removed

    script_load(copy, full_refresh=True)
    copy.check()
    silent_changes(copy)
    assert stored_sums(copy) == expected_sums(account)


def test_tables_are_as_asked(copy: Copy, emulator: Emulator) -> None:
    copy.run()
    schema = copy.source().schema
    names = copy.pipeline.default_schema.data_table_names(seen_data_only=True)
    assert len(names) > 40
    created = "\n".join(emulator.statements).split("CREATE TABLE ")
    with copy.reading() as client:
        for name in names:
            place = client.make_qualified_table_name(name)
            # the emulator keeps no precisions and no clusters: they are in what was sent
            (sent,) = (text for text in created if text.startswith(f"{place} "))
            table = client.native_connection.get_table(place.replace("`", ""))
            fields = {field.name: field for field in table.schema}
            for column, hints in schema.get_table_columns(name).items():
                kind, definition = TYPES[str(hints.get("data_type"))]
                field = fields[column]
                assert field.field_type == kind, f"{name}.{column}"
                assert field.is_nullable is hints.get("nullable", True), f"{name}.{column}"
                assert f"`{column}` {definition} " in sent, f"{name}.{column}"
            partition = table.time_partitioning and table.time_partitioning.field
            assert partition == ("spent_date" if name == "time_entries" else None), name
            clustered = "\nCLUSTER BY `project__id`, `user__id`" in sent
            assert clustered is (name == "time_entries"), name


def test_documented_query(copy: Copy) -> None:
    copy.run("clients", "time_entries")
    (query,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/destinations.md").read_text(), re.S)
    query = query.replace("your-project.harvest_data", f"{PROJECT}.{copy.pipeline.dataset_name}")
    hours: Dict[Any, Decimal] = defaultdict(Decimal)
    names = {row["id"]: row["name"] for row in copy.server.account.rows("clients")}
    with copy.reading() as client:
        ((since,),) = client.execute_sql("SELECT DATE_SUB(CURRENT_DATE(), INTERVAL 6 MONTH)")
        found = client.execute_sql(query)
    for row in truth(copy.server.account, "time_entries").values():
        if row["spent_date"] >= str(since):
            hours[row["spent_date"][:7], names[row["client__id"]]] += row["rounded_hours"]
    assert hours
    assert {(str(row[0])[:7], row[1]): row[2] for row in found} == hours


def test_rows_are_marked(copy: Copy) -> None:
    account = copy.server.account
    streams = ("clients", "time_entries", "time_clients")
    copy.run(*streams)
    entry = account.rows("time_entries")[0]["id"]
    account.delete("time_entries", entry)
    reconcile(copy.pipeline, copy.source(*streams), "mark")
    assert {row["id"] for row in copy.table("time_entries") if row["deleted_at"]} == {entry}
    assert verify(copy.pipeline, copy.source(*streams)).equal


def test_history(copy: Copy) -> None:
    one_history(copy)


def test_documented_queries_of_history(copy: Copy) -> None:
    documented_queries(copy)


def test_new_fields_and_odd_values(copy: Copy) -> None:
    account = copy.server.account
    copy.run("time_entries", "clients")
    text = "Zoë \N{GRINNING FACE} \"quoted\" 'too', \\n is no line break\nthis is\t\u2028"
    client, entry = account.rows("clients")[0]["id"], account.rows("time_entries")[0]["id"]
    account.edit("clients", client, name=text)
    account.edit("time_entries", entry, notes=text)

    def odd(body: Dict[str, Any]) -> None:
        for row in body["time_entries"]:
            row.update(hours=1.1234567, spent_date="soon", mood="fine", weather={"rain": True})

    copy.server.faults.add("/time_entries", "mutate", change=odd)
    copy.run("time_entries", "clients")
    assert copy.rows("clients")[(client,)]["name"] == text
    found = copy.rows("time_entries")[(entry,)]
    assert (found["notes"], found["mood"], found["weather__rain"]) == (text, "fine", True)
    assert (found["hours__v_text"], found["spent_date__v_text"]) == ("1.1234567", "soon")
    assert "hours" not in found
