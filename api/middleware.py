"""What holds for every request: an id, a time limit, limits of the body, safe headers, one log line, one count.

Plain ASGI, and no base class of the framework: what is added to each request must cost well under a millisecond.
"""

import asyncio
import logging
import re
import time
import uuid
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import authenticate
from api.errors import Problem, problem_response, to_problem
from api.logs import REQUEST_ID, with_fields
from api.metrics import UNKNOWN_ROUTE
from api.service import Service
from api.settings import Settings, host_name

_LOG = logging.getLogger("api.requests")
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds
_ONE_NOTE = ("/v1/notes", "/cds-services")  # where no more than one note is sent; elsewhere it may be a file of many
_LEAST_BYTES_PER_S = 50_000  # a body that comes slower than this is given up after the time limit
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would send a form of our own with Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Sent with every answer that does not set them itself."""
_STRICT_TRANSPORT = "max-age=31536000"


class Envelope:
    """The outermost layer: whatever happens inside, there is one answer, one log line and one count of it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._timeout_s = settings.request_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        began = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        REQUEST_ID.set(given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex)
        answer = _Answer(scope, send)
        service.metrics.began()
        timer = asyncio.get_running_loop().call_later(self._timeout_s, answer.give_up, receive)
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:  # nothing beyond this may see it: the server would log its message
            await answer.tell(to_problem(error), receive)
        finally:
            timer.cancel()
            await answer.end()
            self._log(scope, service, answer, time.perf_counter() - began)

    def _log(self, scope: Scope, service: Service, answer: "_Answer", seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)  # never the path itself, which is the caller's
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        service.metrics.ended(method, route, answer.status, seconds)
        caller = scope.get("state", {}).get("caller")
        _LOG.log(
            logging.DEBUG if route in _QUIET else logging.INFO,
            "%s %s %d",
            method,
            route,
            answer.status,
            extra=with_fields(
                method=method,
                route=route,
                status=answer.status,
                milliseconds=round(seconds * 1000, 1),
                bytes=answer.n_bytes,
                who=caller.who if caller else None,
            ),
        )


class _Answer:
    """The answer to one request: sent once, by the app or, when that takes too long, without it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 499  # by convention: the caller went away before there was an answer
        self.n_bytes = 0
        self._scope = scope
        self._send = send
        self._has_begun = False
        self._is_closed = False
        self._giving_up: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Send what the app answers, unless it comes too late."""
        if not self._is_closed:
            await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["X-Request-ID"] = REQUEST_ID.get() or ""
            if self._scope["scheme"] == "https":
                headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
        elif message["type"] == "http.response.body":
            self.n_bytes += len(message.get("body", b""))
        await self._send(message)

    def give_up(self, receive: Receive) -> None:
        """Answer that it took too long, where no answer has begun; what still runs ends by itself, unheard."""
        if self._has_begun or self._is_closed:
            return
        self._is_closed = True
        problem = Problem(
            HTTPStatus.GATEWAY_TIMEOUT,
            "timeout",
            "The request took too long.",
            detail="Try again later, or send a batch.",
        )
        self._giving_up = asyncio.create_task(self._respond(problem, receive))

    async def tell(self, problem: Problem, receive: Receive) -> None:
        """Answer with a problem, unless an answer has begun."""
        if not self._has_begun and not self._is_closed:
            await self._respond(problem, receive)

    async def _respond(self, problem: Problem, receive: Receive) -> None:
        await problem_response(problem)(self._scope, receive, self._pass_on)

    async def end(self) -> None:
        """Wait until all is sent."""
        if self._giving_up is not None:
            await self._giving_up


class Gate:
    """Turns away what no endpoint should see: foreign hosts and pages, packed, too large or too slow bodies."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._origins = frozenset(settings.cors_origins) | frozenset(filter(None, [_origin_of(settings.public_url)]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or raise the problem with it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_host(headers)
        if scope["method"] in _CHANGING:
            self._check_origin(scope, headers)
            _check_encoding(headers)
            path: str = scope["path"]
            is_one_note = path.startswith(_ONE_NOTE)
            largest = self._settings.max_note_bytes if is_one_note else self._settings.max_batch_bytes
            receive = _Body(receive, headers, largest, self._settings.body_timeout_s)
            if path.startswith("/v1/"):
                # Before the body is read: whoever has no token shall not send a hundred megabytes.
                await run_in_threadpool(authenticate, Request(scope))
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        if self._hosts and host_name(headers.get("host", "")) not in self._hosts:
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", "The service does not go by this name.")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another site's page sends from a browser, which may hold a token's cookie or stand inside."""
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if urlsplit(origin).netloc.lower() != headers.get("host", "").lower() or origin == "null":
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "foreign-origin",
                "Pages of this origin may not call the service.",
                detail="cors_origins in the settings names those that may.",
            )


class _Body:
    """Receives a body, up to a size and within a time that grows with what has come."""

    def __init__(self, receive: Receive, headers: Headers, largest: int, timeout_s: float) -> None:
        self._receive = receive
        self._largest = largest
        self._left_s = timeout_s
        self._n_bytes = 0
        self._is_complete = False
        written = headers.get("content-length", "")
        if written.isascii() and written.isdigit() and int(written[:20]) > largest:
            raise self._too_large()

    async def __call__(self) -> Message:
        if self._is_complete:  # what comes now is that the caller goes away, some time
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._left_s)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT,
                "slow-body",
                "The body of the request came too slowly.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.request":
            n_bytes = len(message.get("body", b""))
            self._n_bytes += n_bytes
            self._left_s += n_bytes / _LEAST_BYTES_PER_S - (time.monotonic() - began)
            self._is_complete = not message.get("more_body", False)
            if self._n_bytes > self._largest:
                raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body-too-large",
            "The body of the request is too large.",
            detail=f"At most {self._largest:,} bytes are read.",
            headers={"Connection": "close"},
        )


def _check_encoding(headers: Headers) -> None:
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "packed-body",
            "Packed bodies are not read.",
            detail="Send the body without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _origin_of(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
