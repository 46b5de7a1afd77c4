"""Whole Caffe nets: at their full size they load and run, at a small one their gradients are right."""

import caffe_nets
import numpy as np
import pytest

from handbrew.layers import Dropout
from handbrew.nets.caffe import load_caffe

# The nets and their small forms.
SMALL = {
    "alexnet": (caffe_nets.alexnet, {"size": 67, "thin": 24}),
    "caffenet": (caffe_nets.caffenet, {"size": 67, "thin": 24}),
    "googlenet": (caffe_nets.googlenet, {"size": 80, "thin": 12, "last": "global_pooling: true"}),
    "resnet": (caffe_nets.resnet, {"size": 49, "thin": 32, "blocks": (2, 1, 1, 1)}),
    "squeezenet": (caffe_nets.squeezenet, {"size": 35, "thin": 8}),
    "fcn": (caffe_nets.fcn, {"size": 32, "thin": 24, "kernel": 3, "classes": 4}),
}
CLASSES = 7


@pytest.mark.parametrize("name", SMALL)
def test_gradients(name):
    make, options = SMALL[name]
    net = load_caffe(make(**{"classes": CLASSES} | options), phase="train")
    net = net.astype(np.float64)
    rng = np.random.default_rng(0)
    size, classes = options["size"], options.get("classes", CLASSES)
    X = rng.uniform(-1, 1, (2, 3, size, size))
    y = rng.integers(0, classes, (2, size, size) if name == "fcn" else 2)
    net.forward(X, y)  # builds
    for layer in net.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    fill(net, rng)
    net.forward(X, y)
    net.backward()
    learnt = {path: p for path, p in net.params.items() if p.trainable}
    sizes = {path: np.abs(p.grad).max() for path, p in learnt.items()}
    assert np.mean([size > 1e-5 for size in sizes.values()]) > 0.9, "too few to be a test"
    wrong = {path: found for path, p in learnt.items() if (found := difference(net, X, y, p, rng)) > 1}
    assert not wrong


def fill(net, rng):
    """Values that let signals and gradients through, whatever the depth."""
    for name, p in net.params.items():
        if p.trainable and p.data.ndim == 1:
            p.data = rng.normal(0.1 if name.endswith(".b") else 1, 0.1, p.shape)
        elif p.trainable:
            fan_in = np.prod(p.shape[1:]) if p.data.ndim == 4 else p.shape[0]
            p.data = rng.normal(0, (2 / fan_in) ** 0.5, p.shape)


def difference(net, X, y, p, rng, count=6, step=1e-6):
    """How wrong the gradient is along some elements of a parameter that change at once; 1 is as much as may be."""
    chosen = rng.choice(p.data.size, min(count, p.data.size), replace=False)
    places = np.unravel_index(chosen, p.shape)
    direction, before = rng.uniform(0.5, 1, len(chosen)) * rng.choice([-1, 1], len(chosen)), p.data[places]
    losses = []
    for side in (step, -step):
        p.data[places] = before + side * direction
        losses.append(net.forward(X, y))
    p.data[places] = before
    numeric, analytic = (losses[0] - losses[1]) / (2 * step), p.grad[places] @ direction
    return abs(numeric - analytic) / (1e-5 * np.abs(p.grad).max() + 1e-8)


@pytest.mark.parametrize(
    ("make", "size", "outputs"),
    [
        (caffe_nets.alexnet, 227, {"fc8": (1000,)}),
        (caffe_nets.caffenet, 227, {"fc8": (1000,)}),
        (
            caffe_nets.googlenet,
            224,
            {f"loss{n}/classifier": (1000,) for n in (1, 2, 3)} | {"inception_3a/output": (256, 28, 28)},
        ),
        (caffe_nets.resnet, 224, {"res2a": (256, 56, 56), "res5c": (2048, 7, 7), "fc": (1000,)}),
        (caffe_nets.squeezenet, 227, {"fire9/concat": (512, 14, 14), "pool10": (1000, 1, 1)}),
        (caffe_nets.fcn, 224, {"score": (21, 224, 224)}),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_full_size(tmp_path, make, size, outputs):
    """Loaded from a file: one image goes through, and blobs have the shapes of the papers."""
    path = tmp_path / "train_val.prototxt"
    path.write_text(make(), encoding="utf-8")
    net = load_caffe(path, phase="train" if make is caffe_nets.resnet else "test")  # it has no statistics yet
    X = np.random.default_rng(0).uniform(-100, 100, (1, 3, size, size)).astype(np.float32)
    net.forward(X)
    for name, shape in outputs.items():
        found = net.blobs[name]
        assert found.shape == (1, *shape)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@pytest.mark.parametrize("phase", ["train", "test"])
def test_heads_of_googlenet(phase):
    """Three losses, two of which count 0.3; accuracies in the test phase only."""
    net = load_caffe(caffe_nets.googlenet(80, CLASSES, 32, "global_pooling: true"), phase=phase)
    assert net.training == (phase == "train")
    assert net.loss_weights == pytest.approx({"loss1": 0.3, "loss2": 0.3, "loss3": 1})
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 3, 80, 80)).astype(np.float32), np.array([0, 3, 6, 3])
    total = net.forward(X, y)
    losses = [net.blobs[f"loss{n}"] for n in (1, 2, 3)]
    assert total == pytest.approx(0.3 * losses[0] + 0.3 * losses[1] + losses[2])
    tops = {f"top{k}{n}" for k in (1, 5) for n in (1, 2, 3)}
    assert tops & net.blobs.keys() == (tops if phase == "test" else set())
    if phase == "test":
        scores = net.blobs["loss3/classifier"]
        assert net.blobs["top13"] == pytest.approx((scores.argmax(1) == y).mean())


def test_settings_of_parameters():
    net = load_caffe(caffe_nets.fcn(32, 4, 24, 3), phase="train")
    net.forward(np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 32, 32), int))
    params = net.params
    assert [params["conv1.W"].lr_mult, params["conv1.W"].decay_mult] == [1, 1]
    assert [params["conv1.b"].lr_mult, params["conv1.b"].decay_mult] == [2, 0]
    assert not params["upscore2.W"].trainable
    row = params["upscore2.W"].data[0, 0, 0] / params["upscore2.W"].data[0, 0].max()
    np.testing.assert_allclose(row, np.array([0.25, 0.75, 0.75, 0.25]) * 0.25 / 0.5625, rtol=1e-6)
