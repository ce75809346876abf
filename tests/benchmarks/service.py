"""The service under load, on this machine: ``python tests/benchmarks/service.py``.

Figures are printed and never asserted. ``cuewise serve`` runs in a process of its own; clients keep their connections
open and send one note after the other. They share the machine's processors with the service, so that the service alone
would do more. The analyzer's own cost is what the service measures around it (``cuewise_analysis_seconds``).
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0
_BATCH_S = 1800.0


class Service:
    """``cuewise serve`` with a database of its own; ends with its ``with`` block."""

    def __init__(self, model: str, workers: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CUEWISE_")}
        environment |= {
            "CUEWISE_DATA_DIR": self._folder.name,
            "CUEWISE_REQUESTS_PER_MINUTE": "10000000",
            "CUEWISE_REQUEST_BURST": "1000000",
            "CUEWISE_BATCH_WORKERS": str(workers),
            "CUEWISE_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "analyzer.cli", "serve", "--port", str(self.port), "--model", model]
        began = perf_counter()
        self._process = subprocess.Popen(command, env=environment, cwd=_ROOT, stderr=subprocess.DEVNULL)
        while not self._answers():
            if self._process.poll() is not None or perf_counter() - began > _START_S:
                self.__exit__()
                raise SystemExit("the service did not start")
            sleep(0.01)
        self.started_s = perf_counter() - began

    def _answers(self) -> bool:
        try:
            return Client(self.port).get("/readyz")[0] == 200
        except OSError:
            return False

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric, added up over what is not named in the labels."""
        found = 0.0
        for line in Client(self.port).get("/metrics")[1].decode().splitlines():
            match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
            if match and all(f'{label}="{value}"' in (match[1] or "") for label, value in labels.items()):
                found += float(match[2])
        return found

    def peak_mib(self) -> list[float]:
        """Return the most memory that each process of the service held: the server, then its workers."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        pids = [str(self._process.pid), *(pid for children in tasks for pid in children.read_text().split())]
        return [peak for pid in pids if (peak := _peak(pid)) > 50]  # not the resource tracker

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._folder.cleanup()


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for something."""
        return self._send("GET", path, None, {})

    def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
        """Send something."""
        return self._send("POST", path, body, {"Content-Type": kind})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, headers)
        if self._connection.sock is not None:
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _peak(pid: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) / 1024 if match else 0.0


def read_examples() -> list[dict[str, Any]]:
    """Return the example notes that ship with Cuewise, as records."""
    sys.path.insert(0, str(_ROOT))
    from analyzer.readers import read_notes
    from analyzer.types import Note

    notes = [note for note in read_notes([_ROOT / "analyzer" / "examples"]) if isinstance(note, Note)]
    return [{"id": note.id, "text": note.text} for note in notes]


def single(service: Service, bodies: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Send notes one by one from some clients for some seconds."""
    took: list[float] = []
    failed: list[int] = []
    until = perf_counter() + seconds

    def run(offset: int) -> None:
        client, at = Client(service.port), offset
        while perf_counter() < until:
            began = perf_counter()
            status, _ = client.post("/v1/notes:analyze", bodies[at % len(bodies)])
            took.append(perf_counter() - began)
            if status != 200:
                failed.append(status)
            at += 1

    names = ("cuewise_analysis_seconds", "cuewise_request_seconds")
    before = {name: (_sum(service, name), _count(service, name)) for name in names}
    threads = [threading.Thread(target=run, args=(number * 7,)) for number in range(clients)]
    began = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = perf_counter() - began
    means = {
        name: (_sum(service, name) - total) / max(1.0, _count(service, name) - count)
        for name, (total, count) in before.items()
    }
    cuts = statistics.quantiles(took, n=100)
    return {
        "per_s": len(took) / elapsed,
        "p50": cuts[49],
        "p95": cuts[94],
        "p99": cuts[98],
        "analysis": means["cuewise_analysis_seconds"],
        "in_service": means["cuewise_request_seconds"],
        "failed": float(len(failed)),
    }


_ROUTE = {"route": "/v1/notes:analyze"}


def _sum(service: Service, name: str) -> float:
    return service.metric(f"{name}_sum", **(_ROUTE if "request" in name else {}))


def _count(service: Service, name: str) -> float:
    return service.metric(f"{name}_count", **(_ROUTE if "request" in name else {}))


def batch(service: Service, records: list[dict[str, Any]], n_notes: int) -> tuple[float, float]:
    """Send a batch; return the seconds until it was accepted and the notes a second that it was worked off with."""
    lines = (json.dumps(records[at % len(records)] | {"id": f"n-{at}"}) for at in range(n_notes))
    body = "".join(f"{line}\n" for line in lines).encode()
    client = Client(service.port)
    began = perf_counter()
    status, content = client.post("/v1/batches", body, "application/x-ndjson")
    accepted = perf_counter() - began
    if status != 202:
        raise SystemExit(f"the batch was answered with {status}")
    path = f"/v1/batches/{json.loads(content)['id']}"
    while (state := json.loads(client.get(path)[1]))["state"] not in ("done", "cancelled"):
        if perf_counter() - began > _BATCH_S:
            raise SystemExit(f"the batch took over {_BATCH_S:g} s")
        sleep(0.05)
    return accepted, state["notes"] / (perf_counter() - began)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--notes", type=int, default=2000, help="of the batch")
    parser.add_argument("--workers", type=int, default=1, help="processes that work off the batch")
    parser.add_argument("--models", default="auto,lexicons", help="what reads the notes, with commas")
    options = parser.parse_args()
    records = read_examples()
    bodies = [json.dumps(record).encode() for record in records]
    print(f"{len(records)} example notes, {os.cpu_count()} processors shared by service and clients")
    for model in options.models.split(","):
        with Service(model, options.workers) as service:
            print(f"\nmodel {model}: answers after {service.started_s:.2f} s")
            single(service, bodies, 1, 1.0)  # what is loaded at first use
            print(
                f"{'clients':>8} {'notes/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'analyzer':>9} {'added':>6}"
            )
            for clients in (1, 8, 32):
                found = single(service, bodies, clients, options.seconds)
                figures = [1000 * found[name] for name in ("p50", "p95", "p99", "analysis")]
                p50, p95, p99, analysis = figures
                # With several clients a request also waits for its turn, which is no cost of the service.
                added = f"{1000 * (found['in_service'] - found['analysis']):6.1f}" if clients == 1 else ""
                print(f"{clients:>8} {found['per_s']:8.1f} {p50:8.1f} {p95:8.1f} {p99:8.1f} {analysis:9.1f} {added}")
                if found["failed"]:
                    print(f"{'':>8} {found['failed']:.0f} of them were refused")
            if options.workers:
                accepted, rate = batch(service, records, options.notes)
                print(f"batch of {options.notes:,}: accepted in {accepted:.2f} s, {rate:.1f} notes/s")
            peaks = ", ".join(f"{peak:.0f} MiB" for peak in service.peak_mib())
            print(f"most memory: {peaks} (server, then workers)")


if __name__ == "__main__":
    main()
