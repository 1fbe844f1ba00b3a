"""Many reviewers write at once, and the database goes away and comes back: nothing is lost."""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import pairwise

import pytest

from her2core.common.fair_lock import FairLock, NoTurnError
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore, StoreError
from her2core.reviews.write_queue import patiently, turnstile
from tests.review_samples import draft, open_store

WRITERS, EACH = 10, 5
EVERYTHING = ReviewFilter(include_superseded=True)


def test_ten_writers_of_ten_programs_lose_and_double_nothing(store_url):
    """Each has a store, and so connections and a queue, of its own, as ten programs have."""
    open_store(store_url).close()
    stores = [ReviewStore(store_url) for _ in range(WRITERS)]
    ready, troubles = threading.Barrier(WRITERS), []

    def write(number: int) -> None:
        ready.wait()
        try:
            for answer in range(EACH):
                # each is sent twice, as by a doubled click
                token = f"{number}-{answer}"
                answered = draft(reviewer=f"Dr. {number}", comment=token)
                first = stores[number].save_review(answered, token=token)
                assert stores[number].save_review(answered, token=token) == first
        except Exception as error:
            troubles.append(error)

    _all_at_once(write, WRITERS)
    assert troubles == []
    log = stores[0].reviews(EVERYTHING)
    assert [review.id for review in log] == list(range(WRITERS * EACH, 0, -1))
    assert {review.comment for review in log} == {
        f"{number}-{answer}" for number in range(WRITERS) for answer in range(EACH)
    }
    assert all(len(review.verdicts) == 2 for review in log), "no half review"
    assert stores[0].verify_chain() == []
    for store in stores:
        store.close()


def test_a_reader_sees_a_whole_log_while_others_write(store_url):
    open_store(store_url).close()
    finished = threading.Event()

    def write(_: int) -> None:
        with closing(ReviewStore(store_url)) as store:
            for _ in range(12):
                store.save_review(draft())
        finished.set()

    writer = threading.Thread(target=write, args=(0,))
    writer.start()
    with closing(ReviewStore(store_url)) as reader:
        looks = 0
        while not finished.is_set() or looks == 0:
            assert reader.verify_chain() == []
            looks += 1
        writer.join()
        assert reader.verify_chain() == []
        assert len(reader.reviews()) == 12


class TestTurns:
    def test_who_asks_first_is_served_first(self):
        lock, served, waiting = FairLock(), [], []

        def take(number: int) -> None:
            with lock.turn(30):
                served.append(number)

        with lock.turn(1):
            for number in range(6):
                waiting.append(threading.Thread(target=take, args=(number,)))
                waiting[-1].start()
                while len(lock._queue) <= number + 1:  # it stands in the queue before the next asks
                    pass
        for thread in waiting:
            thread.join()
        assert all(before < after for before, after in pairwise(served))
        assert len(served) == 6

    def test_a_turn_that_does_not_come_in_time_is_given_up_and_holds_nobody_up(self):
        lock = FairLock()
        with lock.turn(1), pytest.raises(NoTurnError), lock.turn(0.01):
            pass
        with lock.turn(0.01):
            pass

    def test_an_error_within_a_turn_passes_it_on(self):
        lock = FairLock()
        with pytest.raises(KeyError), lock.turn(1):
            raise KeyError
        with lock.turn(0.01):
            pass

    def test_one_at_a_time_goes_through_the_turnstile(self, tmp_path):
        file = tmp_path / "turn"
        with turnstile(file, 1), pytest.raises(NoTurnError), turnstile(file, 0.01):
            pass
        with turnstile(file, 0.01):
            pass
        with turnstile(tmp_path / "no" / "folder", 0.01):
            pass  # nothing to wait for: the write itself says what is wrong

    def test_patience_ends_with_success_with_time_or_with_another_trouble(self):
        tries = iter([TimeoutError(), TimeoutError(), None])

        def attempt() -> str:
            trouble = next(tries)
            if trouble is not None:
                raise trouble
            return "done"

        def is_busy(error: Exception) -> bool:
            return isinstance(error, TimeoutError)

        assert patiently(attempt, is_busy, 30) == "done"
        with pytest.raises(ZeroDivisionError):
            patiently(lambda: 1 / 0, is_busy, 30)

        def never() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            patiently(never, is_busy, 0.01)


class TestDatabaseAway:
    def test_it_says_so_and_the_same_answer_is_saved_once_it_is_back(
        self, postgresql, postgresql_url
    ):
        with closing(open_store(postgresql_url)) as store:
            first = store.save_review(draft(), token="first")
            postgresql.kill()
            try:
                for use in (lambda: store.save_review(draft(), token="second"), store.reviews):
                    with pytest.raises(StoreError, match="does not answer") as trouble:
                        use()
                    assert "127.0.0.1" not in str(trouble.value)
                with pytest.raises(StoreError, match="does not answer"):
                    ReviewStore(postgresql_url)
            finally:
                postgresql.start()
            assert store.save_review(draft(), token="second").id == 2
            assert store.save_review(draft(), token="second").id == 2
            assert store.review(1) == first
            assert store.verify_chain() == []

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda url: url.replace("her2:", "her2:x"), "refuses the user name or the password"),
            (lambda url: url.replace("her2:", "nobody:"), "refuses the user name or the password"),
            (lambda url: url.rpartition("/")[0] + "/nowhere", "does not exist"),
            (lambda url: url.replace("127.0.0.1", "no.such.host.invalid"), "does not answer"),
        ],
    )
    def test_an_address_that_does_not_work_says_why(self, postgresql_url, change, sentence):
        with pytest.raises(StoreError, match=sentence) as trouble:
            ReviewStore(change(postgresql_url))
        assert postgresql_url.split("@")[0].rpartition(":")[2] not in str(trouble.value)

    def test_another_program_at_work_is_waited_for_then_said(self, postgresql, postgresql_url):
        store = open_store(postgresql_url, busy_seconds=0.2)
        with postgresql.connection(postgresql_url) as other, other.transaction():
            other.execute("SELECT * FROM log_head FOR UPDATE")
            with pytest.raises(StoreError, match="busy"):
                store.save_review(draft())
            assert store.reviews() == [], "reading goes on while another writes"
        assert store.save_review(draft()).id == 1
        store.close()

    def test_a_server_set_to_read_only_says_so(self, postgresql, postgresql_url):
        name = postgresql_url.rpartition("/")[2]
        store = open_store(postgresql_url)
        store.close()
        with postgresql.connection(postgresql_url) as raw:
            raw.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            try:
                with pytest.raises(StoreError, match="takes no changes now"):
                    store.save_review(draft())
            finally:
                raw.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        store.close()


def _all_at_once(work, count):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
