"""Hints of the user's win over those of the source."""

from tests.copy import Copy


def test_a_column_of_another_type(copy: Copy) -> None:
    for _ in range(2):
        source = copy.source("time_entries", "clients")
        source.time_entries.apply_hints(
            columns={"hours": {"data_type": "double"}, "spent_date": {"data_type": "text"}}
        )
        copy.pipeline.run(source)
        copy.server.account.edit(
            "time_entries", copy.server.account.rows("time_entries")[0]["id"], notes="x"
        )
    columns = copy.pipeline.default_schema.get_table_columns("time_entries")
    assert columns["hours"]["data_type"] == "double"
    assert columns["spent_date"]["data_type"] == "text"
    row = copy.table("time_entries")[0]
    assert (type(row["hours"]), type(row["spent_date"])) == (float, str)


def test_a_file_format(copy: Copy) -> None:
    source = copy.source("clients", "tasks")
    source.clients.apply_hints(file_format="jsonl")
    info = copy.pipeline.run(source)
    files = {
        (job.job_file_info.table_name, job.job_file_info.file_format)
        for package in info.load_packages
        for job in package.jobs["completed_jobs"]
    }
    assert {("clients", "jsonl"), ("tasks", "parquet")} <= files
    assert not {("clients", "parquet"), ("tasks", "jsonl")} & files
    copy.check("clients", "tasks")


def test_a_write_disposition(copy: Copy) -> None:
    source = copy.source("clients")
    source.clients.apply_hints(write_disposition="append")
    copy.pipeline.run(source)
    account = copy.server.account
    account.clock.advance(60)
    account.edit("clients", account.rows("clients")[0]["id"], name="Edited")
    copy.pipeline.run(source)
    assert len(copy.table("clients")) == len(account.rows("clients")) + 1
