"""Nets in use, beside onnxruntime and OpenCV 4, which read what ``save_onnx`` writes of them.

python benchmarks/inference.py    # the table of five rounds, with milliseconds of each contender
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("HANDBREW_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import cv2
import numpy as np
import onnxruntime
from convnets import Workload, build_net, make_batch
from harness import check_equal, interleave, ratio

from handbrew.layers import Branches, Conv2D, Dropout, GlobalAvgPool2D, Layer, MaxPool2D, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential, lenet, resnet20
from handbrew.nets.onnx import save_onnx

Array = np.ndarray[Any, np.dtype[Any]]
THREADS = 2
PEERS = ("onnxruntime", "OpenCV")


def squeezenet(classes: int = 1000, seed: int | None = None) -> Sequential:
    """SqueezeNet 1.1, for (3, 224, 224). Iandola et al., "SqueezeNet", 2016."""
    layers: list[Layer] = [Conv2D(64, 3, stride=2), ReLU(), MaxPool2D(3, 2, ceil_mode=True)]
    for number, n in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        expand = [Sequential(Conv2D(4 * n, size, padding=size // 2), ReLU()) for size in (1, 3)]
        layers += [Conv2D(n, 1), ReLU(), Branches(*expand)]
        if number in (3, 5):
            layers.append(MaxPool2D(3, 2, ceil_mode=True))
    layers += [Dropout(), Conv2D(classes, 1), ReLU(), GlobalAvgPool2D()]
    return Sequential(*layers, SoftmaxCrossEntropy(), seed=seed)


NETS = {
    f"{name}, batch {batch}": Workload(make, batch, in_shape)
    for name, make, in_shape, batches in (
        ("LeNet", lenet, (1, 28, 28), (1, 64)),
        ("SqueezeNet 1.1", squeezenet, (3, 224, 224), (1, 32)),
        ("resnet20", resnet20, (3, 32, 32), (1, 64)),
    )
    for batch in batches
}


def contenders(workload: Workload) -> dict[str, Callable[[], Array]]:
    """Each returns the probabilities of the same batch, in arrays of NumPy, with two threads."""
    net, (X, _) = build_net(workload), make_batch(workload)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.onnx")
        save_onnx(net, path)
        content = path.read_bytes()
    return {
        "handbrew": partial(net.predict, X),
        "onnxruntime": _onnxruntime_step(content, X),
        "OpenCV": _opencv_step(content, X),
    }


def _onnxruntime_step(content: bytes, X: Array) -> Callable[[], Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: X})[0]


def _opencv_step(content: bytes, X: Array) -> Callable[[], Array]:
    cv2.setNumThreads(THREADS)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))

    def step() -> Array:
        net.setInput(X)
        return net.forward()

    return step


def measure(rounds: int) -> dict[str, Any]:
    """Median microseconds of all contenders, and how many times faster handbrew is."""
    found = {}
    for name, workload in NETS.items():
        steps = contenders(workload)
        check_equal({key: step() for key, step in steps.items()}, 1e-3, name)
        times = interleave(steps, rounds)
        us = {key: 1e6 * median(seconds) for key, seconds in times.items()}
        found[name] = {"us": us, "ratios": {key: ratio(times, key) for key in times}}
    return found


def main() -> None:
    for name, entry in measure(5).items():
        times = ", ".join(f"{key} {us / 1000:.2f} ms ({entry['ratios'][key]:.2f})" for key, us in entry["us"].items())
        print(f"{name}: {times}")


if __name__ == "__main__":
    main()
