"""Brings a database to the tables that this version works with."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from api.database import Database

_FOLDER = Path(__file__).parent
_LOCK = 0x63756577697365  # PostgreSQL's advisory lock of this service: servers that start at once take turns


def upgrade(database: Database) -> None:
    """Run the migrations that the database has not seen, in one transaction; none where it is up to date."""
    from alembic import command
    from alembic.config import Config

    with database.engine.begin() as connection:  # on SQLite it holds the write lock from here on
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _revision(connection) == head():
            return
        config = Config()
        config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the database has the tables of this version."""
    with database.engine.connect() as connection:
        return _revision(connection) == head()


def head() -> str:
    """Return the newest migration's name."""
    return max(path.stem for path in (_FOLDER / "versions").glob("[0-9]*.py")).partition("_")[0]


def _revision(connection: Connection) -> str | None:
    # Without Alembic, which takes a third of a second to import, and is needed only where there is something to do.
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
