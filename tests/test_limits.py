import threading

import pytest

from api.errors import Problem
from api.limits import RateLimiter, Slots


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_caller_may_ask_a_burst_at_once_and_then_at_the_steady_rate():
    clock = Clock()
    limiter = RateLimiter(60, 2, clock=clock)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 1.0]
    clock.now += 0.5
    assert limiter.take("a") == 0.5
    clock.now += 0.5
    assert [limiter.take("a") for _ in range(2)] == [0, 1.0]


def test_a_pause_gives_no_more_than_a_burst():
    clock = Clock()
    limiter = RateLimiter(60, 2, clock=clock)
    limiter.take("a")
    clock.now += 1000
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 1.0]


def test_callers_do_not_share():
    limiter = RateLimiter(60, 1, clock=Clock())
    assert [limiter.take(caller) for caller in ("a", "b", "a")] == [0, 0, 1.0]


def test_too_many_requests_are_told_when_to_come_again():
    limiter = RateLimiter(6, 1, clock=Clock())
    limiter.check("a")
    with pytest.raises(Problem) as caught:
        limiter.check("a")
    assert (caught.value.status_code, caught.value.headers) == (429, {"Retry-After": "10"})


def test_few_callers_are_remembered_at_once():
    limiter = RateLimiter(60, 1, clock=Clock())
    for number in range(10_001):
        limiter.take(str(number))
    assert len(limiter._buckets) == 10_000


def test_a_slot_is_given_back_whatever_happens():
    slots = Slots(1, 0, 1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), slots:
            raise ZeroDivisionError
    with slots:
        pass


def test_whoever_comes_when_all_places_are_taken_is_turned_away():
    slots = Slots(1, 0, 60)
    with slots, pytest.raises(Problem) as caught, slots:
        pass
    assert (caught.value.status_code, caught.value.code) == (503, "busy")


def test_whoever_waits_too_long_is_turned_away():
    slots = Slots(1, 1, 0.01)
    with slots, pytest.raises(Problem) as caught, slots:
        pass
    assert (caught.value.status_code, caught.value.code) == (503, "busy")
    with slots:  # the place that was waited in is free again
        pass


def test_whoever_waits_is_let_in_when_a_place_is_free():
    slots, done = Slots(1, 1, 60), []

    def work():
        with slots:
            done.append(True)

    with slots:
        waiting = threading.Thread(target=work)
        waiting.start()
    waiting.join(10)
    assert done == [True]
