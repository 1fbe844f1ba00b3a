"""Nobody is passed over while waiting; work by threads comes back in order, a little at a time."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.common.fair_lock import FairLock
from her2core.common.parallel import chunks, mapped


def test_who_asks_first_is_served_first() -> None:
    lock, order = FairLock(), []

    def ask(number: int) -> None:
        with lock.turn():
            order.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    with lock.turn():
        for number, thread in enumerate(threads):
            thread.start()
            while len(lock._queue) <= number + 1:
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == list(range(10))


def test_ten_who_ask_again_at_once_get_their_turns_evenly() -> None:
    lock, served, everybody = FairLock(), [], threading.Barrier(10)

    def reviewer(number: int) -> None:
        everybody.wait()
        for _ in range(20):
            with lock.turn():
                served.append(number)
                while len(lock._queue) < 10 and len(served) < 150:
                    time.sleep(0.0001)  # the others come back before the turn is passed on

    threads = [threading.Thread(target=reviewer, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(10):  # between two turns of one, nobody else has more than two
        turns = [place for place, who in enumerate(served[:150]) if who == number]
        assert all(later - earlier <= 20 for earlier, later in pairwise(turns))


def test_it_holds_one_at_a_time_and_is_free_after_an_error() -> None:
    lock, inside = FairLock(), []

    def work() -> None:
        for _ in range(200):
            with lock.turn():
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(ZeroDivisionError), lock.turn():
        raise ZeroDivisionError
    with lock.turn(0):
        pass


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 9))
def test_threads_give_what_map_gives(things: list[int], workers: int, ahead: int) -> None:
    assert list(mapped(lambda n: n * n, things, workers, ahead)) == [n * n for n in things]


def test_things_are_taken_only_as_they_are_needed_and_errors_come_in_their_place() -> None:
    taken: list[int] = []

    def things():  # type: ignore[no-untyped-def]
        for number in range(10_000):
            taken.append(number)
            yield number

    def upside(number: int) -> float:
        return 1 / (number - 5)

    results = mapped(upside, things(), workers=2, ahead=4)
    assert [next(results) for _ in range(5)] == [upside(n) for n in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(taken) <= 5 + 4 + 1
    with pytest.raises(ValueError, match="At least one"):
        next(mapped(upside, [1], workers=0, ahead=1))


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_are_the_things_again(things: list[int], size: int) -> None:
    cut = list(chunks(things, size))
    assert [thing for chunk in cut for thing in chunk] == things
    assert all(len(chunk) == size for chunk in cut[:-1])
