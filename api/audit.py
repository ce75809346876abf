"""The audit trail: who asked what, about which ids, answered by which versions. Append-only, each entry chained.

Every entry holds the hash of the one before it, so that a changed, removed or inserted entry breaks the chain, which
:meth:`AuditTrail.verify` finds. Entries cut off at the end leave an unbroken chain; so note the head that ``verify``
gives somewhere else, and ask later whether it is still there.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Integer, LargeBinary, String, Text, event, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from api.database import Base, Database

_START = bytes(32)  # what stands for the hash before the first entry
_LOCK = 0x43554557  # of PostgreSQL: whoever appends holds it until its transaction ends
_PAGE = 1000

APPEND_ONLY: Mapping[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
        "CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$",
        "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse()",
    ),
}
"""For each kind of database what makes it refuse to change the table; the migration that makes the table runs it."""


class AuditEntry(Base):
    """One thing that someone asked. ``ids`` and ``versions`` are JSON objects, keys sorted."""

    __tablename__ = "audit_entry"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(40))  # ISO, UTC: as it is hashed, whatever the database makes of times
    who: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(80))
    ids: Mapped[str] = mapped_column(Text)
    versions: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of the chain.

    Parameters
    ----------
    entries : int
        Those up to the first break, all when there is none.
    head : str
        Hash of the last of them, in hexadecimal.
    broken_at : int, optional
        The number of the first entry that is not what it was when it was written, or after which one is missing.
    is_head_known : bool
        Whether the head that was asked for is one of the chain; True when none was.
    """

    entries: int
    head: str
    broken_at: int | None
    is_head_known: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken_at is None and self.is_head_known


class AuditTrail:
    """Appends to the trail of a database, and verifies it.

    An entry that is appended by itself survives a crash of every process at any point. On SQLite a power cut may take
    the last ones with it, as if they had never been asked; what waits for the disk instead takes as long as an
    analysis. An entry in a session of someone else's is as durable as what else that session does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = database
        if database.is_sqlite:
            self._own = Database(database.engine.url.render_as_string(hide_password=False))
            event.listen(self._own.engine, "connect", _relax)

    def close(self) -> None:
        """Close the connections that are the trail's own."""
        if self._own is not self._database:
            self._own.close()

    def record(
        self,
        who: str,
        action: str,
        ids: Mapping[str, str | None],
        versions: Mapping[str, str | None] | None = None,
        *,
        session: Session | None = None,
    ) -> None:
        """Append an entry.

        Parameters
        ----------
        who : str
            The caller, as ``api.auth`` names it.
        action : str
            Such as ``note.analyze``.
        ids : mapping
            Whom and what it was about: ids alone, never text. What is None is left out.
        versions : mapping, optional
            What it was answered with.
        session : Session, optional
            A session that writes, so that the entry stands or falls with what else it does. Append last in it: others
            who append wait until it ends.
        """
        if session is not None:
            append(session, who, action, ids, versions)
            return
        with self._own.session() as own:
            append(own, who, action, ids, versions)

    def verify(self, head: str | None = None) -> Verified:
        """Follow the chain from its beginning.

        Parameters
        ----------
        head : str, optional
            A head that was noted before; it must be one of the chain still.
        """
        number, before = 0, _START
        is_known = head is None
        with self._database.reading() as session:
            while page := session.scalars(
                select(AuditEntry).where(AuditEntry.number > number).order_by(AuditEntry.number).limit(_PAGE)
            ).all():
                for entry in page:
                    expected = _hash(
                        before,
                        number=number + 1,
                        at=entry.at,
                        who=entry.who,
                        action=entry.action,
                        ids=entry.ids,
                        versions=entry.versions,
                    )
                    if entry.number != number + 1 or bytes(entry.hash) != expected:
                        return Verified(number, before.hex(), number + 1, is_known)
                    number, before = entry.number, expected
                    is_known = is_known or expected.hex() == head
                session.expunge_all()
        return Verified(number, before.hex(), None, is_known)


def append(
    session: Session,
    who: str,
    action: str,
    ids: Mapping[str, str | None],
    versions: Mapping[str, str | None] | None = None,
) -> None:
    """Append an entry in a session that writes; see :meth:`AuditTrail.record`."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    # On SQLite the session holds the only write lock already.
    last = session.execute(
        select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
    ).first()
    number, before = (last.number + 1, bytes(last.hash)) if last else (1, _START)
    values: dict[str, Any] = {
        "number": number,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": who,
        "action": action,
        "ids": _json(ids),
        "versions": _json(versions or {}),
    }
    session.execute(insert(AuditEntry).values(**values, hash=_hash(before, **values)))


def _relax(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


def _json(values: Mapping[str, str | None]) -> str:
    present = {name: value for name, value in values.items() if value is not None}
    return json.dumps(present, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _hash(before: bytes, *, number: int, at: str, who: str, action: str, ids: str, versions: str) -> bytes:
    content = json.dumps([before.hex(), number, at, who, action, ids, versions], separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8")).digest()
