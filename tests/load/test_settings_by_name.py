"""A setting counts where it names the source: those of other programs are left alone."""

import inspect
from pathlib import Path
from typing import Any, Dict

import dlt
import pytest

from harvest import HarvestError, harvest_source
from harvest.streams.account import account_of
from sandbox import Server
from tests.copy import Copy
from tests.helpers import sentence

NAMES = [*inspect.signature(harvest_source).parameters]
FOREIGN = "of another program"
"""No setting of the source may be this: each name, were it looked up, ends in an error or shows."""


def settings_toml(text: str, name: str = "secrets.toml") -> None:
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt", name).write_text(text)
    dlt.current.run_context().reload()


def seen(source: Any) -> Dict[str, Any]:
    """What a source was made of, as far as it can be told from outside."""
    account = account_of(source)
    client = account.client
    limits = [(limit.rate, limit.window) for limit in client.rate_limits]
    known = {name: value for name, value in vars(account).items() if name[:1] != "_"}
    del known["client"], known["source_id"]
    auth = {name: str(value) for name, value in vars(client._auth).items() if name[:1] != "_"}
    return {**known, "limits": limits, "auth": auth, "account": client.account_id} | {
        "base_url": client.base_url,
        "id_url": client._id_url,
        "user_agent": client._user_agent,
    }


@pytest.mark.parametrize("place", ["", "SOURCES__", "HARVEST__"])
@pytest.mark.parametrize("name", NAMES)
def test_the_bare_name_is_left_alone(
    name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dlt.pipeline("harvest", destination="duckdb")
    before = seen(harvest_source())
    monkeypatch.setenv(f"{place}{name.upper()}", FOREIGN)
    assert seen(harvest_source()) == before


@pytest.mark.parametrize("file", ["config.toml", "secrets.toml"])
@pytest.mark.parametrize("section", ["", "[sources]\n"])
def test_the_bare_name_is_left_alone_in_files(file: str, section: str) -> None:
    before = seen(harvest_source())
    names = [name for name in NAMES if file == "secrets.toml" or "token" not in name]
    settings_toml(section + "".join(f'{name} = "{FOREIGN}"\n' for name in names), file)
    assert seen(harvest_source()) == before


def test_the_token_does_not_go_to_the_base_url_of_another_program(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE_URL", "http://127.0.0.1:9/app")
    monkeypatch.setenv("START_DATE", "2099-01-01")
    copy.run("clients", "time_entries")
    copy.check("clients", "time_entries")


@pytest.mark.parametrize(
    ("place", "how"),
    [
        ("SOURCES__HARVEST", {}),
        ("SOURCES__HARVEST__HARVEST", {}),
        # prefixed with the name of the pipeline
        ("NIGHTLY__SOURCES__HARVEST", {}),
        # a source that was renamed, as one does for two accounts
        ("SOURCES__AGENCY_TWO", {"name": "agency_two"}),
        ("SOURCES__HARVEST__AGENCY_TWO", {"name": "agency_two"}),
        ("SOURCES__HARVEST", {"name": "agency_two"}),
        ("SOURCES__CRM", {"name": "agency_two", "section": "crm"}),
        ("SOURCES__CRM__AGENCY_TWO", {"name": "agency_two", "section": "crm"}),
    ],
)
def test_where_a_setting_names_the_source(
    place: str, how: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dlt.pipeline("nightly", destination="duckdb")
    # what is nearer to the name of the setting is another program's
    monkeypatch.setenv("START_DATE", "2001-01-01")
    monkeypatch.setenv(f"{place}__START_DATE", "2024-01-31")
    monkeypatch.setenv(f"{place}__REPORT_RATE_LIMIT", "7")
    source = harvest_source.clone(**how)() if how else harvest_source()
    account = account_of(source)
    assert account.start_date == "2024-01-31T00:00:00Z"
    assert account.client.rate_limits[1].rate == 7


def test_in_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_toml('[sources.harvest]\nstart_date = "2024-01-31"\nreport_lookback_days = 3\n')
    # as schedulers unset a variable
    monkeypatch.setenv("SOURCES__HARVEST__START_DATE", "")
    account = account_of(harvest_source())
    assert account.start_date == "2024-01-31T00:00:00Z"
    assert account.report_lookback_days == 3


def test_an_argument_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__HARVEST__START_DATE", "2024-01-31")
    monkeypatch.setenv("SOURCES__HARVEST__REPORT_PERIOD", "month")
    account = account_of(harvest_source(start_date=None, report_period="year"))
    assert account.start_date is None
    assert account.report_period == "year"
    # dlt's way to ask for a setting by an argument
    account = account_of(harvest_source(start_date=dlt.config.value))
    assert account.start_date == "2024-01-31T00:00:00Z"


def test_a_secret_in_the_file_for_settings() -> None:
    settings_toml('[sources.harvest]\naccess_token = "1234.pt.abc"\n', "config.toml")
    with pytest.raises(HarvestError, match=r"access_token is in config\.toml") as raised:
        harvest_source()
    assert "secrets.toml" in sentence(raised.value)
    assert "1234" not in sentence(raised.value)


def test_the_defaults_are_those_of_the_signature(server: Server) -> None:
    spec = harvest_source.ref.SPEC()
    for name, parameter in inspect.signature(harvest_source).parameters.items():
        assert spec[name] == parameter.default, name
