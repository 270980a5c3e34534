"""Sign-in and permission: what is refused stops the run, or leaves its table as it was."""

import time
from pathlib import Path
from typing import Any, Callable, List

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest.settings import STREAMS
from sandbox import Account, RequestRecord, Server
from tests.copy import Copy, truth
from tests.helpers import long_account, long_server, sentence, snapshot
from tests.lakes import Delta
from tests.script import environment, one_sentence, run

FEW = ("company", "clients", "roles", "users", "cost_rates", "invoices", "time_team")

SAID = '(403) and says "Not authorized!"'
"""What the sandbox says when it refuses a stream."""


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """As small as an account can be that has something of everything."""
    return generated(seed=3, time_entries=60, years=0.5)


def by_oauth(server: Server, **settings: Any) -> Copy:
    """A pipeline that signs in by OAuth2."""
    given = {
        "access_token": None,
        "client_id": server.sign_in.client_id,
        "client_secret": server.sign_in.client_secret,
        "refresh_token": server.sign_in.refresh_token,
    }
    return Copy(server, **{**given, **settings})


def refreshes(copy: Copy) -> int:
    return copy.requests().count("/api/v2/oauth2/token")


# ---------------------------------------------------------------- sign-in


def test_oauth_asks_for_a_token_when_it_is_needed(server: Server) -> None:
    copy = by_oauth(server)
    copy.source()
    assert server.requests == []
    copy.run(*FEW)
    assert refreshes(copy) == 1
    # the next run may be hours later, and begins anew
    copy.run(*FEW)
    assert refreshes(copy) == 1
    copy.check(*FEW)


def test_a_token_that_expires_in_the_middle_is_renewed_once_for_all_threads(
    server: Server,
) -> None:
    copy = by_oauth(server)
    expired: List[str] = []

    def expires(record: RequestRecord) -> bool:
        """From the first request for cost rates on; it is asked before the token is looked at."""
        if not expired and record.path.endswith("/cost_rates"):
            server.account.clock.advance(server.sign_in.token_lifetime + 1)
            expired.append(record.path)
        return bool(expired)

    # nobody learns of it before three requests are under way with the old token
    refusals = server.faults.add("/(?!api/).*", "gather", times=3, when=expires)
    streams = [*FEW, "billable_rates", "invoice_messages", "invoice_payments"]
    copy.run(*streams)
    assert refusals.hits == 3
    assert len([record for record in server.requests if record.status == 401]) >= 3
    assert refreshes(copy) == 2
    copy.check("clients", "users", "cost_rates", "billable_rates", "invoice_payments")


def test_a_token_is_renewed_before_it_expires(server: Server) -> None:
    server.sign_in.token_lifetime = 2
    copy = by_oauth(server)
    server.before("/users", lambda record: time.sleep(1.9))
    copy.run("users", "cost_rates")
    assert refreshes(copy) > 1
    assert all(record.status == 200 for record in server.requests)


@pytest.mark.parametrize("wrong", ["client_id", "client_secret", "refresh_token"])
def test_a_refused_refresh_is_one_sentence(server: Server, wrong: str) -> None:
    copy = by_oauth(server, **{wrong: "made-up-value"})
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run("clients", "tasks", "users", "cost_rates")
    message = sentence(raised.value)
    assert message.startswith("Harvest refused to renew the sign-in (40")
    assert "client_secret" in message
    assert "made-up-value" not in message
    assert set(copy.requests()) == {"/api/v2/oauth2/token"}


def test_a_refresh_is_refused_in_the_middle(server: Server) -> None:
    copy = by_oauth(server)
    copy.begin(*FEW)
    before = snapshot(copy)

    def revoke(_: Any) -> None:
        server.sign_in.refresh_token = "revoked"
        server.account.clock.advance(server.sign_in.token_lifetime + 1)

    server.before("/users", revoke)
    with pytest.raises(PipelineStepFailed) as raised:
        # what is below the users is asked for when they are known, and so after that
        copy.run(*FEW, substream_refresh_hours=0)
    assert sentence(raised.value).startswith("Harvest refused to renew the sign-in (400)")
    assert snapshot(copy) == before


def test_sign_in_is_tried_again(server: Server) -> None:
    copy = by_oauth(server)
    for after, (code, wait) in enumerate(((503, 0), (500, 0), (429, 2))):
        server.faults.add(
            "/api/v2/oauth2/token", "status", after=after, code=code, retry_after=wait
        )
    copy.run("clients")
    assert refreshes(copy) == 4
    at = [record.at for record in server.requests if record.path == "/api/v2/oauth2/token"]
    assert at[3] - at[2] > 1.9
    copy.check("clients")


@pytest.mark.parametrize("command", [[], ["--dry-run"], ["verify"]], ids=["load", "dry", "verify"])
@pytest.mark.parametrize(
    ("token", "says"),
    [("", "No Harvest credentials"), ("made-up", "Harvest refused the access token (401)")],
    ids=["none", "wrong"],
)
def test_a_token_is_asked_about_before_anything_is_opened(
    server: Server, tmp_path: Path, command: List[str], token: str, says: str
) -> None:
    """Else the sentence would be about the database, which is not there."""
    data = tmp_path / "data"
    env = {
        **environment(server, ACCESS_TOKEN=token),
        "DESTINATION__POSTGRES__CREDENTIALS": "postgresql://loader:none@127.0.0.1:1/none",
        "DLT_DATA_DIR": str(data),
    }
    done = run(*command, "--destination", "postgres", env=env)
    said = one_sentence(done)
    assert said.startswith(f"error: {says}")
    # an empty variable hides nothing
    assert "***" not in said
    assert not (data / "pipelines").exists()


def test_the_token_of_another_is_refused_at_once(server: Server) -> None:
    copy = Copy(server)
    copy.begin(*FEW)
    before = snapshot(copy)
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run(*FEW, access_token="made-up-value")
    message = sentence(raised.value)
    assert message.startswith('Harvest refused the access token (401) and says "The access token')
    assert "made-up-value" not in message
    assert snapshot(copy) == before
    # at once: nothing is asked for again
    assert len(server.requests) == len({record.path for record in server.requests})


# ---------------------------------------------------------------- permission


@pytest.mark.parametrize("full_refresh", [False, pytest.param(True, marks=pytest.mark.long)])
def test_streams_are_refused(
    copy: Copy, full_refresh: bool, said: pytest.LogCaptureFixture
) -> None:
    """Their tables stay as they were, the others are loaded, and they are named."""
    server = copy.server
    copy.run()
    for odd in (0, 1):
        before = snapshot(copy)
        server.account.change(seed=odd, count=60, kinds={"add", "edit", "bill"})
        server.forbidden = set(list(STREAMS)[odd::2])
        skipped = {
            stream.name: STREAMS[stream.parent if stream.parent in server.forbidden else name]
            for name, stream in STREAMS.items()
            if server.forbidden & {name, stream.parent}
        }
        copy.run(full_refresh=full_refresh, substream_refresh_hours=0)
        assert copy.skipped() == {
            stream: "the account has no paid time off, or hides it from this owner (403)"
            if STREAMS[stream].section and stream in server.forbidden
            else f"Harvest refused it {SAID}, since it needs the role {refused.permission}"
            for stream, refused in skipped.items()
        }
        for stream, why in copy.skipped().items():
            if not STREAMS[stream].section:
                assert f"{stream} is not read: {why}; its table is left as it was" in said.text
        assert said.text.count("is not read: the account has no paid time off") == odd + 1
        after = snapshot(copy)
        for table, rows in before.items():
            if table.split("__")[0] in skipped:
                assert after[table] == rows, table
        # the others were read: those that hold what has changed
        read = STREAMS.keys() - skipped.keys()
        copy.check(*(stream for stream in read if STREAMS[stream].kind in ("whole", "child")))
        for stream in read & {"clients", "time_entries", "expenses", "projects"}:
            assert copy.rows(stream).keys() >= truth(server.account, stream).keys()


@pytest.mark.parametrize("stream", ["clients", "time_entries", "invoices", "users"])
def test_a_list_is_refused_half_way(stream: str) -> None:
    account = long_account(stream)
    with long_server(account) as server:
        copy = Copy(server)
        server.faults.add(f"/{stream}", "status", code=403, after=1)
        with pytest.raises(PipelineStepFailed) as raised:
            copy.run(stream, "tasks")
        assert sentence(raised.value) == (
            f"{stream}: Harvest refused access (403) half way through the list; nothing of this"
            " run was loaded: run again."
        )
        copy.run(stream, "tasks")
        copy.check(stream, "tasks")


@pytest.mark.long
def test_the_children_of_one_parent_are_refused(copy: Copy) -> None:
    account, server = copy.server.account, copy.server
    copy.begin("users", "cost_rates", "invoices", "invoice_payments")
    before = copy.rows("cost_rates")
    for user in account.rows("users"):
        account.add("cost_rates", user_id=user["id"], amount=99)
    # so that only a run that does not pass for a reading of them reads them the next time
    account.clock.advance(10)
    refused = account.rows("users")[2]["id"]
    fault = server.faults.add(f"/users/{refused}/cost_rates", "status", times=None, code=403)
    copy.run("users", "cost_rates", "invoices", "invoice_payments")
    assert copy.skipped().keys() == {"cost_rates"}
    assert copy.rows("cost_rates").keys() >= before.keys()
    server.faults.remove(fault)
    copy.run("users", "cost_rates", "invoices", "invoice_payments")
    copy.check("users", "cost_rates", "invoices", "invoice_payments")


def test_a_source_that_is_used_again_reads_what_it_left_out(copy: Copy) -> None:
    streams = ("clients", "tasks", "roles")
    copy.run(*streams)
    source = copy.source(*streams)
    copy.server.forbidden = {"clients", "roles"}
    copy.pipeline.run(source)
    assert copy.skipped().keys() == {"clients", "roles"}
    copy.server.forbidden = set()
    account = copy.server.account
    account.clock.advance(10)
    for stream in streams:
        account.add(stream)
    copy.pipeline.run(source)
    assert not copy.skipped()
    copy.check(*streams)


@pytest.mark.long
def test_a_delta_table_that_was_left_out_is_replaced_again(server: Server) -> None:
    """Merged, its lists would keep the items of before."""
    copy = Delta(server).of("invoices", "tasks")
    copy.run()
    source = copy.source()
    server.forbidden = {"invoices"}
    copy.pipeline.run(source)
    server.forbidden = set()
    invoice = next(row for row in server.account.rows("invoices") if len(row["line_items"]) > 1)
    server.account.edit("invoices", invoice["id"], line_items=invoice["line_items"][:-1])
    copy.pipeline.run(source)
    copy.check("invoices")
    items = sum(len(row["line_items"]) for row in server.account.rows("invoices"))
    assert len(copy.table("invoices__line_items")) == items


@pytest.mark.long
def test_raise_makes_a_refusal_an_error(server: Server) -> None:
    streams = "clients,roles,users,cost_rates"
    env = environment(server, ON_FORBIDDEN="raise")
    assert run("--resources", streams, env=env).returncode == 0
    server.forbidden = {"roles"}
    server.requests.clear()
    done = run("--resources", streams, env=env)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: roles: Harvest refused it {SAID}, since it needs the role Administrator; nothing"
        " was loaded.\n"
    )


def test_skip_is_the_default_and_no_error(server: Server) -> None:
    server.forbidden = {"roles", "invoices"}
    streams = "clients,roles,invoices,invoice_messages"
    done = run("--resources", streams, env=environment(server))
    assert done.returncode == 0
    why = f"skipped: Harvest refused it {SAID}, since it needs the role Administrator"
    assert f"{'roles':<40}   {why}\n" in done.stdout
    for stream in ("invoices", "invoice_messages"):
        assert f"{stream:<40}   {why}, or Manager with permission for invoices" in done.stdout
    assert "clients" in done.stdout
    # warnings for those who read logs, without a traceback
    assert "roles is not read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_every_stream_is_refused(server: Server) -> None:
    copy = Copy(server)
    copy.begin()
    before = snapshot(copy)
    server.forbidden = set(STREAMS)
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run()
    message = sentence(raised.value)
    assert message.startswith("Harvest let none of the streams be read: ")
    required = [name for name, stream in STREAMS.items() if not stream.section]
    assert all(f"{stream}: Harvest refused it (403)" in message for stream in required)
    assert snapshot(copy) == before
    done = run(env=environment(server))
    assert done.returncode == 1
    assert "error: Harvest let none of the streams be read: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_that_is_not_known_is_its_own_refusal(server: Server) -> None:
    """404 of one list, where others answer, does not make the account an unknown one."""
    copy = Copy(server)
    copy.begin(*FEW)
    before = snapshot(copy)
    server.missing = {"clients"}
    copy.run(*FEW)
    assert copy.skipped() == {"clients": "Harvest does not know it for this account (404)"}
    assert snapshot(copy)["clients"] == before["clients"]
    copy.check("users", "invoices")


def test_whole_tables_are_left_alone_by_an_owner_who_sees_less(server: Server) -> None:
    """A manager's reports and budgets are those of a part of the account."""
    whole = ("project_budget", "time_clients", "uninvoiced", "pto_allocations")
    copy = Copy(server).of("clients", "projects", "users", "time_entries", *whole)
    copy.begin()
    before = snapshot(copy)
    server.owned_by("manager")
    copy.run(substream_refresh_hours=0)
    after = snapshot(copy)
    for table in whole:
        assert after[table] == before[table], table
        assert "may see less" in copy.skipped()[table]
    assert after["time_entries"] == before["time_entries"]
    # what is read anew by this owner is this owner's
    copy.run("clients", "project_budget", full_refresh=True)
    assert "project_budget" not in copy.skipped()


FEATURES = ["expense_feature", "invoice_feature", "estimate_feature", "team_feature"]


@pytest.mark.parametrize("full_refresh", [False, True])
@pytest.mark.long
def test_features_that_are_switched_off_are_not_asked_for(
    copy: Copy, full_refresh: bool, said: pytest.LogCaptureFixture
) -> None:
    server = copy.server
    copy.begin()
    lacking = [stream for stream in STREAMS.values() if stream.feature]
    assert {stream.feature for stream in lacking} == set(FEATURES)
    before = {stream.name: copy.rows(stream.name) for stream in lacking}
    for feature in FEATURES:
        server.account.company[feature] = False
    copy.run(full_refresh=full_refresh, substream_refresh_hours=0)
    roots = ("/expense", "/invoice", "/estimate", "/reports/expenses")
    asked = copy.requests()
    assert not [path for path in asked if path.startswith(roots) or path.endswith("/teammates")]
    assert all(record.status == 200 for record in server.requests)
    for stream in lacking:
        assert copy.skipped()[stream.name] == f"{stream.feature} is switched off in Harvest"
        assert f"{stream.name} is not read: {stream.feature} is switched off" in said.text
        assert copy.rows(stream.name) == before[stream.name], stream.name
    assert copy.skipped().keys() == before.keys()


def test_a_failed_run_empties_no_table(copy: Copy) -> None:
    """Nor does it any that is written whole, also when everything was to be replaced."""
    copy.of("clients", "projects", "project_budget", "time_clients", "invoices").begin()
    before = snapshot(copy)
    copy.server.faults.add("/reports/project_budget", "status", times=None, code=422)
    for full_refresh in (False, True):
        with pytest.raises(PipelineStepFailed) as raised:
            copy.run(full_refresh=full_refresh)
        assert sentence(raised.value).startswith("project_budget: Harvest rejected the request")
        assert snapshot(copy) == before
