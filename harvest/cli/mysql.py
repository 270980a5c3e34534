"""MySQL and MariaDB, by dlt's `sqlalchemy`."""

from typing import Any

import dlt

TEXT = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
"""Whatever the server's default is, all characters fit, and ids of dlt that differ in
capitals only are not the same."""


def widen_texts(pipeline: dlt.Pipeline) -> None:
    """Keep texts in columns that hold more than 64 kB, if this is MySQL or MariaDB.

    dlt stores the schema of a pipeline in such a column, and that of Harvest is longer.
    """
    config: Any = pipeline.destination_client().config
    if config.get_backend_name() not in ("mysql", "mariadb"):
        return
    from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper
    from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR

    class WideTexts(MysqlVariantTypeMapper):
        def db_type_from_text_type(self, column: Any, table: Any) -> Any:
            length = super().db_type_from_text_type(column, table).length  # type: ignore[attr-defined]
            return VARCHAR(length, **TEXT) if length else LONGTEXT(**TEXT)

    pipeline.destination.caps_params["type_mapper"] = WideTexts
