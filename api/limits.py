"""How much one caller may ask: a bucket for each that fills at a steady rate."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from api.errors import Problem

_MOST_CALLERS = 10_000  # remembered at once; whoever was away longest is forgotten first, and then has a full bucket


class RateLimiter:
    """Counts the requests of each caller of this process.

    Parameters
    ----------
    per_minute : int
        Requests in the long run.
    burst : int
        Requests at once, after a pause.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, per_minute: int, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one request of a caller's; return 0, or in how many seconds the next one will be free."""
        now = self._clock()
        with self._lock:
            level, since = self._buckets.pop(caller, (float(self._burst), now))
            level = min(self._burst, level + (now - since) * self._per_s)
            wait = 0.0 if level >= 1 else (1 - level) / self._per_s
            self._buckets[caller] = (level if wait else level - 1, now)
            if len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
        return wait

    def check(self, caller: str) -> None:
        """Take one request of a caller's.

        Raises
        ------
        Problem
            429, with ``Retry-After``.
        """
        wait = self.take(caller)
        if wait:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests.",
                detail="Wait as many seconds as Retry-After says.",
                headers={"Retry-After": str(math.ceil(wait))},
            )


class Slots:
    """Lets a few do the work at once and some wait for it; whoever comes then is turned away.

    Parameters
    ----------
    at_once, waiting : int
        How many may work, and how many may wait.
    timeout_s : float
        How long one may wait.
    """

    def __init__(self, at_once: int, waiting: int, timeout_s: float) -> None:
        self._free = threading.Semaphore(at_once)
        self._places = threading.Semaphore(at_once + waiting)
        self._timeout_s = timeout_s

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise _busy()
        if not self._free.acquire(timeout=self._timeout_s):
            self._places.release()
            raise _busy()

    def __exit__(self, *_: object) -> None:
        self._free.release()
        self._places.release()


def _busy() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "busy",
        "Too many notes are being analysed.",
        detail="Try again in a few seconds, or send a batch.",
        headers={"Retry-After": "2"},
    )
