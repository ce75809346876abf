import sqlite3
import subprocess
import sys
from multiprocessing import get_context

import pytest
from sqlalchemy.exc import IntegrityError

from api.audit import AuditTrail, Verified
from api.database import Database
from api.migrations import upgrade

EMPTY = "0" * 64


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cuewise.db"


@pytest.fixture
def database(file):
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def trail(database):
    trail = AuditTrail(database)
    yield trail
    trail.close()


def change(file, *statements):
    """Change the file as someone would who may write to it: without the triggers."""
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER audit_entry_no_update")
    connection.execute("DROP TRIGGER audit_entry_no_delete")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def rows(file):
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT number, who, action, ids, versions FROM audit_entry").fetchall()
    connection.close()
    return found


def record(trail, *notes):
    for note in notes:
        trail.record("token:ehr", "note.analyze", {"note": note}, {"cuewise": "0.1.0"})


def test_an_entry_holds_who_what_ids_and_versions(trail, file):
    trail.record("token:ehr", "note.analyze", {"patient": "p-1", "note": "A-17", "request": None}, {"cuewise": "0.1.0"})
    assert rows(file) == [
        (1, "token:ehr", "note.analyze", '{"note":"A-17","patient":"p-1"}', '{"cuewise":"0.1.0"}'),
    ]


def test_an_empty_trail_is_whole(trail):
    assert trail.verify() == Verified(0, EMPTY, None)


def test_a_trail_that_nobody_changed_is_whole(trail):
    record(trail, "a", "b", "c")
    verified = trail.verify()
    assert (verified.entries, verified.broken_at, verified.is_whole) == (3, None, True)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit_entry SET who = 'token:other' WHERE number = 2", 2),
        ("UPDATE audit_entry SET at = '2020-01-01T00:00:00.000+00:00' WHERE number = 1", 1),
        ("UPDATE audit_entry SET ids = '{}' WHERE number = 3", 3),
        ("UPDATE audit_entry SET versions = '{}' WHERE number = 3", 3),
        ("DELETE FROM audit_entry WHERE number = 2", 2),
        ("DELETE FROM audit_entry WHERE number = 1", 1),
        ("UPDATE audit_entry SET hash = zeroblob(32) WHERE number = 1", 1),
        ("INSERT INTO audit_entry SELECT 4, at, who, action, ids, versions, hash FROM audit_entry WHERE number = 3", 4),
    ],
)
def test_a_change_is_found_where_it_is(trail, file, statement, broken_at):
    record(trail, "a", "b", "c")
    change(file, statement)
    assert trail.verify().broken_at == broken_at


def test_entries_cut_off_at_the_end_show_against_a_head_noted_before(trail, file):
    record(trail, "a", "b", "c")
    head = trail.verify().head
    assert trail.verify(head).is_whole is True
    change(file, "DELETE FROM audit_entry WHERE number = 3")
    assert (trail.verify().is_whole, trail.verify(head).is_whole) == (True, False)


def test_a_head_noted_before_stays_part_of_a_trail_that_grows(trail):
    record(trail, "a")
    head = trail.verify().head
    record(trail, "b", "c")
    assert trail.verify(head).is_whole is True


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET who = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_changes(trail, file, statement):
    record(trail, "a")
    connection = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_an_entry_stands_or_falls_with_the_session_it_is_in(trail, database):
    with pytest.raises(IntegrityError), database.session() as session:  # noqa: PT012 - both happen in the session
        trail.record("token:ehr", "batch.create", {"batch": "b-1"}, session=session)
        raise IntegrityError("", None, ValueError())
    assert trail.verify().entries == 0


def append(url, who):
    database = Database(url)
    trail = AuditTrail(database)
    for number in range(25):
        trail.record(who, "note.analyze", {"note": str(number)})
    trail.close()
    database.close()


def test_processes_that_append_at_once_make_one_chain(trail, file):
    context = get_context("spawn")
    workers = [context.Process(target=append, args=(f"sqlite:///{file}", f"worker:{n}")) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    verified = trail.verify()
    assert (verified.entries, verified.is_whole) == (75, True)


# The command


def run(file, *args):
    return subprocess.run(
        [sys.executable, "-m", "analyzer.cli", "audit-log", "verify", *args],
        env={"CUEWISE_DATA_DIR": str(file.parent), "HOME": "/", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_entries_and_head(trail, file):
    record(trail, "a", "b")
    done = run(file)
    assert (done.returncode, done.stdout) == (0, f"2 {trail.verify().head}\n")
    assert done.stderr == "The trail is whole; its entries number 2.\n"


def test_the_command_fails_for_a_trail_that_was_changed(trail, file):
    record(trail, "a", "b")
    change(file, "UPDATE audit_entry SET who = 'x' WHERE number = 2")
    done = run(file)
    assert done.returncode == 1
    assert done.stderr == "The trail is broken at entry 2: it, or the one before it, is not what was written.\n"


def test_the_command_fails_for_a_head_that_is_gone(trail, file):
    record(trail, "a", "b")
    done = run(file, "--head", "ab" * 32)
    assert done.returncode == 1
    assert done.stderr == "The head that was given is not in the chain: entries were cut off or written anew.\n"


def test_the_command_wants_a_head_in_hexadecimal(file):
    assert run(file, "--head", "zebra").returncode == 2
