"""What is measured, section by section, as data; ``report`` writes it out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import classic_twin
import convnets
import cv2
import growth
import mlp
import numpy as np
import odd_shapes
import onnxruntime
import torch
import torch_steps
from harness import check_equal, interleave, ratio, run_for, summarise
from threadpoolctl import threadpool_info

Results = dict[str, Any]


def machine() -> Results:
    """What the figures depend on."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    blas = next((library for library in libraries if "numpy" in library["filepath"]), libraries[0])  # not SciPy's
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "BLAS": f"{blas['internal_api']} {blas['version']}",
        "BLAS architecture": blas["architecture"],
        "PyTorch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "OpenCV": cv2.__version__,
    }


def product_speed(size: int = 2048) -> float:
    """GFLOP/s of a float32 product of square matrices, with BLAS's two threads."""
    a = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    out = np.empty_like(a)
    run_for(lambda: np.dot(a, a, out), 0.2)
    return 2e-9 * size**3 / min(run_for(lambda: np.dot(a, a, out), 0.1, least=3) for _ in range(5))


def mlps(rounds: int) -> Results:
    """One training step of each multi-layer perceptron."""
    found = {}
    for name, (sizes, batch) in mlp.NETS.items():
        contenders = mlp.contenders(sizes, batch)
        check_equal({key: [step() for _ in range(30)][-1] for key, step in contenders.items()}, 1e-4, name)
        found[name] = summarise(interleave(contenders, rounds))
    return found


def convnet_steps(rounds: int) -> Results:
    """One training step of each convnet; the classic one, being slow, in rounds of its own."""
    speeds: list[float] = []
    found: Results = {}
    for name, workload in convnets.NETS.items():
        speeds.append(product_speed())
        net, (X, y) = convnets.build_net(workload), convnets.make_batch(workload)
        slow = classic_twin.training_step(net, X, y)
        peers = torch_steps.training_steps(net, X, y)
        ours = convnets.training_step(net, X, y)
        contenders = {"handbrew": ours, **peers}
        check_equal({key: [s() for _ in range(5)] for key, s in (contenders | {"classic": slow}).items()}, 1e-3, name)
        found[name] = entry = summarise(interleave(contenders, rounds, least=3))
        times = interleave({"handbrew": ours, "classic": slow}, max(2, rounds // 3))
        entry["us"]["classic im2col"] = 1e6 * median(times["classic"])
        entry["ratios"]["classic im2col"] = ratio(times, "classic")
        entry["GFLOP/s"] = 3e-3 * net.flops() * workload.batch / entry["us"]["handbrew"]
    found["product GFLOP/s"] = max(speeds)
    return found


def inference(rounds: int) -> Results:
    """LeNet in use."""
    found = {}
    for name, workload in convnets.INFERENCE.items():
        net, (X, _) = convnets.build_net(workload), convnets.make_batch(workload)
        contenders: dict[str, Callable[[], Any]] = {
            "handbrew": partial(net.predict, X),
            **torch_steps.inference_steps(net, X),
        }
        check_equal({key: step() for key, step in contenders.items()}, 1e-4, name)
        found[name] = summarise(interleave(contenders, rounds))
    return found


def odd_convolutions(rounds: int) -> Results:
    """Convolutions that nobody tunes for."""
    found: Results = {}
    for case in odd_shapes.CASES:
        for kind, contenders in odd_shapes.contenders(case):
            results = {key: np.asarray(step().detach() if "Py" in key else step()) for key, step in contenders.items()}
            check_equal(results, 1e-4, f"{case}, {kind}")
            found.setdefault(str(case), {})[kind] = summarise(interleave(contenders, rounds, turn=0.06))
    return found


def without_threadpoolctl(times: int = 2) -> Results:
    """By how much each convnet's step is slower where BLAS cannot be held to one thread; in processes by turns."""
    commands = [[sys.executable, convnets.__file__, *option] for option in ((), ("--without-threadpoolctl",))]
    runs = [[_json_of(command) for command in commands] for _ in range(times)]
    return {name: median(alone[name] / usual[name] for usual, alone in runs) for name in convnets.NETS}


def _json_of(command: list[str]) -> Any:
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def grow(rounds: int) -> Results:
    """Microseconds an image as nets grow, and the arithmetic's own growth."""
    return {
        "batch, LeNet": _grow(growth.BATCHES, rounds),
        "channels, four 3x3 convolutions": _grow(growth.CHANNELS, rounds),
    }


def _grow(workloads: dict[str, convnets.Workload], rounds: int) -> Results:
    found: Results = {}
    for name, workload in workloads.items():
        net, (X, y) = convnets.build_net(workload), convnets.make_batch(workload)
        peers = {
            f"PyTorch, {layout}": torch_steps.training_step(net, X, y, layout, fused=True)
            for layout in torch_steps.LAYOUTS
        }
        contenders = {"handbrew": convnets.training_step(net, X, y), **peers}
        entry = summarise(interleave(contenders, rounds, turn=0.06, least=2))
        us = entry["us"]["handbrew"] / workload.batch
        found[name] = {"us an image": us, "flops an image": 3 * net.flops(), "ratio": entry["ratio"]}
    return found
