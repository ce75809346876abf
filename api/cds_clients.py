"""Who may call the CDS services: clients' signed JSON Web Tokens, checked as CDS Hooks 2.0 asks.

A token is signed with a client's private key, by an asymmetric algorithm. Its public keys come from the JWK Set that is
configured for the issuer, a file or an address; an address that a token names itself is never followed.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from sqlalchemy import String, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from api.database import Base, Database, Moment

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
"""Asymmetric algorithms alone: "JWTs SHALL NOT be signed using any symmetric algorithm" (CDS Hooks 2.0)."""

_LEEWAY_S = 60  # how far clocks may differ
_LIFETIME_S = 3600  # of a token at most: its id is kept that long
_KEYS_LAST_S = 3600
_KEYS_LAST_AT_MOST_S = 86_400  # where the client's server does not answer
_ASK_AGAIN_S = 30  # for a key that is not known
_FETCH_S = 5.0
_MAX_SET_BYTES = 1_000_000
_MAX_TOKEN_CHARS = 8192
_MIN_RSA_BITS = 2048
_FORGET_EVERY_S = 60


class TokenError(Exception):
    """A token that does not show who calls; the message says what is wrong with it and repeats nothing of it."""


class KeysError(Exception):
    """A client's keys cannot be had, so that nobody can say whether the token is good."""


@dataclass(frozen=True, slots=True)
class Client:
    """A CDS client that is trusted.

    Parameters
    ----------
    issuer : str
        The ``iss`` of its tokens.
    jwks : str
        Its JWK Set: an address that begins with ``https://``, or a file. Plain ``http://`` is for this machine alone.
    """

    issuer: str
    jwks: str


class UsedToken(Base):
    """The id of a token that was used, until it expires: no token is good for a second call."""

    __tablename__ = "cds_used_token"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires: Mapped[datetime] = mapped_column(Moment(), index=True)


class Verifier:
    """Checks tokens; holds the clients' keys. May be shared by threads.

    Parameters
    ----------
    clients : iterable of Client
    database : Database
        Where used token ids are kept, so that several processes refuse the same token.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        lifetime_s: int = _LIFETIME_S,
    ) -> None:
        self._keys = {client.issuer: _KeySet(client.jwks) for client in clients}
        self._database = database
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._next_forgetting = 0.0

    def verify(self, token: str, *audiences: str) -> str:
        """Return the issuer of a token that is meant for one of some endpoints, and take note of its id.

        Raises
        ------
        TokenError
            For every reason why the token is not good, a second use among them.
        KeysError
            When the client's keys cannot be had.
        """
        header, claimed = self._peek(token)
        issuer = claimed.get("iss")
        keys = self._keys.get(issuer) if isinstance(issuer, str) else None
        if keys is None or not isinstance(issuer, str):
            raise TokenError("The token's issuer is not known here.")
        if "jku" in header and header["jku"] != keys.address:
            raise TokenError("The token names another JWK Set than the one that is configured for its issuer.")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise TokenError(f"The token must be signed with one of {', '.join(ALGORITHMS)}.")
        if not isinstance(kid, str):
            raise TokenError("The token's header names no key (kid).")
        claims = self._decode(token, _usable_key(keys.get(kid), algorithm), audiences, issuer)
        self._use_once(issuer, claims)
        return issuer

    def _peek(self, token: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
        if len(token) > _MAX_TOKEN_CHARS:
            raise TokenError("The token is too long.")
        try:
            parsed = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise TokenError("The token is not a JSON Web Token.") from None  # the cause quotes the token
        header, claims = parsed["header"], parsed["payload"]
        if str(header.get("typ", "")).upper() != "JWT":
            raise TokenError("The token's header must have the type JWT.")
        return header, claims

    def _decode(self, token: str, key: jwt.PyJWK, audiences: tuple[str, ...], issuer: str) -> Mapping[str, object]:
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audiences,
                issuer=issuer,
                # Times are checked below, by our clock.
                options={
                    "require": ["iss", "aud", "exp", "iat", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidAudienceError:
            raise TokenError("The token is meant for another endpoint (aud).") from None
        except jwt.MissingRequiredClaimError:
            raise TokenError("The token must have iss, aud, exp, iat and jti.") from None
        except (jwt.InvalidTokenError, jwt.PyJWTError, ValueError, TypeError):
            raise TokenError("The token's signature or form is not good.") from None
        return claims

    def _use_once(self, issuer: str, claims: Mapping[str, object]) -> None:
        now = self._clock()
        expires, issued = (_number(claims[name], name) for name in ("exp", "iat"))
        if expires <= now - _LEEWAY_S:
            raise TokenError("The token has expired.")
        if max(issued, _number(claims.get("nbf", issued), "nbf")) > now + _LEEWAY_S:
            raise TokenError("The token is not yet good: it was issued in the future.")
        if expires - issued > self._lifetime_s:
            raise TokenError(f"The token is good for too long; {self._lifetime_s} seconds are allowed.")
        id = claims["jti"]
        if not isinstance(id, str) or not id:
            raise TokenError("The token's id (jti) must be a string.")
        digest = hashlib.sha256(json.dumps([issuer, id]).encode()).hexdigest()
        try:
            with self._database.session() as session:
                if now >= self._next_forgetting:
                    session.execute(delete(UsedToken).where(UsedToken.expires < _moment(now - 2 * _LEEWAY_S)))
                    self._next_forgetting = now + _FORGET_EVERY_S
                session.add(UsedToken(digest=digest, expires=_moment(expires)))
        except IntegrityError:
            raise TokenError("The token was used before (jti).") from None


class _KeySet:
    """The public keys of one client, read when they are needed and kept for a while."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.address = place if "://" in place else None
        self._lock = threading.Lock()
        self._keys: Mapping[str, Mapping[str, object]] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def get(self, kid: str) -> Mapping[str, object]:
        """Return a key, asking the client's server again where it is not known or old."""
        with self._lock:
            now = time.monotonic()
            age = None if self._read_at is None else now - self._read_at
            is_stale = age is None or age > _KEYS_LAST_S
            may_ask = self._tried_at is None or now - self._tried_at > _ASK_AGAIN_S
            if (is_stale or kid not in self._keys) and may_ask:
                self._tried_at = now
                try:
                    self._keys = self._read()
                    self._read_at, age = now, 0.0
                except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    pass  # what is known already serves for a while
            if age is None or age > _KEYS_LAST_AT_MOST_S:
                raise KeysError("The keys of the token's issuer cannot be had.")
            if kid not in self._keys:
                raise TokenError("The issuer has no such key (kid).")
            return self._keys[kid]

    def _read(self) -> Mapping[str, Mapping[str, object]]:
        content = json.loads(_fetch(self.address) if self.address else Path(self._place).read_bytes())
        return {key["kid"]: key for key in content["keys"] if key.get("use", "sig") == "sig" and "kid" in key}


def _fetch(address: str) -> bytes:
    if not is_safe_address(address):
        raise ValueError("an address of keys must begin with https://")
    # No proxy for this machine, no redirects: the address is the one that was configured.
    opener = build_opener(_NoRedirects, *([ProxyHandler({})] if address.startswith("http://") else []))
    request = Request(address, headers={"Accept": "application/jwk-set+json, application/json"})  # noqa: S310 - checked
    with opener.open(request, timeout=_FETCH_S) as answer:
        content = cast(bytes, answer.read(_MAX_SET_BYTES + 1))
    if len(content) > _MAX_SET_BYTES:
        raise ValueError("the JWK Set is too large")
    return content


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: object, **named: object) -> None:
        raise URLError("a JWK Set may not redirect")


def is_safe_address(address: str) -> bool:
    """Whether an address is encrypted on its way, or leads to this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _usable_key(key: Mapping[str, object], algorithm: str) -> jwt.PyJWK:
    if key.get("alg", algorithm) != algorithm:
        raise TokenError("The token's algorithm is not that of its key.")
    try:
        usable = jwt.PyJWK.from_dict(dict(key), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise TokenError("The issuer's key cannot be used with this algorithm.") from None
    if isinstance(usable.key, RSAPublicKey) and usable.key.key_size < _MIN_RSA_BITS:
        raise TokenError(f"The issuer's key is too short; {_MIN_RSA_BITS} bits are needed.")
    return usable


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise TokenError(f"The token's {name} must be a number of seconds.")
    return float(value)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
