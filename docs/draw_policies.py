"""The pictures of the page on learning-rate policies: ``python docs/draw_policies.py [folder]``.

Each is drawn twice, for light and for dark pages.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from matplotlib import rc_context, style
from matplotlib.figure import Figure

from handbrew import solvers
from handbrew.data import digits
from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Plateau, Policy, RangeTest, find_lr

STEPS = 1000
CAFFES = (  # each is the title of the curve that it makes
    "Fixed(0.1)",
    "Step(0.1, gamma=0.5, step_size=250)",
    "MultiStep(0.1, gamma=0.3,\nmilestones=[300, 700, 900])",
    "Exponential(0.1, gamma=0.997)",
    "Inverse(0.1, gamma=0.01, power=0.75)",
    "Polynomial(0.1, power=2, steps=1000)",
    "SigmoidDecay(0.1, gamma=-0.015,\nstep_size=500)",
)
YOUNGER = (
    "Cosine(0.1, steps=1000)",
    "Warmup(0.1, steps=200)",
    "Warmup(Cosine(0.1, steps=800),\nsteps=200)",
    "OneCycle(0.1, steps=1000)",
    "Plateau(0.1, factor=0.3, patience=10)",
)
LINE, FAINT, MARK = "#2f87c4", "#999999", "#d0662c"  # seen on white and on black


def main(folder: str = ".") -> None:
    """Draw all pictures into a folder."""
    net = Sequential(Affine(64), ReLU(), Affine(10), SoftmaxCrossEntropy())
    found = find_lr(SGD(net, momentum=0.9), digits())
    for theme, name in (("default", "light"), ("dark_background", "dark")):
        # A fixed salt, so that the same curves are the same file.
        with style.context(theme), rc_context({"svg.hashsalt": "handbrew", "font.size": 8}):
            draw_policies(Path(folder, f"policies-caffe-{name}.svg"), CAFFES)
            draw_policies(Path(folder, f"policies-younger-{name}.svg"), YOUNGER)
            draw_range_test(Path(folder, f"range-test-{name}.svg"), found)


def draw_policies(path: Path, calls: tuple[str, ...]) -> None:
    """A panel for each policy: the rate over the step."""
    rows = -(-len(calls) // 3)
    figure = Figure(figsize=(8.4, 2.1 * rows), layout="constrained")
    panels = list(figure.subplots(rows, 3).flat)
    for axes, call in zip(panels, calls, strict=False):
        policy: Policy = eval(call, vars(solvers))
        if isinstance(policy, Plateau):
            _plateau(axes, policy)
        else:
            axes.plot([policy(step) for step in range(STEPS)], color=LINE, lw=1.8)
            axes.set_xlabel("step")
        axes.set(ylim=(-0.004, 0.108), yticks=(0, 0.05, 0.1))
        axes.set_title(call, loc="left", fontsize=8, family="monospace")
        _plain(axes)
    for axes in panels[len(calls) :]:
        axes.remove()
    _save(figure, path)


def _plateau(axes: Any, policy: Plateau) -> None:
    """The rate beside a loss as training often has it: it falls to a floor, and each lower rate finds a lower one."""
    losses, rates, loss = [], [], 1.0
    for _ in range(160):
        rates.append(policy(0))
        loss += 0.2 * (max(0.1, rates[-1] / 0.1) ** 0.5 * 0.6 - loss)
        losses.append(loss)
        policy.observe(loss)
    axes.plot(rates, color=LINE, lw=1.8, drawstyle="steps-post")
    axes.plot([0.1 * loss for loss in losses], color=FAINT, lw=1)
    axes.text(30, 0.066, "the loss", color=FAINT)
    axes.set_xlabel("observation")


def draw_range_test(path: Path, found: RangeTest) -> None:
    """The loss over the rate."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes: Any = figure.subplots()
    axes.plot(found.rates, found.losses, color=LINE, lw=1, alpha=0.4, label="each batch")
    axes.plot(found.rates, found.smoothed, color=LINE, lw=2, label="smoothed")
    axes.axvline(found.suggestion, color=MARK, lw=1.5, label=f"suggested: {found.suggestion:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(0, 3))
    axes.legend(frameon=False)
    _plain(axes)
    _save(figure, path)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
