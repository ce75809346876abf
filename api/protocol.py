"""HTTP as uvicorn speaks it, with an end to waiting for the head of a request, and to its length."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT_S = 10.0
"""How long the head of a request may take to come; uvicorn by itself would wait for ever."""
LONGEST_HEAD = 65_536
"""Bytes of method, path and headers together, as uvicorn has it for its other parser."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose caller sends the head of a request too slowly, or never ends it."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._n_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._has_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while there is no head yet."""
        super().data_received(data)
        if self._timer is not None:
            self._n_bytes += len(data)
            if self._n_bytes > LONGEST_HEAD:
                self._close()

    def on_message_begin(self) -> None:
        """Expect the rest of a head that begins."""
        super().on_message_begin()
        if self._timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Go on with the request."""
        self._has_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._n_bytes = 0
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._close)

    def _has_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._has_head()
        if not self.transport.is_closing():
            self.transport.close()
