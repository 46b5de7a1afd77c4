"""Several processes that train one net together, over MPI."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from handbrew.layers import Buffer, Layer, StateError
from handbrew.layers.cores import cores, wanted_threads
from handbrew.layers.tree import FORWARD_PASSES

from .live_arrays import LiveArrays

Array = np.ndarray[Any, np.dtype[Any]]

# In which variable a launcher tells each process how many there are: MPICH, Intel and Microsoft; Open MPI; Slurm.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
PATIENCE = 3.0  # seconds that a rank waits for the others to fail as it has
MOST = 2**30  # elements in one message: not every MPI counts further than 2**31


class Ranks:
    """The processes that train one net together: each has a copy of it, and a part of every batch.

    A process is a *rank*, numbered from 0. All of them make the same calls in the same order; each call waits for the
    others. Used as ``with ranks:``, an exception in one rank ends all of them.

    A rank keeps to its share of the machine's cores: from the constructor on, NumPy's BLAS runs ``threads`` threads
    (where threadpoolctl is installed), and so does handbrew, unless ``HANDBREW_THREADS`` says otherwise.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Whose processes these are, such as ``MPI.COMM_WORLD``.

    Attributes
    ----------
    rank, size : int
        Which process this is, and how many there are.
    threads : int
        The cores that this process may run on, divided by the ranks that share them.
    aborts : bool
        Whether ``with ranks:`` ends all of them; ``False`` where the program around it does.
    samples : int
        How many samples this rank has had in the step that is running; 1 in a loop that does not say.
    """

    def __init__(self, comm: Any) -> None:
        self.comm, self._line, self._end = comm, comm.Dup(), comm.Dup()  # whose messages nobody takes for others
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.threads, self.samples, self.aborts = self._share_of_cores(), 1, True
        self._buffers: LiveArrays | None = None  # those that are averaged
        if self.size > 1:
            os.environ.setdefault("HANDBREW_THREADS", str(self.threads))
            _limit_blas(wanted_threads())

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self.size > 1 and self.aborts:
            self.abort(error)

    def abort(self, error: BaseException) -> NoReturn:
        """End all processes because of an error in this one: the others would wait for it for ever."""
        alike = meet(self._end)
        if self.rank == 0 or not alike:  # an error that all have met is told by rank 0 alone
            told = "".join(traceback.format_exception(error))
            sys.stdout.flush()
            sys.stderr.write(
                f"{told}rank {self.rank} of {self.size}: {type(error).__name__}: {error}; all ranks stop. A run that "
                f"takes snapshots goes on from the last one with resume=True (handbrew train --resume), on any number "
                f"of ranks.\n"
            )
            sys.stderr.flush()
        time.sleep(2 if alike and self.rank else 0.2)  # mpiexec may drop what it has not read when all end
        code = error.code if isinstance(error, SystemExit) else 130 if isinstance(error, KeyboardInterrupt) else 1
        self.comm.Abort(code if isinstance(code, int) else 1)
        os._exit(1)  # MPI promises no more than a best try

    def sum(self, array: Array) -> None:
        """Replace an array by the sum of all ranks' arrays, in place; all get the same bits."""
        from mpi4py import MPI

        flat = array.reshape(-1)
        if not np.may_share_memory(flat, array) and array.size:
            raise ValueError("Ranks.sum works in place, so the array has to be contiguous")
        for start in range(0, flat.size, MOST):
            self._line.Allreduce(MPI.IN_PLACE, flat[start : start + MOST])

    def stack(self, array: Array) -> Array:
        """Return the arrays of all ranks, which are of one shape, along a new first axis."""
        stacked = np.empty((self.size, *array.shape), array.dtype)
        self._line.Allgather(np.ascontiguousarray(array), stacked)
        return stacked

    def gather(self, value: Any) -> list[Any]:
        """Return one object of each rank, by rank."""
        return self._line.allgather(value)

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's object."""
        return self._line.bcast(value)

    def broadcast_state(self, net: Layer) -> None:
        """Give all ranks the parameters and buffers of rank 0.

        Raises
        ------
        StateError
            In all ranks, if one has another net.
        """
        arrays: dict[str, Buffer] = {**net.params, **net.buffers}
        nets = self.gather({path: f"{a.data.dtype} {a.shape}" for path, a in arrays.items()})
        for rank, found in enumerate(nets):
            if found != nets[0]:
                differ = [
                    f"{path}: {nets[0].get(path, 'nothing')} in rank 0, {found.get(path, 'nothing')} in rank {rank}"
                    for path in nets[0] | found
                    if nets[0].get(path) != found.get(path)
                ]
                raise StateError(f"rank {rank} of {self.size} has another net than rank 0\n  " + "\n  ".join(differ))
        for array in (arrays[path] for path in nets[0]):  # in one order everywhere
            flat = array.data.reshape(-1)
            for start in range(0, flat.size, MOST):
                self._line.Bcast(flat[start : start + MOST])
            array.data = flat.reshape(array.shape)

    def average_buffers(self, net: Layer) -> None:
        """Replace each floating-point buffer by its mean over the ranks, each counting by its ``samples``."""
        if self._buffers is None or self._buffers.net is not net:
            self._buffers = LiveArrays(net, params=False)
        arrays = list(self._buffers().values())
        if not arrays or self.size == 1:
            return
        message = np.concatenate([[1.0], *(a.ravel() for a in arrays)], dtype=np.float64)
        message *= self.samples
        self.sum(message)
        message = message[1:] / message[0]
        start = 0
        for array in arrays:
            array[...] = message[start : start + array.size].reshape(array.shape)
            start += array.size

    def synchronise(self, net: Layer) -> None:
        """Let layers that take statistics over the batch take them over the samples of all ranks.

        These are the layers with an attribute ``across``, such as ``BatchNorm``.
        """
        _set_across(net, self.stack)

    @contextmanager
    def apart(self, net: Layer) -> Iterator[None]:
        """Inside, a forward or backward pass waits for no other rank."""
        synchronised = any(getattr(layer, "across", None) for _, layer in net.walk())
        _set_across(net, None)
        try:
            yield
        finally:
            if synchronised:
                self.synchronise(net)

    def scatter_generators(self, net: Layer, states: list[dict[str, Any]] | None = None, step: int = 0) -> None:
        """Let each rank draw random numbers of its own in ``forward`` (two equal masks would drop the same units).

        Rank 0 draws what a process alone would; those of another depend on the seed, the layer's path and the rank.
        ``states`` are what ``gather(net.generator_states())`` was after some steps: each rank goes on from its own. One
        beyond these starts with numbers that depend on ``step`` too.
        """
        known = states is not None and self.rank < len(states)
        mine = dict(states[self.rank]) if states is not None and known else {}
        if self.rank:
            key = (self.rank,) if known or not step else (self.rank, step)
            for path, layer in net.walk():
                if path not in mine:
                    mine[path] = _own(layer.generator(FORWARD_PASSES), key)
        if self.rank or states is not None:
            net.load_generator_states(mine)

    def _share_of_cores(self) -> int:
        from mpi4py import MPI

        mine = cores()
        neighbours = self._line.Split_type(MPI.COMM_TYPE_SHARED)  # the ranks on this machine
        used = [core for each in neighbours.allgather(mine) for core in each]
        neighbours.Free()
        return max(1, int(sum(Fraction(1, used.count(core)) for core in mine)))


def meet(comm: Any) -> bool:
    """Whether all ranks come here within a moment, as they do when the same has happened to all of them."""
    coming, until = comm.Ibarrier(), time.monotonic() + PATIENCE
    while not coming.Test():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def world() -> Any:
    """Return MPI's COMM_WORLD if an mpiexec (or srun) has started this process as one of several, else ``None``.

    Raises
    ------
    ImportError
        If mpi4py is not installed.
    RuntimeError
        If the launcher belongs to another MPI than mpi4py: every process would take itself for the only one.
    """
    started = max((int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdecimal()), default=1)
    if started == 1:
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"started as one of {started} processes, which need mpi4py: pip install 'handbrew[mpi]'"
        ) from error
    if MPI.COMM_WORLD.Get_size() == 1:
        library = MPI.Get_library_version().split("\n")[0].strip()
        raise RuntimeError(
            f"started as one of {started} processes, but MPI knows of one only: mpiexec is of another MPI than the one "
            f"that mpi4py uses ({library}); take the mpiexec that belongs to it"
        )
    return MPI.COMM_WORLD


def _set_across(net: Layer, across: Callable[[Array], Array] | None) -> None:
    for _, layer in net.walk():
        if hasattr(layer, "across"):
            layer.across = across


def _own(generator: np.random.Generator, key: tuple[int, ...]) -> Any:
    """The state of a generator of the same seed and another key."""
    seed = generator.bit_generator.seed_seq
    child = np.random.SeedSequence(seed.entropy, spawn_key=key)  # type: ignore[attr-defined]
    return np.random.default_rng(child).bit_generator.state


def _limit_blas(threads: int) -> None:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(threads, user_api="blas")
