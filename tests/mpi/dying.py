"""A run on several ranks, one of which comes to grief: dying.py HOW"""

import os
import sys
import time

import numpy as np

from handbrew.solvers.parallel import Ranks, world

how = sys.argv[1]
with Ranks(world()) as ranks:
    print(f"rank {ranks.rank} is process {os.getpid()}", flush=True)
    for step in range(10_000):
        if step == 20 and how == "one" and ranks.rank == 1:
            raise ValueError("bad luck")
        if step == 20 and how == "all":
            raise ValueError("bad luck")
        if step == 20 and how == "exit" and ranks.rank == 1:
            sys.exit(7)
        ranks.sum(np.ones(10))
        time.sleep(0.01)
