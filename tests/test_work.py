import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from multiprocessing import Pipe

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import select

from analyzer.types import Note
from api.database import Database
from api.migrations import upgrade
from api.settings import Settings
from api.store import ChunkRow, State
from api.work import BatchCollector, Workforce, _ending_after, _is_over, open_store

TEXT = "Practiced /r/ words. Named {} of 20 pictures with min phonemic cues, up from 8/20. Tolerated tx well."
LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
PATIENCE_S = 60


def wait_until(is_so, patience_s=PATIENCE_S):
    until = time.monotonic() + patience_s
    while not (found := is_so()):
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)
    return found


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, model="lexicons", log_level="error", lease_s=2)


@pytest.fixture
def store(settings):
    database = Database(settings.resolved_database_url)
    upgrade(database)
    yield open_store(settings, database)
    database.close()


def test_workers_start_with_the_first_batch_work_it_off_and_stop(settings, store):
    workforce = Workforce(settings, store)
    workforce.start()
    time.sleep(0.5)
    assert workforce.alive == 0
    batch, _ = store.accept("local", [Note(TEXT.format(number), id=str(number)) for number in range(40)])
    workforce.wake()
    wait_until(lambda: store.get(batch.id, None).state is State.DONE)
    assert workforce.alive == 1
    workforce.stop()
    assert workforce.alive == 0
    results = list(store.results(batch.id, None))
    assert [result.note.id for result in results] == [str(number) for number in range(40)]
    assert {result.versions.model for result in results} == {None}


def test_a_worker_ends_when_its_server_is_gone():
    orders, server = Pipe(duplex=False)
    assert not _is_over(orders, 0)
    server.send_bytes(b"wake")
    assert not _is_over(orders, 5)
    server.close()
    assert _is_over(orders, 5)


@pytest.mark.parametrize("hang", ["while True: pass", "import re; re.match('(a+)+b', 'a' * 40)"])
def test_a_worker_that_takes_too_long_ends_whatever_it_does(hang):
    code = f"from api.work import _ending_after\nwith _ending_after(0.2):\n    {hang}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_work_in_time_is_left_alone():
    with _ending_after(30):
        time.sleep(0.01)


def test_metrics_tell_what_waits(settings, store):
    store.accept("local", [Note("Text."), Note("Text.")])
    registry = CollectorRegistry()
    registry.register(BatchCollector(store, Workforce(settings, store)))
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith(("#", "cuewise_batch_oldest"))] == [
        'cuewise_batches{state="queued"} 1.0',
        'cuewise_batches{state="running"} 0.0',
        'cuewise_batches{state="done"} 0.0',
        'cuewise_batches{state="cancelled"} 0.0',
        'cuewise_batches{state="expired"} 0.0',
        "cuewise_batch_notes_waiting 2.0",
        "cuewise_batch_workers 0.0",
    ]


# kill -9


class Server:
    """`cuewise serve` on a folder, which can be killed and started again."""

    def __init__(self, folder, workers):
        self.folder = folder
        self.log = folder / "log"
        self.environment = os.environ | {
            "CUEWISE_DATA_DIR": str(folder),
            "CUEWISE_MODEL": "lexicons",
            "CUEWISE_LEASE_S": "2",
            "CUEWISE_BATCH_WORKERS": str(workers),
        }
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "analyzer.cli", "serve", "--port", "0"]
            before = self.log.stat().st_size
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=self.environment)

        def address():
            assert self.process.poll() is None, "the server did not start"
            return LISTENING.search(self.log.read_text()[before:])

        self.client = httpx.Client(base_url=wait_until(address)[1], timeout=30)

    def workers(self):
        """Return the process ids of the workers: children that multiprocessing spawned."""
        command = ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        return [int(line.split()[0]) for line in lines if "spawn_main" in line]

    def kill(self, whom):
        """Kill -9 the workers, the server, or all of them at once."""
        victims = self.workers() if whom in ("workers", "all") else []
        if whom in ("server", "all"):
            victims.insert(0, self.process.pid)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if whom != "workers":
            self.process.wait()
            self.client.close()
            self.start()

    def stop(self):
        """Ask the server to end, and return how it did."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(folder, workers=1):
    server = Server(folder, workers)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def send(server, count):
    lines = [json.dumps({"id": f"A-{number}", "text": TEXT.format(number)}) for number in range(count)]
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "night-1"}
    answer = server.client.post("/v1/batches", content="\n".join(lines), headers=headers)
    assert answer.status_code == 202
    return answer.json()["id"]


def progress(server, batch_id):
    answer = server.client.get(f"/v1/batches/{batch_id}")
    assert answer.status_code == 200
    return answer.json()


def check_results(server, batch_id, count):
    wait_until(lambda: progress(server, batch_id)["state"] == "done", 300)
    shown = progress(server, batch_id)
    assert (shown["notes"], shown["done"], shown["failed"]) == (count, count, 0)
    lines = server.client.get(f"/v1/batches/{batch_id}/results").text.splitlines()
    assert [(record["id"], record["status"]) for record in map(json.loads, lines)] == [
        (f"A-{number}", "ok") for number in range(count)
    ]
    # The same batch sent again is the one that there is.
    assert send(server, count) == batch_id


def kill_at_random(server, batch_id, rounds, seed):
    chance = random.Random(seed)
    for whom in rounds:
        before = progress(server, batch_id)["done"]
        wait_until(lambda before=before: progress(server, batch_id)["done"] > before, 120)
        time.sleep(chance.uniform(0, 0.6))
        server.kill(whom)


def test_every_note_has_one_result_whatever_is_killed(tmp_path):
    with serving(tmp_path) as server:
        batch_id = send(server, 400)
        kill_at_random(server, batch_id, ["server", "all"], seed=7)
        assert progress(server, batch_id)["state"] == "running"
        check_results(server, batch_id, 400)


def test_a_server_that_is_stopped_gives_its_work_back(tmp_path):
    with serving(tmp_path) as server:
        batch_id = send(server, 320)
        wait_until(lambda: progress(server, batch_id)["done"] > 0)
        workers = server.workers()
        assert server.stop() == -signal.SIGTERM  # as uvicorn ends, once all is in order
        assert [pid for pid in workers if is_running(pid)] == []
        database = Database(f"sqlite:///{tmp_path / 'cuewise.db'}")
        with database.reading() as session:
            states = session.scalars(select(ChunkRow.state).distinct().order_by(ChunkRow.state)).all()
        database.close()
        assert states == ["done", "waiting"]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif("LARGE_TESTS" not in os.environ, reason="takes minutes; set LARGE_TESTS to run it")
@pytest.mark.parametrize("seed", range(3))
def test_every_note_of_a_large_batch_has_one_result_whatever_is_killed(tmp_path, seed):
    chance = random.Random(seed)
    rounds = ["workers", "server", "all", *(chance.choice(["workers", "server", "all"]) for _ in range(5))]
    chance.shuffle(rounds)
    with serving(tmp_path, workers=2) as server:
        batch_id = send(server, 2000)
        kill_at_random(server, batch_id, rounds, seed)
        check_results(server, batch_id, 2000)
