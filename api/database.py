"""The service's database: one engine, sessions that commit or roll back as a whole, the tables' common base.

SQLite in a file serves a clinic; PostgreSQL serves several servers. Every table of the service is declared on
:class:`Base`, in the module that works with it; ``api/migrations`` brings a database to the tables' present shape.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

_READS = "cuewise_reads"  # execution option of a session that only reads
_BUSY_MS = 30_000  # how long SQLite waits for another process to end its transaction
_DIALECTS = ("sqlite", "postgresql")


class Base(DeclarativeBase):
    """What every table of the service is declared on."""

    metadata = MetaData(
        naming_convention={  # so that a migration can name what it changes, on every database
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Moment(TypeDecorator[datetime]):
    """A point in time, aware of its zone in Python and kept in UTC; SQLite alone would lose the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value in UTC; one without a zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """A connection to the service's database, to be opened once a process.

    Parameters
    ----------
    url : str
        An address as SQLAlchemy writes it: ``sqlite:///cuewise.db`` or ``postgresql+psycopg://user@host/name``.

    Raises
    ------
    ValueError
        For an address that is not one, or of another kind of database; the address itself is not repeated, since it
        may hold a password.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ValueError("the database's address is not one") from None  # the cause quotes the address
        if parsed.get_backend_name() not in _DIALECTS:
            raise ValueError(f"the database must be one of {', '.join(_DIALECTS)}")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("an SQLite database must be a file, since several processes share it")
            _make_private(Path(str(parsed.database)))
        # Without parameters: an error must never quote what was to be written.
        self.engine: Engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that writes: all of it is committed at the end, or none where an exception leaves it.

        On SQLite it holds the only write lock from its first statement on, so keep it short.
        """
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads, one state of the database throughout; it waits for no writer."""
        with self.engine.connect().execution_options(**{_READS: True}) as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with Session(connection, expire_on_commit=False) as session:
                yield session

    def empty_log(self) -> None:
        """Take what was deleted out of SQLite's log too, unless someone reads or writes just now."""
        if not self.is_sqlite:
            return
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout = 0")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            cursor.close()
        except BaseException:
            connection.invalidate()  # nobody shall get it that waits for nobody
            raise
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _make_private(path: Path) -> None:
    """Make the file, and its folder where that is missing, for the service's own user alone.

    A file that is there is not opened: closing it would give up every lock that this process holds on it, and another
    process would then damage it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy begins them
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # what was accepted survives a power cut too
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads and then writes would fail if another wrote in between; so writers queue up first.
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
