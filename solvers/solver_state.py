"""A solver's state as plain values and arrays, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import Param, StateError

from .identity import changes

if TYPE_CHECKING:
    from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]


def solver_state(solver: Solver) -> dict[str, Any]:
    """See ``Solver.state``."""
    carried = solver.carried_state()
    policy = solver.policy
    return {
        "rule": type(solver).__name__,
        "settings": solver.settings(),
        "steps": solver.steps,
        "lr": solver.lr_text if policy else solver.lr,
        "policy": policy.state() if policy else None,
        "arrays": {path: carried[p] for path, p in solver.net.params.items() if p in carried},
    }


def restore_solver(solver: Solver, state: Mapping[str, Any]) -> list[str]:
    """See ``Solver.restore``."""
    params = solver.net.params
    wrong = []
    if state["rule"] != type(solver).__name__:
        wrong.append(f"the rule was {state['rule']}, here it is {type(solver).__name__}")
    for path, arrays in state["arrays"].items():
        wrong += _misfits(solver, path, arrays, params)
    if wrong:
        raise StateError(f"{type(solver).__name__}: this is the state of another solver\n  " + "\n  ".join(wrong))
    differ = [
        f"{name.removeprefix('given_')} was {was}; here it is {now}, which counts from now on"
        for name, was, now in changes(state["settings"], solver.settings())
    ]
    differ += _restore_rate(solver, state)
    solver.carry({params[path]: dict(arrays) for path, arrays in state["arrays"].items()})
    solver.steps = int(state["steps"])
    return differ


def _restore_rate(solver: Solver, state: Mapping[str, Any]) -> list[str]:
    """Go on with the rate as it was, unless another one was asked for here."""
    if solver.lr_text != solver.given_lr:
        return [f"lr was {state['lr']}; here it has been set to {solver.lr_text}, which counts from now on"]
    if state["settings"].get("given_lr") != solver.given_lr:
        return []
    if not isinstance(state["lr"], str):
        solver.lr = float(state["lr"])  # set on the way, perhaps
    elif solver.policy is not None and state["lr"] == solver.lr_text:
        solver.policy.restore(state["policy"])
    else:
        return [f"lr had been set to {state['lr']} on the way, here it is {solver.lr_text}"]
    return []


def _misfits(solver: Solver, path: str, arrays: Mapping[str, Array], params: Mapping[str, Param]) -> list[str]:
    if path not in params:
        return [f"unknown: {path}"]
    return [
        f"{path}: expected {solver.state_arrays} of shape {params[path].shape}, got {name} {np.shape(values)}"
        for name, values in arrays.items()
        if name not in solver.state_arrays or np.shape(values) != params[path].shape
    ]
