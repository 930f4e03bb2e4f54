"""pool: results in order from several processes, and what happens when one fails, dies or is no
longer wanted.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from footcli.errors import SetupError, TruthError
from footcli.system.processes import AHEAD, in_processes


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def fail(number: int) -> int:
    if number == 3:
        raise TruthError("three is wrong")
    return number


def die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def answer_to_interrupt(number: int) -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_results_come_in_order_and_from_other_processes() -> None:
    found = list(in_processes(square, range(40), 2))
    assert [value for value, _ in found] == [number * number for number in range(40)]
    assert os.getpid() not in {process for _, process in found}
    assert all(in_processes(answer_to_interrupt, range(2), 2))


@pytest.mark.parametrize(
    ("items", "jobs"), [(range(3), 1), (range(3), 0), (range(1), 4), (range(0), 4)]
)
def test_one_job_or_one_item_needs_no_other_process(items: range, jobs: int) -> None:
    assert list(in_processes(square, items, jobs)) == [
        (number * number, os.getpid()) for number in items
    ]


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(TruthError, match="three is wrong"):
        list(in_processes(fail, range(9), 2))


def test_a_process_that_dies_stops_with_one_line() -> None:
    with pytest.raises(SetupError, match="a worker process died"):
        list(in_processes(die, range(9), 2))


def test_no_more_is_handed_out_than_can_be_taken_soon() -> None:
    class Watched(list[int]):
        out = 0

        def __iter__(self) -> Iterator[int]:
            for item in super().__iter__():
                self.out += 1
                yield item

    items = Watched(range(200))
    results = in_processes(square, items, 2)
    assert [next(results)[0] for _ in range(5)] == [0, 1, 4, 9, 16]
    assert items.out <= 2 * AHEAD + 5
    results.close()  # type: ignore[attr-defined]
    assert items.out <= 2 * AHEAD + 5
