"""Who may call what: API tokens with scopes, hashed at rest.

Without any token on record everyone who calls from this machine may do everything, and no one else anything. Once a
token was made, every call needs one; revoked ones stay on record, so that no revocation opens the service again.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import LargeBinary, String, exists, select
from sqlalchemy.orm import Mapped, mapped_column

from api.audit import append
from api.database import Base, Database, Moment
from api.errors import Problem
from api.service import Service, service_of
from api.settings import host_name, is_loopback

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "analyze": "analyse single notes, and call CDS Hooks",
        "batch": "send batches, and read their results",
        "read": "read rules, codes and metrics",
        "admin": "everything, and see every caller's batches",
    }
)
"""What a token may be for."""

TOKEN_COOKIE = "cuewise_token"  # noqa: S105 - its name; for the pages, which cannot send a header
LOCAL = "local"
"""How the trail names whoever calls while there are no tokens."""

_COMMAND_LINE = "command line"  # the same for whoever makes and revokes tokens
_TOKEN = re.compile(r"cw_([0-9a-f]{12})_([0-9A-Za-z_-]{43})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,59}", re.ASCII)

bearer = HTTPBearer(scheme_name="token", description="An API token: `cuewise token create`.", auto_error=False)
cookie = APIKeyCookie(name=TOKEN_COOKIE, scheme_name="cookie", description="The same, for the pages.", auto_error=False)


class ApiToken(Base):
    """A token on record. The secret part is not; only its hash, which is enough for one of 256 random bits."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    scopes: Mapped[str] = mapped_column(String(80))  # sorted, with blanks between
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Parameters
    ----------
    who : str
        The token's name, after ``token:``; ``local`` while there are no tokens.
    scopes : frozenset of str
    token_id : str, optional
    """

    who: str
    scopes: frozenset[str]
    token_id: str | None = None

    def may(self, scope: str) -> bool:
        """Whether a scope is theirs."""
        return scope in self.scopes or "admin" in self.scopes


class Tokens:
    """The tokens of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scopes: Iterable[str], *, days: int | None = None) -> str:
        """Make a token and return it; it can never be read again.

        Parameters
        ----------
        name : str
            Who it is for; the trail names the caller so. No two have the same.
        scopes : iterable of str
            Of ``SCOPES``.
        days : int, optional
            After which it is void.

        Raises
        ------
        ValueError
            For a name that cannot be or is taken, or a scope that does not exist.
        """
        chosen = sorted(set(scopes))
        if not _NAME.fullmatch(name):
            raise ValueError("a name has up to 60 letters, digits, dots, dashes, underscores and blanks")
        if not chosen or not set(chosen) <= set(SCOPES):
            raise ValueError(f"scopes are {', '.join(SCOPES)}")
        now = datetime.now(UTC)
        id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        with self._database.session() as session:
            if session.scalar(select(exists().where(ApiToken.name == name))):
                raise ValueError("a token of that name is on record; revoked ones keep their names, for the trail")
            session.add(
                ApiToken(
                    id=id,
                    name=name,
                    scopes=" ".join(chosen),
                    secret_hash=_hash(secret),
                    created_at=now,
                    expires_at=now + timedelta(days=days) if days else None,
                    revoked_at=None,
                )
            )
            append(session, _COMMAND_LINE, "token.create", {"token": id, "name": name, "scopes": " ".join(chosen)})
        return f"cw_{id}_{secret}"

    def all(self) -> Sequence[ApiToken]:
        """Return every token on record, oldest first."""
        with self._database.reading() as session:
            return session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.name)).all()

    def revoke(self, named: str) -> ApiToken:
        """Make a token void at once.

        Parameters
        ----------
        named : str
            Its id or its name.

        Raises
        ------
        LookupError
            When there is none.
        """
        with self._database.session() as session:
            token = session.scalar(select(ApiToken).where((ApiToken.id == named) | (ApiToken.name == named)))
            if token is None:
                raise LookupError("there is no token of that id or name")
            token.revoked_at = token.revoked_at or datetime.now(UTC)
            append(session, _COMMAND_LINE, "token.revoke", {"token": token.id, "name": token.name})
        return token

    def exist(self) -> bool:
        """Whether any token is on record, so that calls need one."""
        with self._database.reading() as session:
            return bool(session.scalar(select(exists().where(ApiToken.id.is_not(None)))))

    def find(self, written: str) -> Caller | None:
        """Return whose token it is, or None for one that is unknown, revoked or past its time."""
        match = _TOKEN.fullmatch(written)
        if match is None:
            return None
        with self._database.reading() as session:
            token = session.get(ApiToken, match[1])
        if token is None or not hmac.compare_digest(token.secret_hash, _hash(match[2])):
            return None
        if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= datetime.now(UTC)):
            return None
        return Caller(f"token:{token.name}", frozenset(token.scopes.split()), token.id)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def authenticate(request: Request) -> Caller:
    """Return who calls; found out once a request.

    Raises
    ------
    Problem
        401 without a token that holds, 429 for too many requests.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = request.state.caller = _authenticate(request)
    return known


def _authenticate(request: Request) -> Caller:
    service = service_of(request)
    address = address_of(request)
    written = _written_token(request)
    if written is None and not service.tokens.exist():
        # A page of another site may reach this machine under a name of its own (DNS rebinding).
        if not (is_loopback(address) and is_loopback(host_name(request.headers.get("host", "")))):
            raise _unauthorized("Without API tokens the service answers this machine alone, at a loopback address.")
        service.limiter.check(f"address:{address}")
        return Caller(LOCAL, frozenset(SCOPES))
    caller = service.tokens.find(written) if written else None
    if caller is None:
        service.limiter.check(f"refused:{address}")  # so that tokens cannot be guessed at speed
        raise _unauthorized(None, is_wrong=written is not None)
    service.limiter.check(f"token:{caller.token_id}")
    return caller


def identify(request: Request, scope: str) -> Caller:
    """Return who calls, when they may.

    Raises
    ------
    Problem
        401 without a token that holds, 403 for one without the scope, 429 for too many requests.
    """
    caller = authenticate(request)
    if not caller.may(scope):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "insufficient-scope",
            "The token may not do this.",
            detail=f"It needs the scope {scope}.",
            headers={"WWW-Authenticate": f'Bearer realm="cuewise", error="insufficient_scope", scope="{scope}"'},
        )
    return caller


def require(scope: str) -> Callable[..., Caller]:
    """Return a dependency that gives the caller, who must have a scope."""
    if scope not in SCOPES:
        raise ValueError(f"there is no scope {scope}")

    def call(
        request: Request,
        by_header: Annotated[object, Security(bearer)],
        by_cookie: Annotated[object, Security(cookie)],
    ) -> Caller:
        return identify(request, scope)

    return call


def limit(request: Request, service: Annotated[Service, Depends(service_of)]) -> None:
    """Limit how often an address may ask for what needs no token."""
    service.limiter.check(f"address:{address_of(request)}")


def address_of(request: Request) -> str:
    """Return the caller's address; empty where the server does not know it, which is not this machine."""
    return request.client.host if request.client else ""


def _written_token(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, written = header.partition(" ")
        return written.strip() if scheme.lower() == "bearer" else ""
    return request.cookies.get(TOKEN_COOKIE)


def _unauthorized(detail: str | None, *, is_wrong: bool = False) -> Problem:
    challenge = 'Bearer realm="cuewise"' + (', error="invalid_token"' if is_wrong else "")
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "An API token is needed.",
        detail=detail or "Send it as Authorization: Bearer; cuewise token create makes one.",
        headers={"WWW-Authenticate": challenge},
    )
