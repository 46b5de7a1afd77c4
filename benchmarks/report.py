"""The measurements as a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import convnets
import finite_check
import inference
import mlp
import optimizers
from harness import geometric_mean

Results = dict[str, Any]


def page(results: Results) -> str:
    """Everything, the convnets first."""
    parts = [
        _headline(results),
        _convnets(results),
        _mlps(results),
        _inference(results),
        _runtimes(results),
        _updates(results),
        _memory(results),
        _odd_convolutions(results),
        _growth(results),
        _ranks(results),
        _finite_check(results),
        _mnist(results),
        _imports(results),
    ]
    return "\n".join(parts)


def _headline(results: Results) -> str:
    ratios = [results[name]["ratio"] for name in convnets.NETS]
    classic = [results[name]["ratios"]["classic im2col"] for name in convnets.NETS]
    everything = [results[name]["ratio"] for name in (*mlp.NETS, *convnets.NETS, *convnets.INFERENCE)]
    return (
        "## In short\n\n"
        "How many times faster than PyTorch's best way handbrew is, as geometric means; above 1 it wins. In the tables "
        "below too, a column that bears a contender's name says how many times faster than it handbrew is.\n\n"
        + table(
            ("", "ratio"),
            [
                ("**the four convnets' training steps**", f"**{geometric_mean(ratios):.2f}**"),
                ("the slowest of the four", f"{min(ratios):.2f}"),
                (f"all {len(everything)} workloads", f"{geometric_mean(everything):.2f}"),
                ("the four convnets, against classic im2col in NumPy", f"{geometric_mean(classic):.1f}"),
            ],
        )
        + "\nMeasured on: "
        + ", ".join(f"{what} {value}" for what, value in results["machine"].items())
        + ".\n"
    )


def _convnets(results: Results) -> str:
    speed, rows = results["product GFLOP/s"], []
    for name in convnets.NETS:
        entry = results[name]
        ratios = entry["ratios"]
        rows.append(
            (
                name,
                _ms(entry),
                f"**{entry['ratio']:.2f}**",
                *(f"{min(_ratios_of(ratios, layout)):.2f}" for layout in ("contiguous", "channels last")),
                f"{ratios['classic im2col']:.1f}",
                f"{results['without threadpoolctl'][name]:.2f}",
                f"{entry['GFLOP/s']:.0f}",
                f"{100 * entry['GFLOP/s'] / speed:.0f} %",
            )
        )
    columns = ("net", "handbrew", "PyTorch", "contiguous", "channels last", "classic im2col", "without threadpoolctl")
    return (
        "## One training step of a convnet\n\n"
        "Forward, loss, backward and momentum SGD, float32, two threads; the ratio to PyTorch is that to the best of "
        "its ways, whose two layouts stand beside it.\n\n"
        + table((*columns, "GFLOP/s", "of the product's"), rows)
        + f"\nA product of two 2048x2048 matrices runs at {speed:.0f} GFLOP/s with two BLAS threads.\n"
    )


def _ratios_of(ratios: dict[str, float], layout: str) -> list[float]:
    return [value for peer, value in ratios.items() if layout in peer]


def _mlps(results: Results) -> str:
    peers = ("PyTorch", "PyTorch, fused SGD", "NumPy by hand", mlp.OWN)
    rows = [
        (name, f"{results[name]['us']['handbrew']:.1f} us", *(f"{results[name]['ratios'][peer]:.2f}" for peer in peers))
        for name in mlp.NETS
    ]
    head = ("net", "handbrew", "PyTorch", "PyTorch, fused SGD", "NumPy by hand", "the user's own layers")
    return "## One training step of a multi-layer perceptron\n\n" + table(head, rows)


def _inference(results: Results) -> str:
    layouts = ("contiguous", "channels last")
    rows = [
        (name, _ms(results[name]), *(f"{results[name]['ratios'][f'PyTorch, {layout}']:.2f}" for layout in layouts))
        for name in convnets.INFERENCE
    ]
    return "## Inference\n\n" + table(("", "handbrew", *(f"PyTorch, {layout}" for layout in layouts)), rows)


def _runtimes(results: Results) -> str:
    rows = [
        (name, _ms(entry), *(f"{entry['ratios'][peer]:.2f}" for peer in inference.PEERS))
        for name, entry in results["runtimes"].items()
    ]
    return (
        "## Inference beside runtimes\n\n"
        "Each reads the ONNX file that `save_onnx` writes, and has two threads.\n\n"
        + table(("", "handbrew", *inference.PEERS), rows)
    )


def _updates(results: Results) -> str:
    peers = tuple(optimizers.WAYS)
    rows = [
        (name, _ms(entry), *(f"{entry['ratios'][peer]:.2f}" for peer in peers))
        for name, entry in results["updates"].items()
    ]
    return (
        "## The update alone\n\n"
        f"One array of {optimizers.SIZE / 1e6:.0f} million parameters, float32, two threads. handbrew's time includes "
        "a look at every gradient, before any is applied, whether it is finite; PyTorch takes none.\n\n"
        + table(("rule", "handbrew", *peers), rows)
    )


def _memory(results: Results) -> str:
    title = "## Peak memory of training\n\n"
    if not results["memory MB"]:
        return f"{title}Not measured: it is read from /proc, which only Linux has.\n"
    entries = results["memory MB"]
    rows = [(name, *(f"{value:.0f} MB" for value in entry.values())) for name, entry in entries.items()]
    return (
        f"{title}Resident size above the level after import, net and data, over five steps in a process of its own.\n\n"
        + table(("net", *next(iter(entries.values()))), rows)
    )


def _odd_convolutions(results: Results) -> str:
    entries = results["odd convolutions"]
    kinds = ("forward", "forward and backward")
    rows = [
        (name, *(cell for kind in kinds for cell in (_ms(entry[kind]), f"{entry[kind]['ratio']:.2f}")))
        for name, entry in entries.items()
    ]
    means = [geometric_mean([entry[kind]["ratio"] for entry in entries.values()]) for kind in kinds]
    rows.append(("geometric mean", "", f"{means[0]:.2f}", "", f"{means[1]:.2f}"))
    return "## Convolutions that nobody tunes for\n\nThe ratios are to the better of PyTorch's layouts.\n\n" + table(
        ("convolution", "forward", "PyTorch", "forward and backward", "PyTorch"), rows
    )


def _growth(results: Results) -> str:
    parts = [
        "## Growth\n\nTraining steps: time of one image; this and its arithmetic as multiples of the first line's.\n"
    ]
    for title, entries in results["growth"].items():
        first = next(iter(entries.values()))
        rows = [
            (
                name,
                f"{entry['us an image']:.1f} us",
                f"{entry['us an image'] / first['us an image']:.2f}",
                f"{entry['flops an image'] / first['flops an image']:.2f}",
                f"{entry['ratio']:.2f}",
            )
            for name, entry in entries.items()
        ]
        parts.append(table((title, "an image", "time", "arithmetic", "PyTorch"), rows))
    return "\n".join(parts)


def _ranks(results: Results) -> str:
    rows = (
        (name, f"{1e3 * row['one']:.3g} ms", f"{1e3 * row['step']:.3g} ms", f"{row['ratio']:.2f}x")
        for name, row in results["two ranks"].items()
    )
    return (
        "## Two ranks on two cores\n\n"
        "One process with two threads, and two processes over MPI that train on half of the batch each: see "
        "[Many processes, many machines](many-machines.md).\n\n"
        + table(("", "one process", "two ranks", "ratio of speeds"), rows)
    )


def _finite_check(results: Results) -> str:
    entry = results["finite check"]
    rows = [
        ("a training step", f"{entry['us'] / 1000:.2f} ms"),
        ("the looks in it", f"{entry['looks us'] / 1000:.2f} ms"),
        ("their share, by the clock", f"{100 * entry['share']:.2f} %"),
        ("steps with them, times steps without", f"{entry['with / without']:.3f}"),
    ]
    return (
        "## Looking whether all numbers are finite\n\n"
        f"At every step, before anything is applied; {finite_check.NET}, momentum SGD.\n\n" + table(("", ""), rows)
    )


def _mnist(results: Results) -> str:
    title = "## One epoch of MNIST\n\n784-256-10, batch 128, momentum SGD, float32, through `fit`.\n\n"
    if "MNIST epoch" not in results:
        return f"{title}Not measured: no `--mnist DIR` was given.\n"
    entry = results["MNIST epoch"]
    rows = [
        (name, f"{entry[key]:.2f}", f"{100 * entry[f'{key}_accuracy']:.2f} %")
        for name, key in (("handbrew", "handbrew"), ("scikit-learn MLPClassifier", "sklearn"))
    ]
    return (
        title
        + table(("", "seconds an epoch", "test accuracy after 5 epochs"), rows)
        + f"\nhandbrew is {entry['ratio']:.2f} times as fast (median over pairs of epochs).\n"
    )


def _imports(results: Results) -> str:
    times = results["import seconds"]
    rows = [(name, f"{1000 * seconds:.0f} ms", f"{seconds / times['numpy']:.2f}") for name, seconds in times.items()]
    return "## Import\n\n" + table(("module", "time", "ratio to NumPy's own"), rows)


def _ms(entry: Results) -> str:
    return f"{entry['us']['handbrew'] / 1000:.2f} ms"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
