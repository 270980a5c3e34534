"""The agency itself."""

from __future__ import annotations

from typing import Any

LIVE_COMPANY: dict[str, Any] = {
    "currency": "EUR",
    "saml_sign_in_required": False,
    "day_entry_notes_required": False,
}
"""What live accounts say of themselves beyond the documentation."""


def company() -> dict[str, Any]:
    """Return the agency itself, as `/company` gives it."""
    documented = {
        "base_uri": "https://studio-tamarisk.example.com",
        "full_domain": "studio-tamarisk.example.com",
        "name": "Studio Tamarisk",
        "is_active": True,
        "week_start_day": "Monday",
        "wants_timestamp_timers": True,
        "time_format": "hours_minutes",
        "date_format": "%Y-%m-%d",
        "plan_type": "simple-v4",
        "expense_feature": True,
        "invoice_feature": True,
        "estimate_feature": True,
        "approval_feature": True,
        "team_feature": True,
        "clock": "12h",
        "currency_code_display": "iso_code_none",
        "currency_symbol_display": "symbol_before",
        "decimal_symbol": ".",
        "thousands_separator": ",",
        "color_scheme": "orange",
        "weekly_capacity": 126000,
    }
    return documented | LIVE_COMPANY
