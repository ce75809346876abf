"""Runs the service: where it listens, how it stops."""

import logging
import socket
from contextlib import suppress
from dataclasses import replace

import uvicorn

from api.app import create_app
from api.auth import Tokens
from api.database import Database
from api.logs import set_up_logs
from api.migrations import upgrade
from api.protocol import BoundedProtocol
from api.settings import Settings, is_loopback

_LOG = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_MOST_CONNECTIONS = 2000  # beyond, a connection is answered 503 at once
_BACKLOG = 2048


def serve(settings: Settings) -> None:
    """Serve until a signal ends it; then requests under way are finished, and work under way is handed back.

    Without any API token it listens on a loopback address, whatever the settings say, and says so.

    Raises
    ------
    OSError
        When the address is taken or is none of this machine's.
    """
    set_up_logs(settings.log_level)
    chosen = _choose_host(settings)
    listening = _listen(chosen.host, chosen.port)
    port = listening.getsockname()[1]
    scheme = "https" if chosen.tls_cert else "http"
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    server = _Server(
        uvicorn.Config(
            create_app(settings=chosen),
            log_config=None,  # ours holds
            access_log=False,  # it would write paths and queries
            server_header=False,
            proxy_headers=bool(chosen.trusted_proxies),
            forwarded_allow_ips=list(chosen.trusted_proxies),
            ssl_certfile=chosen.tls_cert,
            ssl_keyfile=chosen.tls_key,
            http=BoundedProtocol,
            ws="none",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=chosen.shutdown_timeout_s,
        ),
        f"{scheme}://{host}:{port}",
    )
    with listening, suppress(KeyboardInterrupt):  # which uvicorn raises once more after it has ended in order
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when calls are answered, and not before."""
        await super().startup(sockets)
        if self.started:
            _LOG.info("listening on %s", self._address)


def _choose_host(settings: Settings) -> Settings:
    database = Database(settings.resolved_database_url)
    try:
        upgrade(database)
        has_tokens = Tokens(database).exist()
    finally:
        database.close()
    if has_tokens:
        return settings
    if not is_loopback(settings.host):
        settings = replace(settings, host=_LOOPBACK)
    _LOG.warning(
        "There are no API tokens, so only this machine is served, on %s. cuewise token create makes one.", settings.host
    )
    return settings


def _listen(host: str, port: int) -> socket.socket:
    # With its protocol named: asyncio sends without delay only where it sees that, else each answer waits 40 ms.
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
