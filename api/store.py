"""Batches in the database: accepted whole, handed out in order, one result a note whatever crashes.

A batch is cut into chunks. A chunk is *waiting*, *leased* to a worker for some seconds, or *done*; it becomes done in
one transaction that puts the results in the place of the notes, and only for the lease that is still in force. So a
worker may die, or come late, at any point: another one does the chunk, and it is never done twice.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    String,
    UniqueConstraint,
    Update,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_table
from sqlalchemy.orm import Mapped, Session, mapped_column

from analyzer.types import Failure, Note, Result
from api.codec import CodecError, decode_records, decode_results, encode, without_text
from api.database import Base, Database, Moment
from api.vault import Vault, VaultError

_Row = TypeVar("_Row", bound=Base)
CHUNK_NOTES = 32  # as many as the encoder reads in one call
_MAX_ATTEMPTS = 5  # of a chunk whose workers died with it; then each of its notes goes alone
_ALONE_ATTEMPTS = 2  # of a note alone
_SPENT = "worker-died"
_KEEP = timedelta(days=30)  # how long the row of an expired batch, which holds counts alone, is kept
_GIVEN_UP = "The processes that read this note ended each time; please report this."


class State(StrEnum):
    """Where a batch is. Only ``DONE`` has a result for every note."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


UNFINISHED = (State.QUEUED, State.RUNNING)
_WAITING, _LEASED, _DONE = "waiting", "leased", "done"


class BatchRow(Base):
    """A batch: who sent it, how far it is, how long it is kept. Nothing of its notes."""

    __tablename__ = "batch"
    __table_args__ = (UniqueConstraint("owner", "idempotency_key"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    owner: Mapped[str] = mapped_column(String(100), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), index=True)
    notes: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    keep_text: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class ChunkRow(Base):
    """Some notes of a batch, sealed; then their results, sealed, in their place."""

    __tablename__ = "batch_chunk"
    __table_args__ = (Index("ix_batch_chunk_state_order", "state", "batch_seq", "first"),)

    batch_seq: Mapped[int] = mapped_column(ForeignKey("batch.seq", ondelete="CASCADE"), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None] = mapped_column(String(40))
    worker: Mapped[str | None] = mapped_column(String(100), index=True)
    leased_until: Mapped[datetime | None] = mapped_column(Moment)
    sealed_notes: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    sealed_results: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is at one moment.

    Parameters
    ----------
    done, failed : int
        Notes that have a result, and those of them whose result is an error.
    expires_at : datetime
        When its results, or its notes where it was never worked off, are deleted.
    """

    id: str
    owner: str
    state: State
    notes: int
    done: int
    failed: int
    keep_text: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that a worker holds: its notes, and the lease that its results must name."""

    batch_id: str
    batch_seq: int
    first: int
    lease: str
    records: tuple[Note | Failure, ...]
    keep_text: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: batches by state, notes not worked off, and since when the oldest of them waits."""

    batches: dict[State, int]
    notes: int
    oldest: datetime | None


class NoSuchBatchError(Exception):
    """There is no batch of that name, or it is someone else's."""


class KeyReusedError(Exception):
    """An idempotency key came again with another batch."""


class BatchGoneError(Exception):
    """The results were deleted: the batch expired, or its owner deleted it."""


class Store:
    """Keeps batches.

    Parameters
    ----------
    lifetime : timedelta
        How long results are kept once all are there, and notes that are never worked off.
    lease : timedelta
        How long a worker may be silent before another takes its chunk.
    chunk_notes : int
        Notes of a chunk.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        lifetime: timedelta = timedelta(hours=72),
        lease: timedelta = timedelta(seconds=30),
        chunk_notes: int = CHUNK_NOTES,
    ) -> None:
        self._database = database
        self._vault = vault
        self._lifetime = lifetime
        self._lease = lease
        self._chunk_notes = chunk_notes

    @property
    def vault(self) -> Vault:
        """What notes are sealed with, for the processes that work them off."""
        return self._vault

    # what a caller does

    def accept(
        self,
        owner: str,
        records: Sequence[Note | Failure],
        *,
        content: bytes = b"",
        idempotency_key: str | None = None,
        keep_text: bool = False,
        also: Callable[[Session, Batch], None] | None = None,
    ) -> tuple[Batch, bool]:
        """Keep a batch, whole, and say whether it is new.

        Parameters
        ----------
        owner : str
            Whose it is; nobody else sees it.
        records : sequence of Note or Failure
            At least one; the results come in the same order.
        content : bytes
            The request as it came, by which a repeated one is known.
        idempotency_key : str, optional
            A batch of the owner with the same key and content is the answer where there is one.
        keep_text : bool
            Whether results hold the notes' text.
        also : callable, optional
            What else stands or falls with a new batch, such as its entry in the audit trail.

        Raises
        ------
        KeyReusedError
            When the key stands for other content.
        ValueError
            Without records.
        """
        if not records:
            raise ValueError("a batch has at least one note")
        marked = b"\x01" + content if keep_text else b"\x00" + content
        fingerprints = self._vault.fingerprints(marked)
        keys = None if idempotency_key is None else self._vault.fingerprints(idempotency_key.encode())
        if keys is not None and (known := self._known(owner, keys, fingerprints)) is not None:
            return known, False
        now, batch_id = _now(), f"bat_{secrets.token_urlsafe(18)}"
        chunks = []
        for first in range(0, len(records), self._chunk_notes):
            part = records[first : first + self._chunk_notes]
            sealed = self._seal_notes(batch_id, first, part)
            chunks.append(ChunkRow(first=first, count=len(part), state=_WAITING, sealed_notes=sealed))
        row = BatchRow(
            id=batch_id,
            owner=owner,
            idempotency_key=keys[0] if keys else None,
            fingerprint=fingerprints[0],
            state=State.QUEUED,
            notes=len(records),
            done=0,
            failed=0,
            keep_text=keep_text,
            created_at=now,
            expires_at=now + self._lifetime,
        )
        with self._database.session() as session:
            if keys is not None:
                self._lock_key(session, owner, keys[0])
                if (known := _find_key(session, owner, keys, fingerprints)) is not None:
                    return known, False
            session.add(row)
            session.flush()
            for chunk in chunks:
                chunk.batch_seq = row.seq
            session.add_all(chunks)
            session.flush()
            if also is not None:
                also(session, _view(row))
        return _view(row), True

    def get(self, batch_id: str, owner: str | None) -> Batch:
        """Return a batch; an owner of None sees everyone's.

        Raises
        ------
        NoSuchBatchError
            When there is none, or it is someone else's.
        """
        with self._database.reading() as session:
            return _view(_row(session, batch_id, owner))

    def list(self, owner: str | None, *, limit: int, before: str | None = None) -> list[Batch]:
        """Return batches, newest first; those older than one of them where ``before`` names it.

        Raises
        ------
        NoSuchBatchError
            When ``before`` names none.
        """
        with self._database.reading() as session:
            query = select(BatchRow).order_by(BatchRow.seq.desc()).limit(limit)
            if owner is not None:
                query = query.where(BatchRow.owner == owner)
            if before is not None:
                query = query.where(BatchRow.seq < _row(session, before, owner).seq)
            return [_view(row) for row in session.scalars(query)]

    def delete(self, batch_id: str, owner: str | None) -> Batch:
        """Cancel a batch that is not worked off, or delete the results of one that is or was cancelled.

        Notes without a result are deleted at once; a cancelled batch keeps the results that it has.

        Raises
        ------
        NoSuchBatchError
            When there is none, or it is someone else's.
        """
        with self._database.session() as session:
            row = _row(session, batch_id, owner, lock=True)
            if row.state in UNFINISHED:
                session.execute(delete_from(ChunkRow).where(ChunkRow.batch_seq == row.seq, ChunkRow.state != _DONE))
                row.state, row.finished_at = State.CANCELLED, _now()
                row.expires_at = row.finished_at + self._lifetime
            elif row.state != State.EXPIRED:
                _expire(session, row)
            return _view(row)

    def results(self, batch_id: str, owner: str | None) -> Iterator[Result]:
        """Yield the results that there are, in the order of the notes.

        No transaction is held while they are taken.

        Raises
        ------
        NoSuchBatchError
            When there is none, or it is someone else's.
        BatchGoneError
            When they were deleted, also in the midst of it.
        """
        with self._database.reading() as session:
            row = _row(session, batch_id, owner)
            if row.state == State.EXPIRED:
                raise BatchGoneError(batch_id)
            seq, done = row.seq, (ChunkRow.batch_seq == row.seq, ChunkRow.state == _DONE)
            firsts = session.scalars(select(ChunkRow.first).where(*done).order_by(ChunkRow.first)).all()
        return self._read_results(batch_id, seq, firsts)

    def _read_results(self, batch_id: str, seq: int, firsts: Sequence[int]) -> Iterator[Result]:
        for first in firsts:
            with self._database.reading() as session:
                sealed = session.scalar(
                    select(ChunkRow.sealed_results).where(ChunkRow.batch_seq == seq, ChunkRow.first == first)
                )
            if sealed is None:
                raise BatchGoneError(batch_id)
            yield from decode_results(self._vault.open(sealed, f"results {batch_id} {first}"))

    def backlog(self) -> Backlog:
        """Return what waits, for metrics."""
        with self._database.reading() as session:
            states = session.execute(select(BatchRow.state, func.count()).group_by(BatchRow.state)).all()
            notes, oldest = session.execute(
                select(func.coalesce(func.sum(BatchRow.notes - BatchRow.done), 0), func.min(BatchRow.created_at)).where(
                    BatchRow.state.in_(UNFINISHED)
                )
            ).one()
        counts = {State(state): count for state, count in states}
        return Backlog({state: counts.get(state, 0) for state in State}, int(notes), oldest)

    # what a worker does

    def claim(self, worker: str) -> Claim | None:
        """Lease the first chunk that nobody works on; None where there is none.

        A chunk whose workers died with it several times is cut into its notes, and a note that goes on killing them
        gets an error for its result.

        Raises
        ------
        VaultError, CodecError
            When the first chunk cannot be opened: its key is not configured. It is put off until its lease ends, so
            that the next call gives another one, and none of it counts as an attempt.
        """
        while True:
            now = _now()
            is_free = or_(ChunkRow.state == _WAITING, and_(ChunkRow.state == _LEASED, ChunkRow.leased_until <= now))
            free = select(ChunkRow.batch_seq, ChunkRow.first).join(BatchRow, BatchRow.seq == ChunkRow.batch_seq)
            free = free.where(is_free, BatchRow.state.in_(UNFINISHED))
            with self._database.reading() as session:  # so that workers without work hold up no writer
                found = session.execute(free.order_by(ChunkRow.batch_seq, ChunkRow.first).limit(1)).one_or_none()
            if found is None:
                return None
            with self._database.session() as session:
                # Batch before chunk, as everywhere, so that two transactions never wait for each other.
                batch = session.scalars(_locked(select(BatchRow).where(BatchRow.seq == found.batch_seq))).one_or_none()
                same = (ChunkRow.batch_seq == found.batch_seq, ChunkRow.first == found.first, is_free)
                chunk = session.scalar(_locked(select(ChunkRow).where(*same)))
                if batch is None or chunk is None or batch.state not in UNFINISHED:
                    continue  # another worker was faster
                if chunk.attempts >= (_MAX_ATTEMPTS if chunk.count > 1 else _MAX_ATTEMPTS + _ALONE_ATTEMPTS):
                    self._set_aside(session, batch, chunk)
                    continue
                chunk.state, chunk.lease, chunk.worker = _LEASED, secrets.token_urlsafe(18), worker
                chunk.leased_until, chunk.attempts = now + self._lease, chunk.attempts + 1
                if batch.state == State.QUEUED:
                    batch.state, batch.started_at = State.RUNNING, now
                sealed, lease, first = chunk.sealed_notes, chunk.lease, chunk.first
            try:
                records = self._open_notes(batch.id, first, sealed)
            except (CodecError, VaultError):
                self._put_off(found.batch_seq, first)
                raise
            return Claim(batch.id, batch.seq, first, lease, records, batch.keep_text)

    def renew(self, claim: Claim) -> bool:
        """Hold a chunk for another lease, and say whether it was still held."""
        with self._database.session() as session:
            held = update_table(ChunkRow).where(*_held(claim)).values(leased_until=_now() + self._lease)
            return _changed(session, held) == 1

    def complete(self, claim: Claim, results: Sequence[Result]) -> bool:
        """Put the results in the place of the notes; False where the chunk is not the worker's any more.

        Raises
        ------
        ValueError
            When there is not one result for each note.
        """
        if len(results) != len(claim.records):
            raise ValueError(f"expected {len(claim.records)} results, found {len(results)}")
        sealed = self._seal_results(claim.batch_id, claim.first, results, keep_text=claim.keep_text)
        with self._database.session() as session:
            batch = session.scalars(_locked(select(BatchRow).where(BatchRow.seq == claim.batch_seq))).one_or_none()
            if batch is None:
                return False
            done = update_table(ChunkRow).where(*_held(claim)).values(_done_values(sealed))
            if _changed(session, done) != 1:
                return False
            self._count(batch, results)
        return True

    def release(self, worker: str, *, is_dead: bool = False) -> int:
        """Give back what a worker holds, and return how many chunks; an attempt counts only where the worker died."""
        with self._database.session() as session:
            values: dict[str, object] = {"state": _WAITING, "lease": None, "worker": None, "leased_until": None}
            if not is_dead:
                values["attempts"] = ChunkRow.attempts - 1
            held = (ChunkRow.worker == worker, ChunkRow.state == _LEASED)
            return _changed(session, update_table(ChunkRow).where(*held).values(values))

    # what time does

    def sweep(self) -> int:
        """Delete what has expired, and return how many batches have."""
        now = _now()
        with self._database.session() as session:
            old = select(BatchRow).where(BatchRow.expires_at <= now, BatchRow.state != State.EXPIRED)
            rows = session.scalars(_locked(old.order_by(BatchRow.seq))).all()
            for row in rows:
                _expire(session, row)
            forgotten = (BatchRow.state == State.EXPIRED, BatchRow.expires_at <= now - _KEEP)
            session.execute(delete_from(BatchRow).where(*forgotten))
        self._database.empty_log()
        return len(rows)

    def _known(self, owner: str, keys: Sequence[str], fingerprints: Sequence[str]) -> Batch | None:
        with self._database.reading() as session:
            return _find_key(session, owner, keys, fingerprints)

    def _lock_key(self, session: Session, owner: str, key: str) -> None:
        """Let requests with one key take turns; on SQLite every writer does."""
        if not self._database.is_sqlite:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{owner} {key}", 0))))

    def _put_off(self, batch_seq: int, first: int) -> None:
        with self._database.session() as session:
            chunk = (ChunkRow.batch_seq == batch_seq, ChunkRow.first == first)
            _changed(session, update_table(ChunkRow).where(*chunk).values(attempts=ChunkRow.attempts - 1))

    def _set_aside(self, session: Session, batch: BatchRow, chunk: ChunkRow) -> None:
        """Cut a chunk that kills workers into its notes, or give up on the one note that it holds."""
        records = self._open_notes(batch.id, chunk.first, chunk.sealed_notes)
        if chunk.count == 1:
            failure = _give_up(records[0])
            sealed = self._seal_results(batch.id, chunk.first, [failure], keep_text=batch.keep_text)
            held = (ChunkRow.batch_seq == chunk.batch_seq, ChunkRow.first == chunk.first)
            session.execute(update_table(ChunkRow).where(*held).values(_done_values(sealed)))
            self._count(batch, [failure])
            return
        session.execute(delete_from(ChunkRow).where(ChunkRow.batch_seq == batch.seq, ChunkRow.first == chunk.first))
        session.expunge(chunk)
        for at, record in enumerate(records, start=chunk.first):
            sealed = self._seal_notes(batch.id, at, [record])
            alone = ChunkRow(batch_seq=batch.seq, first=at, count=1, state=_WAITING, sealed_notes=sealed)
            alone.attempts = _MAX_ATTEMPTS
            session.add(alone)

    def _count(self, batch: BatchRow, results: Sequence[Result]) -> None:
        batch.done += len(results)
        batch.failed += sum(isinstance(result, Failure) for result in results)
        if batch.done == batch.notes:
            batch.state, batch.finished_at = State.DONE, _now()
            batch.expires_at = batch.finished_at + self._lifetime

    def _seal_notes(self, batch_id: str, first: int, records: Sequence[Note | Failure]) -> bytes:
        return self._vault.seal(encode(records), f"notes {batch_id} {first}")

    def _open_notes(self, batch_id: str, first: int, sealed: bytes | None) -> tuple[Note | Failure, ...]:
        return tuple(decode_records(self._vault.open(sealed or b"", f"notes {batch_id} {first}")))

    def _seal_results(self, batch_id: str, first: int, results: Sequence[Result], *, keep_text: bool) -> bytes:
        kept = results if keep_text else [without_text(result) for result in results]
        return self._vault.seal(encode(kept), f"results {batch_id} {first}")


def _now() -> datetime:
    return datetime.now(UTC)


def _locked(query: Select[tuple[_Row]]) -> Select[tuple[_Row]]:
    return query.with_for_update().execution_options(populate_existing=True)


def _row(session: Session, batch_id: str, owner: str | None, *, lock: bool = False) -> BatchRow:
    query = select(BatchRow).where(BatchRow.id == batch_id)
    if owner is not None:
        query = query.where(BatchRow.owner == owner)
    row = session.scalars(_locked(query) if lock else query).one_or_none()
    if row is None:
        raise NoSuchBatchError(batch_id)
    return row


def _find_key(session: Session, owner: str, keys: Sequence[str], fingerprints: Sequence[str]) -> Batch | None:
    known = session.scalars(
        select(BatchRow).where(BatchRow.owner == owner, BatchRow.idempotency_key.in_(keys)).limit(1)
    ).one_or_none()
    if known is None:
        return None
    if known.fingerprint not in fingerprints:
        raise KeyReusedError(known.id)
    return _view(known)


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        ChunkRow.batch_seq == claim.batch_seq,
        ChunkRow.first == claim.first,
        ChunkRow.state == _LEASED,
        ChunkRow.lease == claim.lease,
    )


def _done_values(sealed_results: bytes) -> dict[str, object]:
    freed = dict.fromkeys(("sealed_notes", "lease", "worker", "leased_until"))
    return {"state": _DONE, "sealed_results": sealed_results, **freed}


def _changed(session: Session, statement: Update) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[tuple[()]]", result).rowcount


def _expire(session: Session, row: BatchRow) -> None:
    session.execute(delete_from(ChunkRow).where(ChunkRow.batch_seq == row.seq))
    row.state, row.expires_at = State.EXPIRED, _now()
    row.finished_at = row.finished_at or row.expires_at


def _give_up(record: Note | Failure) -> Failure:
    if isinstance(record, Failure):
        return record
    return Failure(_SPENT, _GIVEN_UP, record.id, None, record.origin, record.extra)


def _view(row: BatchRow) -> Batch:
    return Batch(
        id=row.id,
        owner=row.owner,
        state=State(row.state),
        notes=row.notes,
        done=row.done,
        failed=row.failed,
        keep_text=row.keep_text,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
    )
