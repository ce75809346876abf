"""The CDS Hooks exchange with a client that is not ours, HealthChain's: ``python tests/benchmarks/cds_client.py``.

HealthChain gets an environment of its own under ``.venv-bench/``, since it does not go with our version of FastAPI. It
reads discovery and cards with models of its own, and sends a request for ``encounter-discharge``. What is known of it:
its requests have an empty context, and its links need a field that CDS Hooks 2.0 does not have (``autoLaunchable``).
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from run import _environment
from service import Service

_NOTE = "Practiced /r/ words 50x. Tolerated tx well. Continue POC."
_CLIENT = """
import json, sys
import httpx
from healthchain.models.responses.cdsdiscovery import CDSServiceInformation
from healthchain.models.responses.cdsresponse import Card
from healthchain.sandbox import SandboxClient

base = sys.argv[1]
offered = CDSServiceInformation(**httpx.get(f"{base}/cds-services").json()).services
client = SandboxClient(url=f"{base}/cds-services/cuewise-encounter-discharge", workflow="encounter-discharge")
client._construct_request(json.load(sys.stdin))
(answer,) = client.send_requests()
for card in answer["cards"]:
    for link in card.get("links", []):
        link["autoLaunchable"] = None
cards = [Card(**card) for card in answer["cards"]]
print(json.dumps({"services": [s.id for s in offered], "cards": [[c.indicator.value, c.summary] for c in cards]}))
"""


def main() -> None:
    """Exchange, and print what HealthChain understood."""
    data = base64.b64encode(_NOTE.encode()).decode()
    note = {
        "resourceType": "DocumentReference",
        "id": "note-1",
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }
    prefetch = {"notes": {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": note}]}}
    python = _environment("healthchain")
    with Service("lexicons", 0) as service:
        done = subprocess.run(
            [python, "-c", _CLIENT, f"http://127.0.0.1:{service.port}"],
            input=json.dumps(prefetch),
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
    if done.returncode:
        raise SystemExit(f"HealthChain did not understand the answer:\n{done.stderr}")
    understood = json.loads(done.stdout.splitlines()[-1])
    print("services:", ", ".join(understood["services"]))
    for indicator, summary in understood["cards"]:
        print(f"{indicator:>8}  {summary}")


if __name__ == "__main__":
    main()
