"""``fit`` on several ranks is ``fit`` on one, to rounding."""

import numpy as np

from handbrew.data import Batches, Dataset
from handbrew.layers import (
    Affine,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    MeanSquaredError,
    ReLU,
    SoftmaxCrossEntropy,
)
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Adam

N = 37  # in batches of 10, the last has 7


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def images(n=N):
    return normal(n, 2, 8, 7), np.random.default_rng(1).integers(0, 4, n)


def convnet(*middle, dtype=np.float64):
    return Sequential(
        Conv2D(4, 3, bias=False), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Affine(8, bias=False), BatchNorm(),
        ReLU(), *middle, Affine(4), SoftmaxCrossEntropy(), seed=0,
    ).astype(dtype)  # fmt: skip


def fit(net, data, comm=None, make=SGD, epochs=25, batch_size=10, rate=0.05, options=None, **more):
    """Train; return the solver and what it has achieved."""
    solver = make(net, rate, comm=comm, sync_batch_norm=comm is not None, **(options or {}))
    history = solver.fit(data, epochs=epochs, batch_size=batch_size, progress=False, **more)
    return solver, history


def compare(ranks, make_net, data, **options):
    """Both ways of training, compared."""
    alone, net = make_net(), make_net()
    expected = fit(alone, data, **options)[1]
    solver, history = fit(net, data, ranks.comm, **options)
    for name, array in net.state().items():
        whole = alone.state()[name]
        np.testing.assert_allclose(array, whole, rtol=1e-12, atol=1e-12 * np.abs(whole).max(), err_msg=name)
        assert (ranks.stack(array) == array).all()
    np.testing.assert_allclose([e.loss for e in history], [e.loss for e in expected], rtol=1e-12)
    return solver


def check_100_steps_are_those_of_one_process(ranks):
    solver = compare(ranks, convnet, images(), options={"momentum": 0.9, "weight_decay": 1e-4})
    assert solver.steps == 100


def check_adam_and_clipping(ranks):
    compare(ranks, convnet, images(), make=Adam, rate=1e-3, epochs=5)
    compare(ranks, convnet, images(), epochs=5, options={"clip_norm": 0.1})


def check_some_parts_are_empty(ranks):
    """Batches of 2, and a last one of 1, on up to 4 ranks."""

    def small():
        net = Sequential(
            Conv2D(4, 3, bias=False), BatchNorm(), ReLU(), Flatten(), Affine(4), SoftmaxCrossEntropy(), seed=0
        )
        return net.astype(np.float64)

    compare(ranks, small, images(), batch_size=2, epochs=2, rate=0.01)


def check_accumulation_over_uneven_batches(ranks):
    compare(ranks, convnet, images(), iter_size=3, epochs=10)


def check_weights_and_sums(ranks):
    X, y = images()
    weight = np.random.default_rng(2).integers(0, 3, N).astype(float)
    compare(ranks, convnet, Dataset(X, y, weight=weight), epochs=5)

    def summed():
        return Sequential(Affine(3), ReLU(), Affine(2), MeanSquaredError(reduction="sum"), seed=0).astype(np.float64)

    compare(ranks, summed, (normal(N, 5), normal(N, 2, seed=1)), rate=1e-3, epochs=10)


def check_ranks_with_statistics_of_their_own_hold_one_state(ranks):
    net = convnet(Dropout())
    solver = SGD(net, 0.05, momentum=0.9, comm=ranks.comm)
    history = solver.fit(images(40), images(20), epochs=3, batch_size=10, progress=False)
    for array in net.state().values():
        assert (ranks.stack(array) == array).all()
    looks = np.array([row.validation_loss for row in history])
    assert (ranks.stack(looks) == looks).all()


class Cast(Layer):
    """From one precision to the other, and back."""

    def __init__(self, dtype):
        self.to = dtype

    def forward(self, x):
        self.cache.dtype = x.dtype
        return x.astype(self.to)

    def backward(self, dy):
        return dy.astype(self.cache.dtype)


def check_parameters_of_two_dtypes(ranks):
    """Two messages, in the same order on all ranks."""

    def make():
        layers = [Affine(6), ReLU(), Cast("float64"), Affine(40), ReLU(), Affine(3), SoftmaxCrossEntropy()]
        net = Sequential(*layers, seed=0)
        for layer in layers[3:]:
            layer.astype(np.float64)
        return net

    data, nets = (normal(N, 5), np.random.default_rng(1).integers(0, 3, N)), (make(), make())
    fit(nets[0], data, epochs=5)
    fit(nets[1], data, ranks.comm, epochs=5)
    assert len({p.data.dtype for p in nets[1].params.values()}) == 2
    for name, array in nets[1].state().items():
        np.testing.assert_allclose(array, nets[0].state()[name], rtol=1e-3, atol=1e-5, err_msg=name)
        assert (ranks.stack(array) == array).all()


def check_statistics_of_a_rank_without_samples_do_not_count(ranks):
    x = np.array([[3.0, -1.0], [5.0, 7.0]])
    net = Sequential(BatchNorm(momentum=0.0), Affine(2), MeanSquaredError(), seed=0).astype(np.float64)
    net.build((2,))
    solver = SGD(net, 0.0, comm=ranks.comm)
    solver.ranks.samples = 2 * (ranks.rank == 0)
    net.forward(*(x, x) if ranks.rank == 0 else (x * 100, x))
    net.backward()
    solver.step()
    np.testing.assert_allclose(net.buffers["batchnorm1.mean"].data, x.mean(axis=0), rtol=1e-12)


def check_the_users_batches_go_on(ranks):
    X, y = normal(N, 5), np.random.default_rng(1).integers(0, 3, N)
    batches, alone = Batches(X, y, batch_size=10), Batches(X, y, batch_size=10)
    nets = [Sequential(Affine(3), SoftmaxCrossEntropy(), seed=0).astype(np.float64) for _ in range(2)]
    solvers = SGD(nets[0], 0.1), SGD(nets[1], 0.1, comm=ranks.comm)
    for _ in range(3):
        solvers[0].fit(alone, epochs=1, progress=False)
        solvers[1].fit(batches, epochs=1, progress=False)
        assert batches.state() == alone.state()
    np.testing.assert_allclose(nets[1].state()["affine1.W"], nets[0].state()["affine1.W"], rtol=1e-12)


def check_all_start_like_rank_0(ranks):
    net = convnet()
    net.build((2, 8, 7))
    if ranks.rank:
        for p in net.params.values():
            p.data += normal(*p.shape)
    fit(net, images(), ranks.comm, epochs=1)
    alone = convnet()
    fit(alone, images(), epochs=1)
    for name, array in net.state().items():
        np.testing.assert_allclose(array, alone.state()[name], rtol=1e-12, atol=1e-12, err_msg=name)
