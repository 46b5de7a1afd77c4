"""Peak memory of training: resident size above the level after import, net and data, in a process of its own.

    python benchmarks/memory.py NET CONTENDER    # as convnets.NETS and CONTENDERS name them; prints megabytes

Linux only: it reads and resets the peak in /proc/self.
"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from convnets import NETS, build_net, make_batch, training_step

CONTENDERS = ("handbrew", "PyTorch, contiguous", "PyTorch, channels last")
STEPS = 5


def measure() -> dict[str, dict[str, float]]:
    """Megabytes of every contender, by net; empty where there is no /proc."""
    if not Path("/proc/self/clear_refs").exists():
        return {}
    return {name: {contender: _in_new_process(name, contender) for contender in CONTENDERS} for name in NETS}


def _in_new_process(name: str, contender: str) -> float:
    command = [sys.executable, __file__, name, contender]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(name: str, contender: str) -> float:
    step = _make_step(name, contender)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed while importing must not hide what the steps take
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    level = status("VmRSS")
    for _ in range(STEPS):
        step()
    return (status("VmHWM") - level) / 1e6


def _make_step(name: str, contender: str) -> Callable[[], float]:
    net, (X, y) = build_net(NETS[name]), make_batch(NETS[name])
    if contender == "handbrew":
        return training_step(net, X, y)
    import torch
    import torch_steps

    torch.set_num_threads(2)
    return torch_steps.training_step(net, X, y, contender.removeprefix("PyTorch, "), fused=True)


def status(what: str) -> int:
    """Bytes, of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


if __name__ == "__main__":
    print(f"{peak(sys.argv[1], sys.argv[2]):.1f}")
