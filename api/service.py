"""What a running service has at hand: one of each, made when it starts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from analyzer.engine import Analyzer
from analyzer.types import Versions
from api.audit import AuditTrail
from api.database import Database
from api.limits import RateLimiter, Slots
from api.metrics import Metrics
from api.settings import Settings

if TYPE_CHECKING:
    from api.auth import Tokens


@dataclass(frozen=True, slots=True)
class Service:
    """What a running service has at hand; ``app.state.service`` from its start to its end.

    Parameters
    ----------
    tokens : Tokens
        See ``api.auth``.
    limiter : RateLimiter
        Of requests by caller.
    slots : Slots
        For those who analyse a note now.
    versions : Versions
        Of the analyzer.
    """

    settings: Settings
    analyzer: Analyzer
    database: Database
    audit: AuditTrail
    tokens: "Tokens"
    limiter: RateLimiter
    slots: Slots
    metrics: Metrics
    versions: Versions


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]
"""An argument of an endpoint: the service."""
