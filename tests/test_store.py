import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import postgres
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text, update
from sqlalchemy.exc import DBAPIError

import api.audit
import api.auth
import api.cds_hooks
from analyzer.types import Failure, Note
from api.database import Base, Database
from api.migrations import is_current, upgrade
from api.store import BatchGoneError, BatchRow, ChunkRow, KeyReusedError, NoSuchBatchError, State, Store
from api.vault import Vault, VaultError

KEY = bytes(range(32))
MARK = "xylophonist"
OWNER = "token:clinic"
NOTES = tuple(Note(f"{MARK} {number}", id=f"A-{number}") for number in range(5))


@pytest.fixture(scope="module")
def postgres_url():
    if postgres.find_programs() is None:
        pytest.skip("PostgreSQL is not installed here")
    with postgres.running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'cuewise.db'}")
    else:
        opened = Database(request.getfixturevalue("postgres_url"))
        with opened.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def store(database):
    return Store(database, Vault([KEY]), chunk_notes=2)


def answer(claim):
    """Return a result for each note of a chunk, which tells whose it is."""
    return [Failure("some-code", "some message", record.id) for record in claim.records]


def work_off(store):
    while (claim := store.claim("worker")) is not None:
        assert store.complete(claim, answer(claim))


def age(database, table, **values):
    with database.session() as session:
        session.execute(update(table).values(**values))


def let_leases_end(database):
    age(database, ChunkRow, leased_until=datetime.now(UTC) - timedelta(seconds=1))


# migrations


def test_migrations_make_the_declared_tables(database):
    assert set(Base.metadata.tables) >= {"api_token", "audit_entry", "batch", "batch_chunk", "cds_feedback"}
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_run_once(database):
    upgrade(database)
    assert is_current(database)


def test_a_new_database_is_not_current(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    assert not is_current(database)
    assert inspect(database.engine).get_table_names() == []
    database.close()


def test_servers_that_start_at_once_take_turns(database):
    with database.engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {table}{'' if database.is_sqlite else ' CASCADE'}"))
        if not database.is_sqlite:
            connection.execute(text("DROP FUNCTION IF EXISTS audit_entry_refuse CASCADE"))
    threads = [threading.Thread(target=upgrade, args=(database,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_current(database)


def test_the_trail_cannot_be_changed(database):
    trail = api.audit.AuditTrail(database)
    trail.record("local", "note.analyze", {"note": "A-17"})
    with pytest.raises(DBAPIError), database.session() as session:
        session.execute(update(api.audit.AuditEntry).values(who="someone else"))
    assert trail.verify().is_whole


# accepting


def test_a_batch_is_queued_with_its_notes(store):
    batch, is_new = store.accept(OWNER, NOTES)
    assert is_new
    assert (batch.owner, batch.state, batch.notes, batch.done, batch.failed) == (OWNER, State.QUEUED, 5, 0, 0)
    assert batch.expires_at - batch.created_at == timedelta(hours=72)
    assert store.get(batch.id, OWNER) == batch


def test_a_batch_without_notes_is_refused(store):
    with pytest.raises(ValueError, match="at least one note"):
        store.accept(OWNER, [])


def test_a_repeated_request_gives_the_batch_that_there_is(store):
    batch, _ = store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1")
    assert store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1") == (batch, False)
    assert store.list(OWNER, limit=10) == [batch]


def test_a_key_for_another_body_is_refused(store):
    store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1")
    with pytest.raises(KeyReusedError):
        store.accept(OWNER, NOTES, content=b"another", idempotency_key="night-1")


def test_a_key_with_another_option_is_refused(store):
    store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1")
    with pytest.raises(KeyReusedError):
        store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1", keep_text=True)


def test_two_owners_may_use_one_key(store):
    first, _ = store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1")
    second, is_new = store.accept("token:other", NOTES, content=b"another", idempotency_key="night-1")
    assert is_new
    assert first.id != second.id


def test_a_request_repeated_at_once_makes_one_batch(store):
    found = []

    def send():
        found.append(store.accept(OWNER, NOTES, content=b"body", idempotency_key="night-1"))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new for _, is_new in found) == [False] * 7 + [True]
    assert len({batch.id for batch, _ in found}) == 1


def test_what_fails_with_the_acceptance_leaves_no_batch(store):
    def fail(session, batch):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.accept(OWNER, NOTES, also=fail)
    assert store.list(OWNER, limit=10) == []


def test_the_database_holds_no_word_of_a_note(database, store, tmp_path):
    store.accept(OWNER, NOTES, content=MARK.encode(), idempotency_key=MARK)
    work_off(store)
    if database.is_sqlite:
        # In another process: closing the file in this one would drop SQLite's locks.
        found = subprocess.run(["grep", "--recursive", "--text", MARK, str(tmp_path)], capture_output=True, check=False)
        assert (found.returncode, found.stdout) == (1, b"")
        return
    with database.reading() as session:
        rows = [str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    assert [row for row in rows if MARK in row] == []


# seeing


def test_others_do_not_see_a_batch(store):
    batch, _ = store.accept(OWNER, NOTES)
    for call in (store.get, store.delete, store.results):
        with pytest.raises(NoSuchBatchError):
            call(batch.id, "token:other")
    assert store.list("token:other", limit=10) == []
    assert store.get(batch.id, None) == batch


def test_batches_are_listed_newest_first_and_page_by_page(store):
    ids = [store.accept(OWNER, NOTES)[0].id for _ in range(3)]
    assert [batch.id for batch in store.list(OWNER, limit=2)] == [ids[2], ids[1]]
    assert [batch.id for batch in store.list(OWNER, limit=2, before=ids[1])] == [ids[0]]


# working


def test_chunks_are_handed_out_in_order(store):
    first, second = (store.accept(OWNER, NOTES)[0] for _ in range(2))
    claims = [store.claim("worker") for _ in range(7)]
    assert [(claim.batch_id, claim.first) for claim in claims[:6]] == [
        (batch.id, start) for batch in (first, second) for start in (0, 2, 4)
    ]
    assert claims[6] is None


def test_a_chunk_holds_its_notes(store):
    store.accept(OWNER, NOTES)
    assert store.claim("worker").records == NOTES[:2]


def test_results_come_in_the_order_of_the_notes(store):
    batch, _ = store.accept(OWNER, NOTES)
    claims = [store.claim("worker") for _ in range(3)]
    for claim in reversed(claims):
        store.complete(claim, answer(claim))
    assert [result.id for result in store.results(batch.id, OWNER)] == [note.id for note in NOTES]


def test_a_batch_is_done_with_its_last_chunk(store):
    batch, _ = store.accept(OWNER, NOTES)
    states = []
    while (claim := store.claim("worker")) is not None:
        store.complete(claim, answer(claim))
        found = store.get(batch.id, OWNER)
        states.append((found.state, found.done, found.failed))
    assert states == [(State.RUNNING, 2, 2), (State.RUNNING, 4, 4), (State.DONE, 5, 5)]
    assert found.expires_at == found.finished_at + timedelta(hours=72)


def test_notes_are_deleted_with_their_result(database, store):
    store.accept(OWNER, NOTES)
    store.complete(claim := store.claim("worker"), answer(claim))
    with database.reading() as session:
        kept = session.execute(select(ChunkRow.first, ChunkRow.sealed_notes.is_(None)).order_by(ChunkRow.first))
        assert [tuple(row) for row in kept] == [(0, True), (2, False), (4, False)]


def test_a_chunk_is_done_once(store):
    batch, _ = store.accept(OWNER, NOTES)
    claim = store.claim("worker")
    assert [store.complete(claim, answer(claim)) for _ in range(2)] == [True, False]
    assert store.get(batch.id, OWNER).done == 2


def test_results_that_are_too_few_are_refused(store):
    store.accept(OWNER, NOTES)
    claim = store.claim("worker")
    with pytest.raises(ValueError, match="expected 2 results, found 1"):
        store.complete(claim, answer(claim)[:1])


def test_a_silent_worker_loses_its_chunk(database, store):
    batch, _ = store.accept(OWNER, NOTES)
    late = store.claim("worker 1")
    let_leases_end(database)
    early = store.claim("worker 2")
    assert early.first == late.first
    assert store.complete(early, answer(early))
    assert not store.renew(late)
    assert not store.complete(late, answer(late))
    assert store.get(batch.id, OWNER).done == 2


def test_a_worker_that_renews_keeps_its_chunk(database, store):
    store.accept(OWNER, NOTES)
    held = store.claim("worker 1")
    let_leases_end(database)
    assert store.renew(held)
    assert store.claim("worker 2").first == 2


def test_a_chunk_given_back_is_next(store):
    store.accept(OWNER, NOTES)
    store.claim("worker 1")
    assert store.release("worker 1") == 1
    assert store.claim("worker 2").first == 0


def test_giving_back_is_no_attempt(store):
    store.accept(OWNER, NOTES[:2])
    for _ in range(20):
        assert len(store.claim("worker").records) == 2
        store.release("worker")


def test_a_note_that_kills_workers_gets_an_error_and_the_others_their_results(store):
    batch, _ = store.accept(OWNER, NOTES[:2])
    while (claim := store.claim("worker")) is not None:
        if NOTES[1] in claim.records:
            store.release("worker", is_dead=True)
        else:
            store.complete(claim, answer(claim))
    assert [(result.id, result.code) for result in store.results(batch.id, OWNER)] == [
        ("A-0", "some-code"),
        ("A-1", "worker-died"),
    ]
    assert store.get(batch.id, OWNER).state is State.DONE


def test_many_workers_do_every_note_once(store):
    batch, _ = store.accept(OWNER, [Note("Text.", id=str(number)) for number in range(60)])
    kept = []

    def work(name):
        while (claim := store.claim(name)) is not None:
            kept.append((claim.first, store.complete(claim, answer(claim))))

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept) == [(first, True) for first in range(0, 60, 2)]
    assert [result.id for result in store.results(batch.id, OWNER)] == [str(number) for number in range(60)]


def test_a_batch_whose_key_is_gone_waits_and_holds_up_no_other(database, store):
    Store(database, Vault([bytes(32)]), chunk_notes=2).accept(OWNER, NOTES[:2])
    batch, _ = store.accept(OWNER, NOTES[:2])
    with pytest.raises(VaultError):
        store.claim("worker")
    work_off(store)
    assert store.get(batch.id, OWNER).state is State.DONE
    let_leases_end(database)
    with pytest.raises(VaultError):
        store.claim("worker")


# ending


def test_a_cancelled_batch_keeps_its_results_and_no_notes(database, store):
    batch, _ = store.accept(OWNER, NOTES)
    store.complete(claim := store.claim("worker"), answer(claim))
    held = store.claim("worker")
    cancelled = store.delete(batch.id, OWNER)
    assert (cancelled.state, cancelled.done) == (State.CANCELLED, 2)
    assert not store.complete(held, answer(held))
    assert store.claim("worker") is None
    assert [result.id for result in store.results(batch.id, OWNER)] == ["A-0", "A-1"]
    with database.reading() as session:
        assert session.scalars(select(ChunkRow.sealed_notes)).all() == [None]


@pytest.mark.parametrize("is_done", [True, False])
def test_deleting_what_has_ended_deletes_the_results(database, store, is_done):
    batch, _ = store.accept(OWNER, NOTES)
    work_off(store) if is_done else store.delete(batch.id, OWNER)
    assert store.delete(batch.id, OWNER).state is State.EXPIRED
    with pytest.raises(BatchGoneError):
        store.results(batch.id, OWNER)
    with database.reading() as session:
        assert session.scalars(select(ChunkRow.first)).all() == []


def test_results_deleted_while_they_are_taken_are_missed(store):
    batch, _ = store.accept(OWNER, NOTES)
    work_off(store)
    results = store.results(batch.id, OWNER)
    next(results)
    store.delete(batch.id, OWNER)
    with pytest.raises(BatchGoneError):
        list(results)


@pytest.mark.parametrize("is_done", [True, False])
def test_what_has_expired_is_deleted(database, store, is_done):
    batch, _ = store.accept(OWNER, NOTES)
    if is_done:
        work_off(store)
    assert store.sweep() == 0
    age(database, BatchRow, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert store.sweep() == 1
    assert store.get(batch.id, OWNER).state is State.EXPIRED
    with database.reading() as session:
        assert session.scalars(select(ChunkRow.first)).all() == []


def test_the_log_does_not_keep_what_was_deleted(database, store, tmp_path):
    if not database.is_sqlite:
        return
    store.accept(OWNER, NOTES)
    store.sweep()
    assert (tmp_path / "cuewise.db-wal").stat().st_size == 0


def test_the_row_of_an_expired_batch_is_forgotten_later(database, store):
    store.accept(OWNER, NOTES)
    age(database, BatchRow, expires_at=datetime.now(UTC) - timedelta(days=31))
    store.sweep()
    age(database, BatchRow, expires_at=datetime.now(UTC) - timedelta(days=31))
    store.sweep()
    assert store.list(OWNER, limit=10) == []


def test_the_backlog_counts_what_waits(store):
    batch, _ = store.accept(OWNER, NOTES)
    store.complete(claim := store.claim("worker"), answer(claim))
    backlog = store.backlog()
    assert (backlog.notes, backlog.oldest) == (3, batch.created_at)
    assert backlog.batches == dict.fromkeys(State, 0) | {State.RUNNING: 1}


def test_text_is_kept_when_asked_for(analyzer_lexicons, store):
    kept, masked = (store.accept(OWNER, [Note("Named 12/20.")], keep_text=keep)[0] for keep in (True, False))
    while (claim := store.claim("worker")) is not None:
        store.complete(claim, list(analyzer_lexicons.analyze_all(claim.records)))
    texts = [next(store.results(batch.id, OWNER)).note.text for batch in (kept, masked)]
    assert texts == ["Named 12/20.", "▒" * 12]


@pytest.fixture(scope="module")
def analyzer_lexicons():
    from serving import lexicons

    return lexicons()


def test_failures_of_the_upload_are_results_too(store):
    failure = replace(Failure("bad-date", "expected a date", "A-9"), extra=(("room", "2"),))
    batch, _ = store.accept(OWNER, [failure, NOTES[0]])
    claim = store.claim("worker")
    assert claim.records == (failure, NOTES[0])
    assert store.get(batch.id, OWNER).notes == 2


# the address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no address", "the database's address is not one"),
        ("mysql://user:secret@host/name", "the database must be one of sqlite, postgresql"),
        ("sqlite://", "an SQLite database must be a file, since several processes share it"),
        ("sqlite:///:memory:", "an SQLite database must be a file, since several processes share it"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_repeating_it(url, message):
    with pytest.raises(ValueError, match="database") as error:
        Database(url)
    assert str(error.value) == message


def test_the_file_is_for_its_owner_alone(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'data' / 'cuewise.db'}")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "cuewise.db").stat().st_mode & 0o777 == 0o600
    database.close()
