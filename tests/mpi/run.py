"""Call the functions of a module in this folder that are named check_…, on all ranks: run.py MODULE [NAME…]

    mpiexec -n 3 python -m mpi4py tests/mpi/run.py ranks

``-m mpi4py`` ends all ranks if one fails. Functions get ``ranks``.
"""

import importlib
import sys

from mpi4py import MPI

from handbrew.solvers.parallel import Ranks

module = importlib.import_module(sys.argv[1])
names = sys.argv[2:] or [name for name in vars(module) if name.startswith("check_")]
ranks = Ranks(MPI.COMM_WORLD)
for name in names:
    if not ranks.rank:
        print(name, flush=True)
    vars(module)[name](ranks)
    ranks.comm.Barrier()
