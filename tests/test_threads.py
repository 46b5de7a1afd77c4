"""Threads of our own, and BLAS's held back; extras/test_threadpoolctl.py has the same with the real library."""

import os
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import team
from layouts import channels_last, fortran, normal, samples_last, strided

from handbrew.layers import elementwise, in_pieces, share, threads, worker_threads
from handbrew.layers.cores import wanted_threads

PATIENCE = 20  # seconds


@pytest.fixture
def crew(monkeypatch):
    """A function that makes teams of so many threads, beside such libraries."""
    teams = []

    def hire(size=3, *libraries):
        monkeypatch.setenv("HANDBREW_THREADS", str(size))
        monkeypatch.setitem(sys.modules, "threadpoolctl", team.threadpoolctl_of(*(libraries or [team.Library()])))
        teams.append(threads.Team())
        monkeypatch.setattr(threads, "_team", teams[-1])

    yield hire
    for each in teams:
        assert each.users == 0
        if each.pool is not None:
            each.pool.shutdown()


def apart(function):
    """Run it in a thread that is given up if it never ends."""
    found = []

    def call():
        try:
            found.append((function(), None))
        except BaseException as error:
            found.append((None, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it waits for ever"
    result, error = found[0]
    if error is not None:
        raise error
    return result


# BLAS's limit


def test_blas_has_one_thread_inside_and_its_own_number_afterwards(crew):
    blas = team.Library(4)
    crew(2, blas)
    for before in (4, 7):  # as the user has set it since
        blas.num_threads = before
        with worker_threads():
            assert blas.num_threads == 1
            with worker_threads():
                assert blas.num_threads == 1
            assert blas.num_threads == 1
        assert blas.num_threads == before


def test_also_after_an_exception(crew):
    blas = team.Library(4)
    crew(2, blas)
    with pytest.raises(ZeroDivisionError), worker_threads(), worker_threads():
        1 / 0  # noqa: B018
    assert blas.num_threads == 4
    assert not threads.sharing()


def test_the_last_of_two_threads_restores_it(crew):
    blas = team.Library(4)
    crew(2, blas)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with worker_threads():
            inside.set()
            assert leave.wait(PATIENCE)
        return blas.num_threads

    thread = threading.Thread(target=other)
    with worker_threads():
        thread.start()
        assert inside.wait(PATIENCE)
    assert blas.num_threads == 1  # the other is still at work
    leave.set()
    thread.join()
    assert blas.num_threads == 4


def test_only_numpy_s_own_library_is_held_back(crew):
    ours, torch = team.Library(4), team.Library(4, "/site-packages/torch/lib/libopenblas.so")
    crew(2, torch, ours)
    with worker_threads():
        assert (ours.num_threads, torch.num_threads) == (1, 4)
    system = team.Library(4, "/usr/lib/libblas.so.3")  # a NumPy that is linked with the system's
    crew(2, system)
    with worker_threads():
        assert system.num_threads == 1
    assert system.num_threads == 4


def test_one_thread_is_one_for_blas_too(crew):
    blas = team.Library(4)
    crew(1, blas)
    seen = []
    with worker_threads():
        assert blas.num_threads == 1
        share([lambda: seen.append(threading.get_ident())] * 9)
    assert blas.num_threads == 4
    assert set(seen) == {threading.get_ident()}


def test_without_threadpoolctl_everything_stays_on_the_caller_s_thread(crew, monkeypatch):
    crew(4)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    seen = set()
    with worker_threads():
        share([lambda: seen.add(threading.get_ident()) for _ in range(20)])
    assert seen == {threading.get_ident()}
    assert threads._team.pool is None


# How many threads


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("3", 3), (" 2 ", 2), ("012", 12)])
def test_handbrew_threads(monkeypatch, text, number):
    monkeypatch.setenv("HANDBREW_THREADS", text)
    assert wanted_threads() == number


@pytest.mark.parametrize("text", ["", "  ", None])
def test_without_it_there_are_as_many_as_cores_to_run_on(monkeypatch, text):
    monkeypatch.delenv("HANDBREW_THREADS", raising=False)
    if text is not None:
        monkeypatch.setenv("HANDBREW_THREADS", text)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 6}, raising=False)
    assert wanted_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert wanted_threads() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert wanted_threads() == 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.0", "1e1", "1 2", "²"])
def test_what_is_no_number_of_threads_is_refused(crew, monkeypatch, text):
    blas = team.Library(4)
    crew(2, blas)
    monkeypatch.setenv("HANDBREW_THREADS", text)
    with pytest.raises(ValueError, match=f"HANDBREW_THREADS: expected a number of threads from 1 on, got '{text}'"):
        worker_threads().__enter__()
    assert blas.num_threads == 4
    monkeypatch.setenv("HANDBREW_THREADS", "2")
    with worker_threads():  # the next try may be right
        assert blas.num_threads == 1


# share


def test_several_threads_are_at_work_at_once(crew):
    crew(3)
    meeting = threading.Barrier(3, timeout=PATIENCE)
    with worker_threads():
        share([meeting.wait] * 3)  # each waits for the other two


@pytest.mark.parametrize("count", [0, 1, 2, 3, 500])
@pytest.mark.parametrize("inside", [True, False])
def test_every_task_runs_once(crew, count, inside):
    crew(3)
    done = []

    def tasks():
        for i in range(count):
            yield lambda i=i: done.append(i)

    if inside:
        with worker_threads():
            share(tasks())
    else:
        share(tasks())
    assert sorted(done) == list(range(count))


def test_outside_worker_threads_they_run_here_and_in_order(crew):
    crew(3)
    with worker_threads():
        pass  # there is a team, but not at work
    done = []
    share([lambda i=i: done.append((i, threading.get_ident())) for i in range(50)])
    assert done == [(i, threading.get_ident()) for i in range(50)]


def test_each_thread_has_scratch_of_its_own(crew):
    crew(3)
    made, used = [], []
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def scratch():
        made.append(object())
        return made[-1]

    def task(space, wait):
        used.append((threading.get_ident(), space))
        if wait:
            meeting.wait()  # so that each of the three has one

    with worker_threads():
        share([lambda space, i=i: task(space, i < 3) for i in range(30)], scratch)
    assert len(made) == 3
    assert len(set(used)) == 3
    assert {space for _, space in used} == set(made)


@pytest.mark.parametrize("where", ["caller", "helper"])
def test_an_exception_is_raised_once_all_have_stopped(crew, where):
    crew(2)
    caller = threading.get_ident()
    meeting = threading.Barrier(2, timeout=PATIENCE)
    events = []

    def task():
        meeting.wait()
        if (threading.get_ident() == caller) == (where == "caller"):
            raise ZeroDivisionError("an accident")
        time.sleep(0.05)
        events.append("the other has ended")

    with pytest.raises(ZeroDivisionError, match="an accident"), worker_threads():
        share([task, task, *[lambda: events.append("begun all the same")] * 100])
    assert events[:1] == ["the other has ended"]
    assert len(events) == 1
    with worker_threads():
        share([lambda: events.append("the team works on")] * 4)
    assert events[1:] == ["the team works on"] * 4


def test_an_exception_without_a_team(crew):
    crew(1)
    done = []
    with pytest.raises(ZeroDivisionError):
        share([lambda: done.append(1), lambda: 1 / 0, lambda: done.append(2)])
    assert done == [1]


def test_scratch_that_cannot_be_made(crew):
    def scratch():
        raise MemoryError

    crew(3)
    with pytest.raises(MemoryError), worker_threads():
        share([lambda space: None] * 9, scratch)


@pytest.mark.parametrize("size", [2, 3])
def test_tasks_may_share_out_tasks(crew, size):
    crew(size)
    done = []

    def task():
        share([lambda: done.append(1)] * 5)

    def everything():
        with worker_threads():
            share([task] * 20)

    apart(everything)
    assert len(done) == 100


def test_two_threads_may_share_at_once(crew):
    crew(2)
    done = {"a": [], "b": []}

    def user(name):
        with worker_threads():
            for _ in range(50):
                share([lambda: done[name].append(1)] * 4)

    users = [threading.Thread(target=user, args=(name,)) for name in "ab"]
    for each in users:
        each.start()
    for each in users:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert len(done["a"]) == len(done["b"]) == 200


def test_the_caller_s_errstate_and_warnings_hold_in_all_threads(crew):
    crew(3)
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def task():
        meeting.wait()
        return np.float32(1) / np.zeros(3, np.float32)

    with worker_threads():
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            share([task] * 3)
        with np.errstate(divide="ignore"):
            share([task] * 3)  # a warning would be an error
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            share([task] * 3)
        assert [str(warning.message) for warning in seen] == ["divide by zero encountered in divide"] * 3


# Elementwise work in pieces


@pytest.fixture
def small_pieces(monkeypatch):
    """Arrays of 24 elements are large, and cut into pieces of 5."""
    monkeypatch.setattr(threads, "LARGE", 24)
    monkeypatch.setattr(threads, "PIECE", 5)


def reversed_rows(x):
    return x[::-1].copy()[::-1]


def same_everywhere(x):
    return np.broadcast_to(x[:1], x.shape)


LAYOUTS = [np.copy, samples_last, channels_last, fortran, strided, reversed_rows]


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (24,), (13, 2), (1, 30, 1), (0, 4), (2, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("other", [*LAYOUTS, same_everywhere])
def test_in_pieces_whatever_the_layouts(crew, small_pieces, shape, layout, other):
    crew(3)
    x, z = layout(normal(shape)), other(normal(shape, np.float32, 1))
    kept = x.copy(), z.copy()
    pieces = []

    def add(x, z, out):
        pieces.append(x.size)
        np.add(x, z, out=out)
        count = out  # each element once: a second time it would be added to
        count += x

    y = layout(np.zeros(shape))
    with worker_threads():
        in_pieces(add, x, z, y)
    np.testing.assert_array_equal(y, kept[0] + kept[1] + kept[0])
    assert sum(pieces) == x.size
    result = elementwise(lambda x, z, out: np.add(x, z, out=out), x, z)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, kept[0] + kept[1])
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(z, kept[1])


@pytest.mark.parametrize("layout", [np.copy, samples_last, channels_last, fortran])
def test_large_arrays_that_lie_alike_are_cut(small_pieces, layout):
    seen = []
    arrays = [layout(normal((3, 4, 2, 3), dtype)) for dtype in (np.float64, np.float32)]
    in_pieces(lambda a, b: seen.append((a.shape, b.shape)), *arrays)
    assert seen == [((5,), (5,))] * 14 + [((2,), (2,))]


def test_small_arrays_are_handed_over_whole():
    seen = []
    in_pieces(seen.append, normal((3, 4)))
    assert [a.shape for a in seen] == [(3, 4)]


# Other processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("inside", [True, False])
def test_a_forked_child_computes_with_a_team_of_its_own(inside):
    code = """
import os, signal, threading
from contextlib import nullcontext
from handbrew.layers import share, threads, worker_threads

def threads_at_work():
    meeting, seen = threading.Barrier(3, timeout=10), set()
    with worker_threads():
        assert threads._team.blas[0].num_threads == 1
        share([lambda: (meeting.wait(), seen.add(threading.get_ident()))] * 3)
    return len(seen)

assert threads_at_work() == 3
with worker_threads() if INSIDE else nullcontext():
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        assert threads_at_work() == 3
if child == 0:
    assert threads._team.users == 0
    assert threads._team.blas[0].num_threads == 4
    assert threads_at_work() == 3
    os._exit(0)
assert threads_at_work() == 3
assert threads._team.blas[0].num_threads == 4
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ignore = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)"  # Python's own, of fork and threads
    assert team.run(f"{ignore}\nINSIDE = {inside}\n{code}", threads=3) == "0\n"


def test_the_same_bits_whatever_the_number_of_threads():
    """Two of the three numbers run the same program twice."""
    digests = {team.run("print(team.digest())", threads=n) for n in (1, 2, 2, 3)}
    assert len(digests) == 1
