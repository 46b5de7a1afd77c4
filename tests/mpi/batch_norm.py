"""Synchronised statistics: several ranks with parts of a batch are one process with all of it."""

import numpy as np

from handbrew.layers import Affine, BatchNorm, Conv2D, Flatten, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential

N = 11


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def cuts(size):
    """Ways to cut N samples into as many parts, some of them empty."""
    rng = np.random.default_rng(size)
    even = [N * r // size for r in range(1, size)]
    return [even, [0] * (size - 1), [N] * (size - 1), *(sorted(rng.integers(0, N + 1, size - 1)) for _ in range(4))]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max(initial=0))


def layer_of(shape, affine):
    layer = BatchNorm(affine=affine).astype(np.float64)
    layer.build(shape)
    for i, p in enumerate(layer.params.values()):
        p.data = normal(shape[0], seed=i)
    return layer


def check_the_layer(ranks):
    for shape in ((4,), (4, 3), (4, 3, 5)):
        for affine in (True, False):
            for cut in cuts(ranks.size):
                x, dy = 3 + normal(N, *shape), normal(N, *shape, seed=1)
                whole, layer = layer_of(shape, affine), layer_of(shape, affine)
                ranks.synchronise(layer)
                part = slice(*[0, *cut, N][ranks.rank : ranks.rank + 2])
                close(layer.forward(x[part]), whole.forward(x)[part])
                close(layer.backward(dy[part]), whole.backward(dy)[part])
                for name, p in layer.params.items():
                    ranks.sum(p.grad)
                    close(p.grad, whole.params[name].grad)
                for name, b in layer.buffers.items():
                    close(b.data, whole.buffers[name].data)
                    assert (ranks.stack(b.data) == b.data).all()


def make_net(dtype=np.float64):
    net = Sequential(
        Conv2D(3, 3, bias=False), BatchNorm(), ReLU(), Flatten(), Affine(6, bias=False), BatchNorm(), ReLU(), Affine(3),
        SoftmaxCrossEntropy(), seed=0,
    ).astype(dtype)  # fmt: skip
    net.build((2, 6, 5))
    return net


def check_gradients_of_a_net(ranks):
    """Each rank weights its gradients by the share of its part in the mean."""
    X, y = normal(N, 2, 6, 5), np.arange(N) % 3
    for cut in cuts(ranks.size):
        whole, net = make_net(), make_net()
        ranks.synchronise(net)
        expected = whole.forward(X, y)
        whole.backward()
        part = slice(*[0, *cut, N][ranks.rank : ranks.rank + 2])
        loss = net.forward(X[part], y[part])
        share = net.loss.share(len(y[part]))
        net.backward(share / 4)
        sums = np.array([loss * share, share])
        ranks.sum(sums)
        close(sums[0] / sums[1], expected)
        for name, p in net.params.items():
            ranks.sum(p.grad)
            close(p.grad / (sums[1] / 4), whole.params[name].grad)


def check_nobody_waits_where_nothing_is_shared(ranks):
    """In use, and apart, ranks may run as many passes as each wants."""
    net = make_net()
    ranks.synchronise(net)
    net.eval()
    for _ in range(ranks.rank):
        net.forward(normal(2, 2, 6, 5))
    net.train()
    with ranks.apart(net):
        for _ in range(ranks.rank):
            net.forward(normal(2, 2, 6, 5), np.arange(2))
            net.backward()
    assert all(layer.across == ranks.stack for layer in net.layers if isinstance(layer, BatchNorm))
