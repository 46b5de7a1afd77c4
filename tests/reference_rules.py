"""The update rules as in their papers and in Caffe: one number at a time, in plain Python.

Each rule is a function of the gradient ``g`` of one number, what it keeps of that number (a dict, empty at first),
the number ``t`` of the step, from 1 on, and its options. It returns what is subtracted from the number.
"""

from math import copysign, sin, sqrt


def sgd(g, kept, t, lr, momentum=0.0, nesterov=False):
    old = kept.get("v", 0.0)
    v = kept["v"] = momentum * old + lr * g
    return (1 + momentum) * v - momentum * old if nesterov else v


def adagrad(g, kept, t, lr, eps=1e-8, eps_inside=False):
    h = kept["h"] = kept.get("h", 0.0) + g**2
    return lr * g / root(h, eps, eps_inside)


def rmsprop(g, kept, t, lr, rho=0.99, eps=1e-8, eps_inside=False):
    h = kept["h"] = rho * kept.get("h", 0.0) + (1 - rho) * g**2
    return lr * g / root(h, eps, eps_inside)


def adadelta(g, kept, t, lr, rho=0.95, eps=1e-6):
    h = kept["h"] = rho * kept.get("h", 0.0) + (1 - rho) * g**2
    u = sqrt(kept.get("U", 0.0) + eps) / sqrt(h + eps) * g
    kept["U"] = rho * kept.get("U", 0.0) + (1 - rho) * u**2
    return lr * u


def adam(g, kept, t, lr, beta1=0.9, beta2=0.999, eps=1e-8, eps_corrected=False):
    m = kept["m"] = beta1 * kept.get("m", 0.0) + (1 - beta1) * g
    v = kept["v"] = beta2 * kept.get("v", 0.0) + (1 - beta2) * g**2
    if eps_corrected:
        return lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)
    return lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)


def root(h, eps, eps_inside):
    return sqrt(h + eps) if eps_inside else sqrt(h) + eps


def train(
    rule,
    start,
    gradients,
    steps,
    *,
    lr,
    weight_decay=0.0,
    l1=0.0,
    clip_norm=None,
    decoupled=False,
    mults=(),
    **options,
):
    """Return a list of numbers after so many steps: clip, regularise, rule.

    ``gradients(numbers, t)`` returns their gradients; ``mults`` has a pair (lr_mult, decay_mult) for each.
    """
    numbers, kept = list(start), [{} for _ in start]
    mults = mults or [(1.0, 1.0)] * len(numbers)
    for t in range(1, steps + 1):
        gs = gradients(numbers, t)
        norm = sqrt(sum(g**2 for g in gs))
        if clip_norm is not None and norm > clip_norm:
            gs = [g * clip_norm / norm for g in gs]
        for i, (w, g, (lr_mult, decay_mult)) in enumerate(zip(numbers, gs, mults, strict=True)):
            if w:
                g += l1 * decay_mult * copysign(1, w)
            if decoupled:
                numbers[i] -= lr * lr_mult * weight_decay * decay_mult * w
            else:
                g += weight_decay * decay_mult * w
            numbers[i] -= rule(g, kept[i], t, lr * lr_mult, **options)
    return numbers


# A problem for all tests of rules: seven numbers, whose gradients change sign, size and course.
START = [1.5, -0.7, 0.3, 2.0, -1.1, 0.05, -3.0]
CURVATURES = [2.0, 0.5, 1.0, 0.02, 5.0, 0.3, 1.5]


def gradients(numbers, t):
    """A valley with walls of unlike steepness, coupled numbers, and noise that no generator has to repeat."""
    total = sum(numbers)
    return [
        curvature * w + 0.2 * total - 0.4 + 0.5 * sin(t * (i + 1))
        for i, (w, curvature) in enumerate(zip(numbers, CURVATURES, strict=True))
    ]
