"""The options that say how a net is trained. Without a default: whatever is ``None`` was not asked for."""

from __future__ import annotations

import argparse

from .caffe_options import RulesOrFile
from .policy import policy_text
from .rules import RULES
from .values import Real, Whole, class_weight, length_text, listed

LARGE = 10_000  # samples; from here on few epochs of larger batches do
YES_OR_NO = argparse.BooleanOptionalAction


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Which samples to learn from."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", metavar="PATH", help="folder or file (default: the embedded digits)")
    group.add_argument(
        "--target", metavar="COLUMN", help="to learn, of a CSV (default: label, target, class, y, else the last)"
    )
    group.add_argument(
        "--sample-weight",
        metavar="NAME",
        help="what each sample counts for in the loss, of training and of tests on the way: a CSV's column, an npz's "
        "array",
    )
    group.add_argument("--regression", action=YES_OR_NO, help="learn whole numbers as quantities")


def add_start_arguments(parser: argparse.ArgumentParser) -> None:
    """How the net starts, and what of it is held."""
    group = parser.add_argument_group("fine-tuning")
    group.add_argument(
        "--weights",
        metavar="PATH",
        help="start from another net's layers, by name, where all arrays of a layer fit: a file of weights, a "
        "snapshot, or a RUN, finished or not",
    )
    group.add_argument(
        "--freeze",
        nargs="+",
        metavar="NAME",
        help="leave these layers or parameters as they are: conv1 affine1.b 'conv*'",
    )


def add_solver_arguments(parser: argparse.ArgumentParser, rate: bool = True, files: bool = False) -> None:
    """The rule and its numbers, the learning rate perhaps left out, a Caffe solver's file perhaps in its place."""
    large = f"from {LARGE:,} samples on"
    group = parser.add_argument_group("solver")
    group.add_argument(
        "--solver",
        choices=RulesOrFile(RULES) if files else RULES,
        help="update rule (default: sgd)" + files * "; or a Caffe solver's .prototxt",
    )
    if rate:
        add_rate(
            group,
            "learning rate. Default for sgd: 0.1, less for large data, tables and quantities, a ready-made net's own; "
            + ", ".join(f"{name}: {rule.lr:g}" for name, rule in RULES.items() if rule.lr is not None),
        )
    group.add_argument(
        "--batch-size", type=Whole(1), metavar="N", help=f"default: 32; 64 {large}; a ready-made net's own"
    )
    for name, (kind, text) in NUMBERS.items():
        defaults = {rule: own.numbers[name] for rule, own in RULES.items() if name in own.numbers}
        same = len(set(defaults.values())) == 1
        of = ", ".join(defaults) if same else ", ".join(f"{rule}: {value:g}" for rule, value in defaults.items())
        default = f"{of}; default: {next(iter(defaults.values())):g}" if same else f"default for {of}"
        group.add_argument(f"--{name}", type=kind, metavar="X", help=f"{text} ({default})")
    group.add_argument("--nesterov", action=YES_OR_NO, help="sgd looks ahead by its momentum")
    group.add_argument(
        "--weight-decay", type=Real(), metavar="RATE", help="L2 (default: 0.0001; adamw: 0.01; a ready-made net's own)"
    )
    group.add_argument(
        "--decoupled", action=YES_OR_NO, help="shrink the weights by lr x weight decay beside the rule (adamw: always)"
    )
    group.add_argument("--l1", type=Real(), metavar="RATE", help="pull weights to 0 at a constant force (default: 0)")
    group.add_argument("--clip-norm", type=Real(), metavar="NORM", help="scale gradients down to this global L2 norm")
    group.add_argument(
        "--class-weight",
        type=class_weight,
        metavar="WEIGHTS",
        help="'balanced' (each class counts the same, however rare), or a number for each class: 1,2.5,1",
    )
    group.add_argument("--seed", type=Whole(0), metavar="N", help="of initial values and order (default: 0)")


def add_rate(group: argparse._ActionsContainer, text: str) -> None:
    """The learning rate."""
    group.add_argument("--lr", type=Real(), metavar="RATE", help=text)


NUMBERS = {
    "momentum": (Real(1), "share of the last step that is kept"),
    "beta1": (Real(1), "memory of the mean gradient"),
    "beta2": (Real(1), "memory of the mean square"),
    "rho": (Real(1), "memory of the mean square"),
    "eps": (Real(), "keeps the rule from dividing by 0"),
}


def add_schedule_arguments(parser: argparse.ArgumentParser) -> None:
    """The learning rate over time."""
    group = parser.add_argument_group("learning rate over time")
    group.add_argument("--policy", type=policy_text, metavar="POLICY", help="see the policies below (default: fixed)")
    group.add_argument(
        "--warmup",
        type=length_text,
        metavar="LENGTH",
        help="rise to it first, for 5epochs or 500steps; then the policy begins",
    )


def add_loop_arguments(parser: argparse.ArgumentParser) -> None:
    """How long and how."""
    group = parser.add_argument_group("loop")
    add_epochs(group, f"default: 50; 5 from {LARGE:,} samples on; a ready-made net has its own")
    group.add_argument(
        "--iter-size", type=Whole(1), metavar="N", help="batches whose gradients make one step (default: 1)"
    )
    group.add_argument(
        "--average-decay",
        type=Real(1),
        metavar="D",
        help="test and keep the running average of the weights, such as 0.999 (default: the weights themselves)",
    )
    group.add_argument(
        "--patience",
        type=Whole(1),
        metavar="N",
        help="stop after N tests without a lower loss, and go back to the best weights",
    )
    group.add_argument(
        "--sync-batch-norm", action=YES_OR_NO, help="under mpiexec: batch statistics of all processes together"
    )


def add_epochs(group: argparse._ActionsContainer, text: str) -> None:
    """The length of a run."""
    group.add_argument("--epochs", type=Whole(1), metavar="N", help=text)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """What is told on the way."""
    group = parser.add_argument_group("reports")
    group.add_argument(
        "--test-interval",
        type=Whole(1),
        metavar="STEPS",
        help="test on the held-out samples (default: after each epoch)",
    )
    group.add_argument(
        "--average-loss", type=Whole(1), metavar="STEPS", help="show the mean loss of so many (default: 1)"
    )
    add_top_k(group)
    group.add_argument("--tensorboard", action=YES_OR_NO, help="write event files for TensorBoard (extra tensorboard)")


def add_top_k(group: argparse._ActionsContainer) -> None:
    """More than one chance for an answer."""
    group.add_argument(
        "--top-k",
        type=listed(Whole(1)),
        metavar="K",
        help="also count an answer among the K most probable; 3,5 for several",
    )


def add_snapshot_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What is kept on the way; whether anything is, ``train`` alone is asked."""
    group = parser.add_argument_group(
        "snapshots", "The whole state of a training, so that a run cut short goes on as if not."
    )
    group.add_argument(
        "--snapshot-every",
        type=Whole(1),
        metavar="STEPS",
        help="from one to the next (default: one after each epoch)",
    )
    group.add_argument("--keep", type=Whole(1), metavar="N", help="newest ones to keep (default: 3)")
    group.add_argument(
        "--snapshot-errors",
        choices=("stop", "go-on"),
        help="when one cannot be written, as on a full disk (default: stop)",
    )
    return group


def add_result_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What is left in the end."""
    group = parser.add_argument_group("results")
    group.add_argument("--plots", action=YES_OR_NO, help="draw pictures (default: yes; when a run goes on: as before)")
    return group
