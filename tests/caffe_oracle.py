"""Caffe's solver, written out in plain NumPy for one small net, by what is known of Caffe and without handbrew.

The net: ip1 (4 units), TanH, ip2 (2 units), EuclideanLoss. Weights as Caffe keeps them, (outputs, inputs).
"""

import numpy as np

LR_MULT = {"ip1.W": 1, "ip1.b": 2, "ip2.W": 0.5, "ip2.b": 0}
DECAY_MULT = {"ip1.W": 1, "ip1.b": 0, "ip2.W": 3, "ip2.b": 1}


def loss_and_gradients(w, X, Y):
    hidden = np.tanh(X @ w["ip1.W"].T + w["ip1.b"])
    wrong = hidden @ w["ip2.W"].T + w["ip2.b"] - Y
    d = wrong / len(X)
    dh = d @ w["ip2.W"] * (1 - hidden**2)
    grads = {"ip1.W": dh.T @ X, "ip1.b": dh.sum(0), "ip2.W": d.T @ hidden, "ip2.b": d.sum(0)}
    return (wrong**2).sum() / (2 * len(X)), grads


def rate(p, it):
    """base_lr over the iterations, by lr_policy."""
    base, gamma, power = p.get("base_lr"), p.get("gamma"), p.get("power")
    match p["lr_policy"]:
        case "fixed":
            return base
        case "step":
            return base * gamma ** (it // p["stepsize"])
        case "exp":
            return base * gamma**it
        case "inv":
            return base * (1 + gamma * it) ** -power
        case "multistep":
            return base * gamma ** sum(it >= value for value in p["stepvalue"])
        case "poly":
            return base * (1 - it / p["max_iter"]) ** power
        case "sigmoid":
            return base / (1 + np.exp(-gamma * (it - p["stepsize"])))


def train(p, w, batches):
    """Follow section "Solver" of Caffe's behaviour: return the losses; ``w`` is changed. ``batches`` is a list of
    (X, Y), ``iter_size`` of them for each iteration."""
    p = {
        "iter_size": 1,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "regularization_type": "L2",
        "clip_gradients": -1,
        "delta": 1e-8,
        "momentum2": 0.999,
        "rms_decay": 0.99,
        **p,
    }
    history = {name: [np.zeros_like(w[name]), np.zeros_like(w[name])] for name in w}
    losses, passes = [], iter(batches)
    for it in range(len(batches) // p["iter_size"]):
        total, diff = 0.0, {name: np.zeros_like(w[name]) for name in w}
        for _ in range(p["iter_size"]):
            loss, grads = loss_and_gradients(w, *next(passes))
            total += loss / p["iter_size"]
            for name in w:
                if LR_MULT[name]:  # without a rate there is no gradient
                    diff[name] += grads[name]
        losses.append(total)
        norm = np.sqrt(sum((d**2).sum() for d in diff.values()))
        if 0 <= p["clip_gradients"] < norm:
            for name in w:
                diff[name] *= p["clip_gradients"] / norm
        for name in w:
            g = diff[name] / p["iter_size"]
            decay = p["weight_decay"] * DECAY_MULT[name]
            g = g + decay * (w[name] if p["regularization_type"] == "L2" else np.sign(w[name]))
            w[name] -= step(p, history[name], g, rate(p, it) * LR_MULT[name], it)
    return losses


def step(p, h, g, lr, it):
    """What is taken off the weights; the two histories are changed."""
    mu, delta = p["momentum"], p["delta"]
    match p["type"]:
        case "SGD":
            h[0] = mu * h[0] + lr * g
            return h[0]
        case "Nesterov":
            old = h[0]
            h[0] = mu * h[0] + lr * g
            return (1 + mu) * h[0] - mu * old
        case "AdaGrad":
            h[0] = h[0] + g * g
            return lr * g / (np.sqrt(h[0]) + delta)
        case "RMSProp":
            h[0] = p["rms_decay"] * h[0] + (1 - p["rms_decay"]) * g * g
            return lr * g / (np.sqrt(h[0]) + delta)
        case "AdaDelta":
            h[0] = mu * h[0] + (1 - mu) * g * g
            u = g * np.sqrt((h[1] + delta) / (h[0] + delta))
            h[1] = mu * h[1] + (1 - mu) * u * u
            return lr * u
        case "Adam":
            b1, b2, t = mu, p["momentum2"], it + 1
            h[0] = b1 * h[0] + (1 - b1) * g
            h[1] = b2 * h[1] + (1 - b2) * g * g
            return lr * np.sqrt(1 - b2**t) / (1 - b1**t) * h[0] / (np.sqrt(h[1]) + delta)


RULES = [
    {"type": "SGD", "base_lr": 0.2, "momentum": 0.9},
    {"type": "Nesterov", "base_lr": 0.2, "momentum": 0.9},
    {"type": "AdaGrad", "base_lr": 0.1, "delta": 1e-3},
    {"type": "RMSProp", "base_lr": 0.05, "rms_decay": 0.9, "delta": 1e-2},
    {"type": "AdaDelta", "base_lr": 1.0, "momentum": 0.95, "delta": 1e-3},
    {"type": "Adam", "base_lr": 0.05, "momentum": 0.9, "momentum2": 0.99, "delta": 1e-2},
]
POLICIES = [
    {"lr_policy": "fixed"},
    {"lr_policy": "step", "gamma": 0.5, "stepsize": 3},
    {"lr_policy": "exp", "gamma": 0.9},
    {"lr_policy": "inv", "gamma": 0.1, "power": 0.75},
    {"lr_policy": "multistep", "gamma": 0.5, "stepvalue": [2, 5]},
    {"lr_policy": "poly", "power": 2.0, "max_iter": 8},
    {"lr_policy": "sigmoid", "gamma": -0.5, "stepsize": 4},
]
# What happens to the gradients before a rule sees them. The norms here are between 0.3 and 2.
REST = [
    {},
    {"weight_decay": 0.05},
    {"weight_decay": 0.02, "regularization_type": "L1"},
    {"iter_size": 3},
    {"clip_gradients": 0.3},
    {"iter_size": 3, "clip_gradients": 0.9, "weight_decay": 0.05},
    {"iter_size": 2, "clip_gradients": 0.4, "weight_decay": 0.02, "regularization_type": "L1"},
]


def start(seed=0):
    """Weights and batches to begin with: as many batches as 8 iterations of 3 passes need."""
    rng = np.random.default_rng(seed)
    shapes = {"ip1.W": (4, 5), "ip1.b": (4,), "ip2.W": (2, 4), "ip2.b": (2,)}
    w = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    X, Y = rng.standard_normal((21, 5)).astype(np.float32), rng.standard_normal((21, 2)).astype(np.float32)
    return w, X, Y


def batches(X, Y, count, size=6):
    """Six samples at a time, again from the first after the last."""
    rows = [np.arange(i * size, (i + 1) * size) % len(X) for i in range(count)]
    return [(X[at].astype(np.float64), Y[at].astype(np.float64)) for at in rows]
