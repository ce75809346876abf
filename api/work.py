"""Processes that work off batches: each loads an analyzer once, leases chunks in order, and gives results or work back.

A worker holds its chunk by a lease that a thread of its own renews; one that is silent for too long loses it. It ends
itself when it has spent too long on one chunk, and when the server that started it is gone, so that no server leaves
anything behind. The server starts a new worker for one that ended, and gives back at once what that one held.
"""

import faulthandler
import logging
import os
import secrets
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from analyzer.engine import Analyzer
from api.codec import CodecError
from api.database import Database
from api.logs import describe, set_up_logs, with_fields
from api.settings import ModelName, Settings
from api.store import Backlog, Claim, Store
from api.vault import Vault, VaultError, load_vault

_LOG = logging.getLogger(__name__)
_IDLE_S = 1.0  # how often a worker without work asks the database, which another server may have filled
_RENEWALS = 4  # in the time of a lease
_CHUNK_TIMEOUT_S = 300.0  # for some 30 notes, of which the slowest take a second
_SWEEP_S = 60.0
_LOOK_S = 5.0  # how often a server whose workers have not started asks for batches that another one left
_TICK_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0  # before a worker that ended is replaced, doubled each time
_STEADY_S = 10.0  # a worker that lived this long ended for a reason of its own
_NICE = 5  # single notes, which someone waits for, come before batches
_WAKE = b"wake"


@dataclass(frozen=True, slots=True)
class _Setup:
    """What a worker process needs to know; it travels to it over the process's own pipe."""

    name: str
    database_url: str
    vault: Vault
    lifetime: timedelta
    lease: timedelta
    chunk_timeout_s: float
    preview: bool
    payer: str | None
    config: Path | None
    max_chars: int
    model: ModelName
    log_level: str


def open_store(settings: Settings, database: Database) -> Store:
    """Return the store of the settings' database, its notes sealed with the settings' key.

    Where no key is set, one is made and kept in the data folder.

    Raises
    ------
    VaultError
        When the key is not one, or cannot be read or made.
    """
    key_file = settings.vault_key_file
    if settings.vault_key is None and key_file is None:
        key_file = settings.data_dir / "vault.key"
    return Store(
        database,
        load_vault(settings.vault_key, key_file),
        lifetime=timedelta(hours=settings.batch_expiry_hours),
        lease=timedelta(seconds=settings.lease_s),
    )


@dataclass(slots=True)
class _Worker:
    """A worker process as its server sees it."""

    name: str
    process: BaseProcess
    pipe: Connection
    started: float


class Workforce:
    """The worker processes of one server.

    Parameters
    ----------
    settings : Settings
        ``batch_workers`` of them, which load the analyzer that the settings name.
    store : Store
        Of the same settings.
    """

    def __init__(self, settings: Settings, store: Store, *, chunk_timeout_s: float = _CHUNK_TIMEOUT_S) -> None:
        self._settings = settings
        self._store = store
        self._chunk_timeout_s = chunk_timeout_s
        self._context = get_context("spawn")
        self._workers: list[_Worker] = []
        self._failures = 0
        self._resume_at = 0.0
        self._is_stopping = threading.Event()
        self._is_needed = threading.Event()
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None

    @property
    def alive(self) -> int:
        """How many workers run."""
        with self._lock:
            return sum(worker.process.is_alive() for worker in self._workers)

    @property
    def is_kept(self) -> bool:
        """Whether someone looks after the workers."""
        return self._keeper is not None and self._keeper.is_alive()

    def start(self) -> None:
        """Start a thread that looks after the workers, and deletes what has expired.

        The workers themselves start with the first batch, or at once where one was left unfinished: a service that is
        never sent any needs no memory for them.
        """
        self._keeper = threading.Thread(target=self._keep, name="cuewise-workforce", daemon=True)
        self._keeper.start()

    def wake(self) -> None:
        """Tell the workers that there is work, so that they do not find it only by asking."""
        self._is_needed.set()
        with self._lock:
            for worker in self._workers:
                with suppress(OSError):  # it has ended, which is seen elsewhere, or has not read earlier calls yet
                    worker.pipe.send_bytes(_WAKE)

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Let each worker finish its chunk; end those that take longer, and give their chunks back."""
        self._is_stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        with self._lock:
            for worker in self._workers:
                worker.pipe.close()  # by which a worker knows
            deadline = time.monotonic() + timeout_s
            for worker in self._workers:
                worker.process.join(max(0.0, deadline - time.monotonic()))
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()
                worker.process.close()
            names = [worker.name for worker in self._workers]
            self._workers.clear()
        for name in names:
            with suppress(SQLAlchemyError):  # the database is away; the lease ends by itself
                self._store.release(name)

    def _keep(self) -> None:
        next_look = next_sweep = 0.0
        while not self._is_stopping.is_set():
            now = time.monotonic()
            try:
                if now >= next_sweep:
                    next_sweep = now + _SWEEP_S
                    if expired := self._store.sweep():
                        _LOG.info("batches expired", extra=with_fields(batches=expired))
                if now >= next_look and not self._is_needed.is_set():
                    next_look = now + _LOOK_S
                    if self._store.backlog().notes:
                        self._is_needed.set()
                if self._is_needed.is_set():
                    self._replace_ended()
            except (SQLAlchemyError, sqlite3.Error, OSError) as error:  # the database is away: it may come back
                _LOG.error("the workers could not be looked after: %s", describe(error))
            with self._lock:
                sentinels = [worker.process.sentinel for worker in self._workers]
            # A worker that ends is seen at once, a stop and the first batch soon.
            wait(sentinels, _TICK_S) if sentinels else self._is_stopping.wait(_TICK_S)

    def _replace_ended(self) -> None:
        with self._lock:
            for worker in [worker for worker in self._workers if not worker.process.is_alive()]:
                self._store.release(worker.name, is_dead=True)
                self._workers.remove(worker)
                lived = time.monotonic() - worker.started
                self._failures = 1 if lived > _STEADY_S else self._failures + 1
                pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._failures - 1))
                self._resume_at = time.monotonic() + pause
                fields = with_fields(worker=worker.name, exit_code=worker.process.exitcode)
                _LOG.error("a worker ended; another one takes its place", extra=fields)
                worker.pipe.close()
                worker.process.close()
            while len(self._workers) < self._settings.batch_workers and time.monotonic() >= self._resume_at:
                self._workers.append(self._start_worker())

    def _start_worker(self) -> _Worker:
        settings = self._settings
        name = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        setup = _Setup(
            name=name,
            database_url=settings.resolved_database_url,
            vault=self._store.vault,
            lifetime=timedelta(hours=settings.batch_expiry_hours),
            lease=timedelta(seconds=settings.lease_s),
            chunk_timeout_s=self._chunk_timeout_s,
            preview=settings.preview,
            payer=settings.payer,
            config=settings.config,
            max_chars=settings.max_chars,
            model=settings.model,
            log_level=settings.log_level,
        )
        theirs, ours = self._context.Pipe(duplex=False)
        os.set_blocking(ours.fileno(), False)
        process = self._context.Process(target=run_worker, args=(setup, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(name, process, ours, time.monotonic())


def run_worker(setup: _Setup, orders: Connection) -> None:
    """Work off batches until told to stop, or until the server is gone; what a worker process runs."""
    set_up_logs(setup.log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server alone answers Ctrl-C, and its workers see it go
    try:
        _work(setup, orders)
    except Exception as error:
        _LOG.critical("a worker failed: %s", describe(error))
        raise SystemExit(1) from None  # a traceback would print the message, which may quote what was sent


def _work(setup: _Setup, orders: Connection) -> None:
    is_told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_told.set())
    os.nice(_NICE)
    database = Database(setup.database_url)
    store = Store(database, setup.vault, lifetime=setup.lifetime, lease=setup.lease)
    analyzer = Analyzer.load(
        preview=setup.preview,
        payer=setup.payer,
        config=setup.config,
        max_chars=setup.max_chars,
        model=setup.model,
        threads=1,
    )
    while not is_told.is_set() and not _is_over(orders, 0):
        claim = None
        try:
            claim = store.claim(setup.name)
            if claim is not None:
                _work_off(claim, store, analyzer, setup)
        except (CodecError, VaultError) as error:
            _LOG.error("a chunk cannot be opened: %s", describe(error))
            continue  # it was put off; the next one may have another key
        except SQLAlchemyError as error:
            _LOG.error("the database failed: %s", describe(error))
        if claim is None and _is_over(orders, _IDLE_S):
            break
    store.release(setup.name)
    database.close()


def _is_over(orders: Connection, timeout_s: float) -> bool:
    """Wait for an order, and say whether there will be none any more: the server stops, or is gone."""
    try:
        while orders.poll(timeout_s):
            orders.recv_bytes()
            timeout_s = 0
    except (EOFError, OSError):
        return True
    return False


def _work_off(claim: Claim, store: Store, analyzer: Analyzer, setup: _Setup) -> None:
    with _holding(claim, store, setup.lease), _ending_after(setup.chunk_timeout_s):
        results = list(analyzer.analyze_all(claim.records))
    fields = with_fields(batch=claim.batch_id, first=claim.first, notes=len(results))
    if store.complete(claim, results):
        _LOG.info("a chunk is done", extra=fields)
    else:
        _LOG.warning("a chunk is not this worker's any more", extra=fields)


@contextmanager
def _holding(claim: Claim, store: Store, lease: timedelta) -> Iterator[None]:
    """Renew the lease of a chunk for as long as it is worked on."""
    is_done = threading.Event()

    def renew() -> None:
        while not is_done.wait(lease.total_seconds() / _RENEWALS):
            try:
                if not store.renew(claim):
                    return  # lost, which is seen when the results are to be kept
            except SQLAlchemyError as error:
                _LOG.error("a lease could not be renewed: %s", describe(error))

    thread = threading.Thread(target=renew, name="cuewise-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()


@contextmanager
def _ending_after(timeout_s: float) -> Iterator[None]:
    """End the process when it takes longer, whatever it does: not even the interpreter has to run for it."""
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(timeout_s, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


class BatchCollector(Collector):
    """Metrics of batches, read from the database when they are asked for."""

    def __init__(self, store: Store, workforce: Workforce) -> None:
        self._store = store
        self._workforce = workforce

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without asking the database."""
        yield from self._metrics(Backlog({}, 0, None), 0)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._metrics(self._store.backlog(), self._workforce.alive)

    def _metrics(self, backlog: Backlog, alive: int) -> Iterator[Metric]:
        batches = GaugeMetricFamily("cuewise_batches", "Batches on record, by state.", labels=["state"])
        for state, count in backlog.batches.items():
            batches.add_metric([state.value], count)
        yield batches
        yield GaugeMetricFamily("cuewise_batch_notes_waiting", "Notes that wait for a result.", value=backlog.notes)
        age = 0.0 if backlog.oldest is None else (datetime.now(UTC) - backlog.oldest).total_seconds()
        yield GaugeMetricFamily("cuewise_batch_oldest_seconds", "Age of the oldest unfinished batch.", value=age)
        yield GaugeMetricFamily("cuewise_batch_workers", "Worker processes that run.", value=alive)
