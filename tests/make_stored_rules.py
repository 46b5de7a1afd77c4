"""Make stored_rules.json, what PyTorch's solvers do with the problem of reference_rules: needs torch.

python tests/make_stored_rules.py
"""

import json
from pathlib import Path

import torch
from reference_rules import START, gradients

AT = (1, 10, 100)
NESTEROV = {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}
MOMENTUM = NESTEROV | {"nesterov": False}
FAR = {"lr": 0.05, "eps": 0.1, "weight_decay": 0.3}  # eps and decay large enough to matter
# A class of ours with its options, and PyTorch's with its own.
CASES = [
    ("SGD", {"lr": 0.05}, "SGD", {"lr": 0.05}),
    ("SGD", MOMENTUM, "SGD", MOMENTUM),
    ("SGD", NESTEROV, "SGD", NESTEROV),
    ("AdaGrad", {"lr": 0.1}, "Adagrad", {"lr": 0.1, "eps": 1e-8}),
    ("AdaGrad", FAR, "Adagrad", FAR),
    ("RMSProp", {}, "RMSprop", {"lr": 0.001}),
    ("RMSProp", FAR | {"rho": 0.9}, "RMSprop", FAR | {"alpha": 0.9}),
    ("AdaDelta", {}, "Adadelta", {"rho": 0.95}),
    ("AdaDelta", FAR | {"rho": 0.9}, "Adadelta", FAR),
    ("Adam", {"eps_corrected": True}, "Adam", {}),
    ("Adam", FAR | {"beta1": 0.8, "beta2": 0.95, "eps_corrected": True}, "Adam", FAR | {"betas": (0.8, 0.95)}),
    ("AdamW", {}, "AdamW", {}),
    ("AdamW", FAR | {"beta1": 0.8, "beta2": 0.95}, "AdamW", FAR | {"betas": (0.8, 0.95)}),
]


def course(name, options):
    """The numbers after some of the steps."""
    numbers = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    solver, found = getattr(torch.optim, name)([numbers], **options), {}
    for t in range(1, max(AT) + 1):
        numbers.grad = torch.tensor(gradients(numbers.tolist(), t), dtype=torch.float64)
        solver.step()
        if t in AT:
            found[t] = numbers.tolist()
    return found


def main():
    cases = [
        {"rule": ours, "options": options, "PyTorch": theirs, "numbers": course(theirs, their_options)}
        for ours, options, theirs, their_options in CASES
    ]
    text = json.dumps({"PyTorch": torch.__version__, "cases": cases}, indent=1)
    Path(__file__).with_name("stored_rules.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
