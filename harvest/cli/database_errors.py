"""Errors of databases, each with the sentence that explains it."""

DATABASE_ERROR_MESSAGES = (
    (
        r"set lock on file \"([^\"]+)|used by another process.*?\"?([^\" ]+\.duckdb)",
        "{} is open in another program, whose lock on file and tables ends with it:"
        " close it there, or run again later.",
    ),
    (
        r"Cannot open file \"([^\"]+)\": Permission|open database \"([^\"]+)\" in read",
        "{} cannot be written: run as the user to whom it belongs, or in a folder of"
        " your own.",
    ),
    (
        r"Cannot open file \"([^\"]+)\"",
        "{} cannot be opened: see that its folder is there and may be written to.",
    ),
    (
        r"file \"([^\"]+)\".*not a valid DuckDB",
        "{} is no DuckDB database: move it away, or set another destination.",
    ),
    (
        r"No space left|disk full|File too large|could not extend file|DiskFull"
        r"|Disk quota exceeded",
        "The disk is full, or a file too large for it: make room and run again.",
    ),
    (
        r"unacceptable schema name \"([^\"]+)",
        "The dataset cannot be named {}: PostgreSQL keeps names that begin with pg_ for"
        " itself. Choose another with --dataset.",
    ),
    (
        r"cannot execute ([A-Z ]+?) in a read-only transaction",
        "The database lets this user only read ({} is refused): run as a user who may"
        " write, or on a server that is no replica.",
    ),
    (
        r"statement timeout",
        "The database ended a statement that took longer than its statement_timeout:"
        " raise that for the user in the credentials of the destination, as in"
        " ALTER ROLE name SET statement_timeout = '10min'.",
    ),
    (
        r"database (?:table )?is locked",
        "The SQLite database is open in another program: close it there, and run"
        " again.",
    ),
    (
        r"could not translate host name",
        "The host of the database is not known. See that it is right in the credentials"
        " of the destination. In a connection string, a password must have %40 for @,"
        " %2F for /, %3A for :, %23 for # and %25 for %.",
    ),
    (
        r"password authentication failed|no password supplied|no pg_hba\.conf"
        r"|role \"[^\"]*\" does not exist|Access denied|Invalid credentials",
        "The database refuses user name or password: correct the credentials of the"
        " destination in .dlt/secrets.toml or in the environment. In a connection"
        " string, a password must have %40 for @, %2F for /, %3A for :, %23 for # and"
        " %25 for %.",
    ),
    (
        r"database \"([^\"]+)\" does not exist",
        "The database {} is not there: create it, or correct the credentials of the"
        " destination.",
    ),
    (
        r"permission denied for (\w+ [^\s:]+)|must be owner of (\w+ [^\s:]+)",
        "The role in the credentials of the destination may not use {}: its owner must"
        " GRANT that.",
    ),
    (
        r"not currently accepting connections|the database system is \w+",
        "The database is not currently accepting connections: run again when it does.",
    ),
    (
        r"Connection refused|could not connect"
        r"|timeout expired|No route to host|Network is unreachable"
        r"|Is the server running",
        "The database cannot be reached: see that it runs, and that host and port in"
        " the credentials of the destination are right.",
    ),
    (
        r"terminating connection|server closed the connection|connection already closed"
        r"|SSL connection has been closed|connection has been lost|Connection reset",
        "The database ended the connection: run again when it is back.",
    ),
    (
        r"Out of Memory Error",
        "DuckDB has too little memory: give it more by DESTINATION__DUCKDB__CREDENTIALS"
        """__GLOBAL_CONFIG='{{"memory_limit": "1GB"}}' in the environment.""",
    ),
    (
        r"Transaction conflict|Failed to commit DuckLake transaction",
        "Another program changed the lake at the same moment: run again.",
    ),
    (
        r"cannot drop (\S+ \S+) because other objects depend on it",
        "{} cannot be made anew, since other tables or views refer to it: drop these"
        " first, and create them again afterwards.",
    ),
    (
        r"violates foreign key constraint \"([^\"]+)\"",
        "The foreign key {} keeps rows from being replaced: drop it, or make it"
        " DEFERRABLE INITIALLY DEFERRED.",
    ),
    (
        r"(?:column|Table with name|relation|no such table:?) \"?([\w.]+)\"? does not"
        r" exist|does not have a column with name \"(\w+)\"|no such table: (\w+)"
        r"|Referenced (?:update )?column \"?(\w+)\"? not found",
        "{} is not there, though it was loaded: --full-refresh makes tables anew that"
        " somebody changed.",
    ),
)
"""Patterns in the messages of databases, each with the sentence that explains it.

The sentence takes in what the group of the pattern matched.
"""
