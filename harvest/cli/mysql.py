"""MySQL and MariaDB, by dlt's `sqlalchemy`."""

from typing import Any

import dlt

from .dlt_internals import mysql_types

TEXT = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
"""Whatever the server's default is, all characters fit, and ids of dlt that differ in
capitals only are not the same."""


def widen_texts(pipeline: dlt.Pipeline, config: Any) -> None:
    """Keep texts in columns that hold more than 64 kB, if this is MySQL or MariaDB.

    dlt stores the schema of a pipeline in such a column, and that of Harvest is longer.
    """
    if config.get_backend_name() not in ("mysql", "mariadb"):
        return
    from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR

    class WideTexts(mysql_types()):  # type: ignore[misc]
        def db_type_from_text_type(self, column: Any, table: Any) -> Any:
            length = super().db_type_from_text_type(column, table).length
            return VARCHAR(length, **TEXT) if length else LONGTEXT(**TEXT)

    pipeline.destination.caps_params["type_mapper"] = WideTexts
