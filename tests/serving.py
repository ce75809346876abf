"""The service for tests: in this process, or as a real server on this machine for a browser and other clients."""

import base64
import threading
import time
from contextlib import contextmanager
from functools import cache

import uvicorn
from starlette.testclient import TestClient

from analyzer.engine import Analyzer
from api.app import create_app
from api.settings import Settings

ADDRESS = "http://127.0.0.1:8000"
DRILL = "Practiced /r/ words 50x. Tolerated tx well. Continue POC."


@cache
def lexicons():
    """Load the analyzer without its encoder, once."""
    return Analyzer.load(model="lexicons", raises=True)


@contextmanager
def service(folder, analyzer=None, **settings):
    """Start the service and give a client on the same machine."""
    app = create_app(analyzer or lexicons(), Settings(data_dir=folder, **({"batch_workers": 0} | settings)))
    with TestClient(app, base_url=ADDRESS, client=("127.0.0.1", 50000), follow_redirects=False) as client:
        yield client


@contextmanager
def serve(app, **options):
    """Run an app as a server and give its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def document(text=DRILL, **fields):
    """Return a FHIR DocumentReference with a text inside."""
    data = base64.b64encode(text.encode()).decode()
    attachment = {"contentType": "text/plain; charset=utf-8", "data": data}
    return {
        "resourceType": "DocumentReference",
        "id": "note-1",
        "status": "current",
        "subject": {"reference": "Patient/1288992"},
        "date": "2026-05-04T10:00:00Z",
        "content": [{"attachment": attachment}],
    } | fields


def bundle(*resources):
    """Return a FHIR searchset of some resources."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource} for resource in resources]}
