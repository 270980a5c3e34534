"""The four questions of an agency, answered from the dbt models, in the browser.

Run it with `make app` on a made-up account, or on your own data, once `dbt build` has run there:

    pip install marimo altair
    marimo run notebooks/harvest_app.py

It reads from where the pipeline `harvest` has loaded, on any destination with SQL.
"""

# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="Harvest: the four questions")

with app.setup:
    import json
    import os
    from collections import defaultdict
    from datetime import date, timedelta
    from pathlib import Path
    from statistics import median
    from typing import Any

    import altair as alt
    import dlt
    import marimo as mo
    from dlt.destinations.exceptions import DatabaseUndefinedRelation

    Row = dict[str, Any]
    Rows = list[Row]

    PIPELINE = os.environ.get("HARVEST_PIPELINE", "harvest")
    MODELS = os.environ.get("HARVEST_MODELS", "harvest_models")
    VERIFIED = Path(os.environ.get("HARVEST_VERIFIED", "verify.json"))

    EVERYTHING, EVERYONE = "Everything", "Everyone"
    PERIODS = {"Last 3 months": 3, "Last 6 months": 6, "Last 12 months": 12, EVERYTHING: 1200}
    BLUE, ORANGE = "#4c8dd9", "#e08e3c"
    AGES = ("0 to 30", "31 to 60", "61 to 90", "more than 90")
    BUCKETS = ("not due", "1 to 30", "31 to 60", "61 to 90", "more than 90", "no due date")
    SHADES = ["#9ec5ee", "#6ba3e0", "#e0c04c", "#e0913c", "#c9563c", "#8a8a8a"]


@app.function
def read(client: Any, table: str, dataset: str) -> Rows:
    """Return all rows of a table."""
    with client.with_alternative_dataset_name(dataset):
        name = client.make_qualified_table_name(table)
    with client.execute_query(f"SELECT * FROM {name}") as cursor:
        columns = [column[0].lower() for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@app.function
def read_if_there(client: Any, table: str, dataset: str) -> Rows:
    """Return all rows of a table that an account may not have."""
    try:
        return read(client, table, dataset)
    except DatabaseUndefinedRelation:
        return []


@app.function
def money(amount: Any, currency: str) -> str:
    """Write an amount without its cents."""
    return "unknown" if amount is None else f"{amount:,.0f} {currency}"


@app.function
def percent(share: Any) -> str:
    """Write a share as a percentage."""
    return "-" if share is None else f"{100 * share:.0f} %"


@app.function
def over(part: Any, whole: Any) -> Any:
    """Divide; null if there is nothing to divide by, or it is not known."""
    return part / whole if part is not None and whole else None


@app.function
def total(rows: Rows, column: str) -> Any:
    """Add up; null as soon as one of the amounts is not known."""
    values = [row[column] for row in rows]
    return None if None in values else sum(values)


@app.function
def grouped(rows: Rows, keys: tuple[str, ...], columns: tuple[str, ...]) -> Rows:
    """Add up columns of the rows with the same keys."""
    groups: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return [
        dict(zip(keys, key, strict=True)) | {column: total(group, column) for column in columns}
        for key, group in groups.items()
    ]


@app.function
def stats(*numbers: tuple[str, str, str]) -> mo.Html:
    """Show the plain numbers: label, value, and a word about each."""
    shown = [
        mo.stat(label=label, value=value, caption=caption, bordered=True)
        for label, value, caption in numbers
    ]
    return mo.hstack(shown, wrap=True, justify="start", gap=1)


@app.function
def behind(rows: Rows, columns: dict[str, str], title: str = "The table behind it") -> mo.Html:
    """Show the rows of a picture, with headings that people read."""

    def plain(value: Any) -> Any:
        return round(float(value), 2) if hasattr(value, "as_tuple") else value

    table = [{heading: plain(row[name]) for name, heading in columns.items()} for row in rows]
    shown = mo.ui.table(table, selection=None, page_size=10) if table else mo.md("No rows.")
    many = "row" if len(rows) == 1 else "rows"
    return mo.accordion({f"{title} ({len(rows)} {many})": shown})


@app.function
def picture(rows: Rows, height: int) -> alt.Chart:
    """Begin a chart as wide as the page."""
    values = [
        {
            name: float(value)
            if hasattr(value, "as_tuple")
            else str(value)
            if isinstance(value, date)
            else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return alt.Chart(alt.InlineData(values=values), width="container", height=height)


@app.cell
def tables():
    pipeline = dlt.attach(PIPELINE)
    names = (
        *("project_profitability", "missing_for_profitability", "utilization"),
        *("work_in_progress", "receivables", "budget_burn", "dim_clients", "dim_people"),
        *("dim_projects", "dim_days", "fct_time"),
    )
    with pipeline.sql_client() as _client:
        data = {name: read(_client, name, MODELS) for name in names}
        _own = pipeline.dataset_name
        company = read(_client, "company", _own)[0]
        loads = read(_client, "_dlt_loads", _own)
        copied = {
            name: read_if_there(_client, name, _own) for name in ("time_projects", "removed_rows")
        }
    today = max(row["day"] for row in data["dim_days"] if not row["is_in_future"])
    return company, copied, data, loads, today


@app.cell
def filters(company, data):
    own = company["currency"] or ""
    _used = {row["currency"] for row in data["dim_clients"] if row["currency"]}
    _converted = all(row["profit_account"] is not None for row in data["project_profitability"])
    # amounts of several currencies are shown together only if each of them has a rate
    _all = {f"All, in {own}": None} if len(_used) > 1 and _converted else {}
    _choices = {**_all, **{name: name for name in sorted(_used, key=lambda c: (c != own, c))}}
    _teams = {
        role for row in data["dim_people"] for role in (row["roles"] or "").split(", ") if role
    }
    period = mo.ui.dropdown(list(PERIODS), value="Last 12 months", label="Period")
    clients = mo.ui.multiselect(
        sorted(row["client_name"] for row in data["dim_clients"] if row["client_name"]),
        label="Clients",
    )
    team = mo.ui.dropdown([EVERYONE, *sorted(_teams)], value=EVERYONE, label="Team")
    currency = mo.ui.dropdown(
        _choices or {"-": "-"}, value=next(iter(_choices), "-"), label="Currency"
    )
    return clients, currency, own, period, team


@app.cell
def chosen(clients, currency, own, period, today):
    _months = today.year * 12 + today.month - PERIODS[period.value]
    first_month = date(max(1, _months // 12), _months % 12 + 1, 1)
    unit = currency.value or own

    def fits(row: Row) -> bool:
        """Tell whether a row is of the chosen clients and currency."""
        wanted = not clients.value or row["client_name"] in clients.value
        return wanted and (currency.value is None or row["currency"] == currency.value)

    return first_month, fits, unit


@app.cell
def profit(currency, data, first_month, fits, own, unit):
    _rows = [
        row for row in data["project_profitability"] if fits(row) and row["month"] >= first_month
    ]
    # costs of time are in the account's currency: without a rate there is no profit in another one
    _foreign = unit != own
    _ends = "" if _foreign else "_account"
    _shown = [
        {**row, "revenue_shown": row[f"revenue{_ends}"], "cost_shown": row["cost_account"]}
        for row in _rows
    ]
    _revenue, _cost = total(_shown, "revenue_shown"), total(_shown, "cost_shown")
    _profit = None if _foreign else total(_shown, "profit_account")
    _missing = data["missing_for_profitability"]
    _months = [
        {"month": row["month"], "kind": kind, "amount": row[name]}
        for row in grouped(_shown, ("month",), ("revenue_shown", "cost_shown"))
        for kind, name in (("Revenue", "revenue_shown"), ("Cost", "cost_shown"))
        if row[name] is not None and not (_foreign and kind == "Cost")
    ]
    _chart = (
        picture(sorted(_months, key=lambda row: row["month"]), 260)
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):O", title=None),
            xOffset=alt.XOffset("kind:N", sort=["Revenue", "Cost"]),
            y=alt.Y("amount:Q", title=unit, axis=alt.Axis(format="~s")),
            color=alt.Color(
                "kind:N",
                title=None,
                sort=["Revenue", "Cost"],
                scale=alt.Scale(domain=["Revenue", "Cost"], range=[BLUE, ORANGE]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                "kind:N",
                alt.Tooltip("yearmonth(month):T"),
                alt.Tooltip("amount:Q", format=",.0f"),
            ],
        )
    )
    _projects = sorted(
        grouped(
            _shown,
            ("client_name", "project_name", "billing", "currency"),
            ("hours", "revenue", "cost_account", "profit_account"),
        ),
        key=lambda row: (row["profit_account"] is None, -(row["profit_account"] or 0)),
    )
    _lacks = f"{len(_missing)} things are missing for a full picture" if _missing else "complete"
    profit_page = mo.vstack(
        [
            stats(
                ("Revenue", money(_revenue, unit), "hours, expenses and fixed fees"),
                ("Cost", money(_cost, own), "all hours and expenses"),
                ("Profit", money(_profit, own), "revenue less cost"),
                ("Margin", percent(over(_profit, _revenue)), _lacks),
            ),
            mo.md(
                f"Costs of time are in {own}. Without a rate of exchange there is no profit in"
                f" {unit}."
                if _foreign
                else ""
            ),
            _chart,
            behind(
                _projects,
                {
                    "client_name": "Client",
                    "project_name": "Project",
                    "billing": "Billing",
                    "hours": "Hours",
                    "revenue": "Revenue",
                    "currency": "Currency",
                    "cost_account": f"Cost ({own})",
                    "profit_account": f"Profit ({own})",
                },
                "Projects",
            ),
            behind(
                _missing,
                {
                    "problem": "Missing",
                    "person_name": "Person",
                    "project_name": "Project",
                    "currency": "Currency",
                    "hours": "Hours",
                },
                "What is missing",
            ),
        ]
    )
    return (profit_page,)


@app.cell
def room(data, first_month, team, today):
    _members = {
        row["user_id"]
        for row in data["dim_people"]
        if row["is_active"]
        and (team.value == EVERYONE or team.value in (row["roles"] or "").split(", "))
    }
    _weeks = [
        row
        for row in data["utilization"]
        if row["user_id"] in _members and row["is_complete"] and row["week_start"] >= first_month
    ]
    _sums = ("hours", "billable_hours", "capacity_hours", "net_capacity_hours")
    _people = [
        {
            **row,
            "share": over(row["hours"], row["net_capacity_hours"]),
            "billable_share": over(row["billable_hours"], row["net_capacity_hours"]),
            "room": row["net_capacity_hours"] - row["hours"],
        }
        for row in grouped(_weeks, ("person_name",), _sums)
    ]
    _people.sort(key=lambda row: row["share"] or 0)
    _hours, _billable, _capacity, _net = (total(_weeks, name) for name in _sums)
    _bars = picture(_people, 26 * len(_people) + 40).encode(
        y=alt.Y("person_name:N", sort=None, title=None),
        tooltip=["person_name:N", alt.Tooltip("share:Q", format=".0%")],
    )
    _chart = _bars.mark_bar(color="#b9cfe8").encode(
        x=alt.X("share:Q", title="Share of net capacity", axis=alt.Axis(format="%"))
    ) + _bars.mark_bar(color=BLUE, height=9).encode(x="billable_share:Q")
    room_page = mo.vstack(
        [
            stats(
                ("People", f"{len(_people)}", "active, with whole weeks in the period"),
                ("Hours", f"{_hours:,.0f}", f"of {_net:,.0f} net, {_capacity:,.0f} gross"),
                ("Utilization", percent(over(_hours, _capacity)), "hours / capacity, as Harvest"),
                ("Net", percent(over(_hours, _net)), "hours / net capacity"),
                ("Billable", percent(over(_billable, _net)), "billable hours / net capacity"),
            ),
            mo.md("Pale: all hours. Dark: billable hours. Those with most room are at the top."),
            _chart,
            behind(
                _people,
                {
                    "person_name": "Person",
                    "hours": "Hours",
                    "billable_hours": "Billable",
                    "capacity_hours": "Capacity",
                    "net_capacity_hours": "Net capacity",
                    "room": "Room",
                    "share": "Share",
                },
                "People",
            ),
        ]
    )
    return (room_page,)


@app.cell
def bill(data, fits, today, unit):
    _rows = [row for row in data["work_in_progress"] if fits(row)]
    _columns = {age: f"amount_{age.replace(' ', '_')}" for age in AGES}
    _aged = [
        {"client": row["client_name"], "age": age, "step": step, "amount": row[column]}
        for row in grouped(_rows, ("client_name",), tuple(_columns.values()))
        for step, (age, column) in enumerate(_columns.items())
        if row[column]
    ]
    _chart = (
        picture(_aged, 26 * len({row["client"] for row in _aged}) + 40)
        .mark_bar()
        .encode(
            y=alt.Y("client:N", sort="-x", title=None),
            x=alt.X("sum(amount):Q", title=unit, axis=alt.Axis(format="~s")),
            color=alt.Color(
                "age:N",
                title="Days",
                sort=list(AGES),
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=list(AGES), range=[*SHADES[:3], SHADES[4]]),
            ),
            order="step:Q",
            tooltip=["client:N", "age:N", alt.Tooltip("sum(amount):Q", format=",.0f")],
        )
    )
    _last = {}
    for _row in data["budget_burn"]:
        if _row["is_active"] and _row["budget"] and _row["day"] <= today:
            _kept = _last.get(_row["project_id"])
            _last[_row["project_id"]] = max(_kept or _row, _row, key=lambda row: row["day"])
    _budgets = sorted(_last.values(), key=lambda row: -(row["share_spent"] or 0))
    _old = total(_rows, "amount_more_than_90")
    _fees = [row for row in _rows if row["uninvoiced_fee"] is not None]
    bill_page = mo.vstack(
        [
            stats(
                (
                    "To be billed",
                    money(total(_rows, "uninvoiced_amount"), unit),
                    "time and expenses",
                ),
                ("Older than 90 days", money(_old, unit), "of it"),
                ("Hours", f"{total(_rows, 'uninvoiced_hours'):,.0f}", "billable, on no invoice"),
                ("Fixed fees", money(total(_fees, "uninvoiced_fee"), unit), "not invoiced yet"),
            ),
            _chart,
            behind(
                _rows,
                {
                    "client_name": "Client",
                    "project_name": "Project",
                    "billing": "Billing",
                    "currency": "Currency",
                    "uninvoiced_hours": "Hours",
                    "uninvoiced_amount": "Amount",
                    "amount_more_than_90": "Older than 90 days",
                    "uninvoiced_fee": "Fixed fee",
                },
                "Projects",
            ),
            behind(
                _budgets,
                {
                    "client_name": "Client",
                    "project_name": "Project",
                    "unit": "Unit",
                    "budget": "Budget",
                    "spent_so_far": "Spent",
                    "share_spent": "Share",
                    "runs_out_on": "Runs out on",
                },
                "Budgets, the most used first",
            ),
        ]
    )
    return (bill_page,)


@app.cell
def owe(data, first_month, fits, unit):
    _rows = [row for row in data["receivables"] if fits(row)]
    _open = [row for row in _rows if row["state"] == "open"]
    _late = [row for row in _open if row["days_late"] > 0]
    _paid = [
        row["days_to_payment"]
        for row in _rows
        if row["days_to_payment"] is not None and row["settled_on"] >= first_month
    ]
    _sums = grouped(_open, ("bucket",), ("due_amount",))
    _chart = (
        picture(_sums, 260)
        .mark_bar()
        .encode(
            x=alt.X("bucket:N", sort=list(BUCKETS), title="Days late", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("due_amount:Q", title=unit, axis=alt.Axis(format="~s")),
            color=alt.Color(
                "bucket:N", legend=None, scale=alt.Scale(domain=list(BUCKETS), range=SHADES)
            ),
            tooltip=["bucket:N", alt.Tooltip("due_amount:Q", format=",.0f")],
        )
    )
    _typical = f"{median(_paid):.0f} days" if _paid else "-"
    owe_page = mo.vstack(
        [
            stats(
                ("Due", money(total(_open, "due_amount"), unit), f"{len(_open)} open invoices"),
                ("Late", money(total(_late, "due_amount"), unit), f"{len(_late)} invoices"),
                ("Until payment", _typical, f"median of {len(_paid)} paid in the period"),
            ),
            _chart,
            behind(
                sorted(_open, key=lambda row: -row["days_late"]),
                {
                    "client_name": "Client",
                    "invoice_number": "Invoice",
                    "issue_date": "Issued",
                    "due_date": "Due date",
                    "due_amount": "Due",
                    "currency": "Currency",
                    "days_late": "Days late",
                },
                "Open invoices",
            ),
        ]
    )
    return (owe_page,)


@app.cell
def right(copied, data, loads, today):
    _hours = defaultdict(lambda: [0, 0])
    _windows = {(row["period_start"], row["period_end"]) for row in copied["time_projects"]}
    for _row in copied["time_projects"]:
        _hours[_row["period_start"], _row["period_end"]][0] += _row["total_hours"]
    for _row in data["fct_time"]:
        for _start, _end in _windows:
            if _start <= _row["spent_date"] <= _end:
                _hours[_start, _end][1] += _row["hours"]
    _years = [
        {"from": start, "to": end, "harvest": there, "here": here, "difference": here - there}
        for (start, end), (there, here) in sorted(_hours.items())
    ]
    _off = [row for row in _years if abs(row["difference"]) >= 0.01]
    _last = max(row["inserted_at"] for row in loads)
    _recent = [
        row
        for row in copied["removed_rows"]
        if row["removed_at"].date() >= today - timedelta(days=30)
    ]
    _compared = json.loads(VERIFIED.read_text(encoding="utf-8")) if VERIFIED.exists() else None
    _streams = _compared["streams"] if _compared else []
    if _compared is None:
        _verdict = ("Last comparison", "none", "no verify.json here")
    else:
        _word = "equal" if _compared["equal"] else "different"
        _differing = [row for row in _streams if row["outcome"] in ("different", "not compared")]
        _streams = sorted(_streams, key=lambda row: row not in _differing)
        _verdict = (
            "Last comparison",
            _word,
            f"{len(_differing)} of {len(_streams)} streams differ",
        )
    right_page = mo.vstack(
        [
            stats(
                ("Hours", "equal" if not _off else "different", "here and in Harvest's reports"),
                _verdict,
                ("Last load", f"{_last:%Y-%m-%d %H:%M}", "UTC"),
                ("Removed", f"{len(_recent)}", "rows deleted in Harvest, in 30 days"),
            ),
            mo.md(
                "Hours of Harvest's time reports equal the sum of the rounded hours of its"
                " entries: that is Harvest's own checksum of a copy. For all streams, run"
                " `python harvest_pipeline.py verify --json > verify.json`."
            ),
            behind(
                _years,
                {
                    "from": "From",
                    "to": "To",
                    "harvest": "Hours in Harvest's report",
                    "here": "Hours here",
                    "difference": "Difference",
                },
                "Hours by window",
            ),
            behind(_streams, {name: name for name in _streams[0]} if _streams else {}, "Streams"),
        ]
    )
    return (right_page,)


@app.cell
def page(bill_page, clients, currency, owe_page, period, profit_page, right_page, room_page, team):
    mo.vstack(
        [
            mo.md("# Harvest: the four questions"),
            mo.hstack([period, clients, team, currency], wrap=True, justify="start", gap=1.5),
            mo.ui.tabs(
                {
                    "Are we making money?": profit_page,
                    "Who has room?": room_page,
                    "What has to be billed?": bill_page,
                    "Who owes us?": owe_page,
                    "Is the copy right?": right_page,
                }
            ),
        ],
        gap=1,
    )
    return


if __name__ == "__main__":
    app.run()
