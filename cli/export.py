"""The verb ``export``: write a trained net as one Python file that needs NumPy only."""

from __future__ import annotations

import argparse
from pathlib import Path

from .net_file import KINDS, add_file_arguments, check_shape, open_net, weights_beside
from .run_folder import Run
from .task import Scale

EPILOG = """examples:
  handbrew export run/ -o net.py              net.py, and the weights in net.npz
  python net.py                               does it compute what the run's net does?
  handbrew export run/ -o net.py --backward   with the gradients too
  handbrew export lenet.prototxt -o lenet.py  a model of Caffe's, with the weights of lenet.caffemodel beside it
  handbrew export deploy.prototxt --weights lenet_iter_10000.caffemodel -o lenet.py
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help=f"folder that handbrew train left, or a file with a net: {KINDS}"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("net.py"), metavar="FILE", help="ends in .py (default: net.py)"
    )
    add_file_arguments(parser)
    parser.add_argument("--backward", action="store_true", help="write the loss and the gradients too")


def run(args: argparse.Namespace) -> None:
    """Write the file and its weights."""
    from handbrew.nets import export_numpy

    output: Path = args.output
    _refuse_to_replace(output)
    if args.folder.is_file():
        _refuse_untrained(args.folder, args.weights)
        net = open_net(args.folder, args.weights, args.input)
        check_shape(net, args.folder)
        export_numpy(net, output, args.backward)
    else:
        if args.weights is not None or args.input is not None:
            raise ValueError("--weights and --input go with a net's file, and not with a run")
        finished = Run.open(args.folder)
        task = finished.task
        export_numpy(
            finished.net,
            output,
            args.backward,
            scale=_pair(task.scale),
            classes=task.classes,
            target_scale=_pair(task.target_scale),
            pixels=task.scale is None,
        )
    print(
        f"{output}, with the weights in {output.with_suffix('.npz')}; python {output} compares it with handbrew's net"
    )


def _refuse_untrained(path: Path, weights: Path | None) -> None:
    """Raise a ``ValueError`` for a prototxt alone: nobody wants a net of random numbers written."""
    if path.suffix.lower() == ".prototxt" and weights is None and weights_beside(path) is None:
        raise ValueError(f"{path}: no {path.stem}.caffemodel beside it, and so no weights; name them with --weights")


def _pair(scale: Scale | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    return None if scale is None else (scale.mean, scale.deviation)


def _refuse_to_replace(output: Path) -> None:
    """Raise FileExistsError if anything but an earlier export stands where the two files are to go."""
    if output.is_file() and b"exported by handbrew" in output.read_bytes()[:200]:
        return
    for path in (output, output.with_suffix(".npz")):
        if path.exists():
            raise FileExistsError(f"{path}: is there already and no net that was exported; choose another --output")
