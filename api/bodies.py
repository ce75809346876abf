"""JSON bodies: read within limits of depth, in words of our own where they are not what they should be."""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from analyzer.errors import NoteError
from analyzer.readers.jsontext import parse_json
from api.errors import Problem
from api.settings import Settings

_JSON = re.compile(r"application/(?:json|[a-z0-9.-]{1,60}\+json)", re.ASCII)
_LARGE = 100_000  # bytes from which parsing would hold up other requests noticeably


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the value of the body."""
        if not hasattr(self, "_value"):
            content = await self.body()
            settings: Settings = self.app.state.settings
            if len(content) > _LARGE:
                self._value = await run_in_threadpool(parse_body, content, settings.max_nesting)
            else:
                self._value = parse_body(content, settings.max_nesting)
        return self._value


def parse_body(content: bytes, max_nesting: int) -> object:
    """Return the value of a JSON body.

    Raises
    ------
    Problem
        400 for what is no JSON in UTF-8, or nested too deeply.
    """
    try:
        return parse_json(content.decode("utf-8-sig"), max_nesting=max_nesting)
    except UnicodeDecodeError:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "bad-encoding", "The body is not UTF-8."
        ) from None  # the cause quotes the body
    except NoteError as error:
        sentence = f"{error.message[:1].upper()}{error.message[1:]}."
        raise Problem(
            HTTPStatus.BAD_REQUEST, error.code, "The body cannot be read.", detail=sentence
        ) from None  # its cause may quote the body


class JsonRoute(APIRoute):
    """A route whose JSON body is read by :func:`parse_body`; forms and files are left as they are."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, Form)

        async def handle_json(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not _JSON.fullmatch(media_type):
                raise Problem(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    "unsupported-media-type",
                    "The body must be JSON.",
                    detail="Send it with Content-Type: application/json.",
                )
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json if takes_json else handle
