"""The learning-rate range test: against a plain loop, on problems that one knows, and without a trace."""

import copy

import numpy as np
import pytest

from handbrew.data import Batches, Dataset, blobs, digits
from handbrew.layers import Affine, BatchNorm, Dropout, MeanSquaredError, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Cosine, RangeTest, find_lr
from handbrew.solvers.range_test import _smooth, _suggest


def make_net(classes=3, seed=0):
    return Sequential(Affine(32), ReLU(), Affine(classes), SoftmaxCrossEntropy(), seed=seed)


def loop(solver, batches, rates):
    """The losses of training with one rate after the other."""
    losses = []
    while True:
        for X, y in batches:
            if len(losses) == len(rates):
                return losses
            losses.append(solver.net.forward(X, y))
            solver.net.backward()
            solver.lr = rates[len(losses) - 1]
            solver.step()


@pytest.mark.parametrize("train", ["pair", "data set", "batches"])
def test_it_is_the_loop_written_out(train):
    data = blobs(90, seed=1)  # three batches an epoch: it takes many epochs
    batches = Batches(data, batch_size=30, seed=4)
    given = {"pair": (data.X, data.y), "data set": data, "batches": batches}[train]
    result = find_lr(SGD(make_net(), momentum=0.9), given, low=1e-5, high=0.1, steps=40, batch_size=30, seed=4)
    rates = [1e-5 * 1e4 ** (i / 39) for i in range(40)]
    assert result.rates == pytest.approx(rates)
    assert result.losses.tolist() == loop(SGD(make_net(), momentum=0.9), batches, result.rates.tolist())
    assert result.limit is None


def problem(kind, seed):
    """A net without training, and data for it."""
    if kind == "blobs":
        return make_net(seed=seed), blobs(seed=seed)
    if kind == "regression":
        X = np.random.default_rng(seed).normal(size=(400, 5)).astype(np.float32)
        target = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
        return Sequential(Affine(32), ReLU(), Affine(2), MeanSquaredError(), seed=seed), Dataset(X, target)
    hidden = [layer for _ in range(3) for layer in (Affine(48), BatchNorm(), ReLU())]
    layers = hidden if kind == "deep" else [Affine(64), ReLU()]
    return Sequential(*layers, Affine(10), SoftmaxCrossEntropy(), seed=seed), digits()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["digits", "deep", "blobs", "regression"])
def test_training_with_the_suggestion_works(kind, seed, momentum):
    net, data = problem(kind, seed)
    result = find_lr(SGD(net, momentum=momentum), data, seed=seed)
    low, high = {"digits": (0.02, 0.5), "deep": (0.01, 0.3), "blobs": (1e-5, 0.05), "regression": (1e-3, 0.3)}[kind]
    assert low < result.suggestion < high
    assert result.suggestion < (result.limit or np.inf)
    before = net.evaluate(*data).loss
    SGD(net, lr=result.suggestion, momentum=momentum).fit(data, epochs=10, progress=False)
    assert net.evaluate(*data).loss < 0.5 * before


def noisy_net():
    return Sequential(Affine(16), BatchNorm(), ReLU(), Dropout(0.5), Affine(3), SoftmaxCrossEntropy(), seed=3)


def test_the_solver_its_net_and_the_batches_stay_as_they_are():
    """To the bit, whatever training comes after."""
    ends = []
    for tested in (False, True):
        net, batches = noisy_net(), Batches(blobs(), batch_size=50, seed=1)
        solver = SGD(net, lr=0.1, momentum=0.9)
        for step, (X, y) in enumerate(batches):
            if step == 2 and tested:
                X0, state, position = X.copy(), net.state(), batches.state()
                find_lr(solver, batches)
                np.testing.assert_array_equal(X, X0)
                assert batches.state() == position
                assert (solver.lr, solver.steps) == (0.1, 2)
                for path, array in net.state().items():
                    np.testing.assert_array_equal(array, state[path])
            net.forward(X, y)
            if step == 4 and tested:
                find_lr(solver, batches)  # between forward and backward
            net.backward()
            solver.step()
        ends.append(net.state())
    for path, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][path])


def test_a_policy_is_set_aside_in_the_copy_only():
    policy = Cosine(0.1, 100)
    solver = SGD(make_net(), lr=policy)
    found, plain = find_lr(solver, blobs()), find_lr(SGD(make_net()), blobs())
    np.testing.assert_array_equal(found.losses, plain.losses)
    assert solver.policy is policy
    assert solver.lr == 0.1


def test_an_unbuilt_net_stays_unbuilt():
    net = make_net()
    find_lr(SGD(net), blobs())
    assert net.in_shape is None


def test_twice_is_the_same():
    first, second = (find_lr(SGD(noisy_net(), momentum=0.9), blobs(), seed=2) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = find_lr(SGD(noisy_net(), momentum=0.9), blobs(), seed=3)
    assert not np.array_equal(other.losses, first.losses)


def test_smoothing_is_an_average_weighted_by_a_triangle():
    losses, width = np.random.default_rng(0).normal(size=30), 4
    expected = []
    for i in range(30):
        weights = {j: width + 1 - abs(i - j) for j in range(30) if abs(i - j) <= width}
        expected.append(sum(w * losses[j] for j, w in weights.items()) / sum(weights.values()))
    assert _smooth(losses, width) == pytest.approx(expected)


@pytest.mark.parametrize("centre", [1e-4, 3e-3, 0.1])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_suggestion_of_a_curve_that_one_knows(centre, noise):
    """It falls from 2 to 1 about a rate, at which it is steepest, and rises again a thousand times higher."""
    rates = np.geomspace(1e-6, 1e3, 180)
    decades = np.log10(rates / centre)
    losses = 1 + 1 / (1 + np.exp(6 * decades)) + np.exp(6 * (decades - 3)).clip(max=2)
    losses += noise * np.random.default_rng(0).normal(size=180)
    smoothed = _smooth(losses, 9)
    assert abs(np.log10(_suggest(rates, losses, smoothed) / centre)) < 0.15


def test_no_suggestion_where_nothing_falls():
    net = make_net(10)
    solver = SGD(net, lr=0.1, momentum=0.9)
    found = find_lr(solver, digits(), low=1e-12, high=1e-9)
    assert found.suggestion is None
    assert found.limit is None
    assert str(found) == (
        "no suggestion: from 1e-12 to 1e-09, the loss fell no more than it scatters; "
        "try other rates, more steps or larger batches\nthe loss never ran away, up to 1e-09"
    )
    solver.fit(digits(), epochs=20, progress=False)
    assert find_lr(solver, digits()).suggestion is None  # trained: it can only get worse


def test_it_ends_when_the_loss_runs_away():
    found = find_lr(SGD(make_net(10), momentum=0.9), digits(), high=1e6, steps=200)
    assert found.limit < 100
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 200
    assert found.rates[-1] < found.limit
    assert np.isfinite(found.losses).all()
    assert str(found) == (
        f"suggested learning rate: {found.suggestion:.2g}, halfway down the fall of the loss\n"
        f"the loss ran away at {found.limit:.2g}"
    )


class Ramp(MeanSquaredError):
    """A loss that says what the test wants it to say."""

    said = ()

    def forward(self, scores, target, weight=None):
        super().forward(scores, target)
        value, self.said = self.said[0], self.said[1:]
        return value


def said(losses, **options):
    """What ``find_lr`` makes of these losses; the first ten come from before the first step."""
    loss = Ramp()
    loss.said = tuple(losses)
    X = np.ones((20, 2), np.float32)
    return find_lr(SGD(Sequential(Affine(2), loss)), (X, X), batch_size=2, **options)


@pytest.mark.parametrize("last", [np.inf, np.nan, -np.inf, 1e300, 1e3])
def test_one_loss_that_is_not_finite_or_enormous_ends_it(last):
    found = said([1.0] * 30 + [last])
    assert found.losses.tolist() == [1.0] * 20
    assert found.limit == np.geomspace(1e-6, 10, 100)[20]


def test_a_mean_four_times_the_lowest_ends_it():
    before, mean, steps = [1.0] * 30, 1.0, 0
    while mean <= 4:
        mean, steps = 0.9 * mean + 0.1 * 6, steps + 1
    found = said(before + [6.0] * 50)
    assert len(found.losses) == 20 + steps - 1
    assert len(said(before + [3.9] * 80).losses) == 100
    assert len(said([-1.0] * 110).losses) == 100  # four times a negative one would be lower


def test_one_lucky_batch_is_no_standard():
    assert len(said([1.0] * 10 + [0.01] + [1.0] * 99).losses) == 100


def test_a_gradient_that_is_not_finite_ends_it_too():
    class Steep(Ramp):
        def backward(self, dloss=1.0):
            return super().backward(np.nan if len(self.said) < 50 else dloss)

    loss = Steep()
    loss.said = (1.0,) * 110
    X = np.ones((20, 2), np.float32)
    found = find_lr(SGD(Sequential(Affine(2), loss), clip_norm=1.0), (X, X), batch_size=2)
    assert len(found.losses) == 51
    assert found.limit == found.rates[-1]


@pytest.mark.filterwarnings("error")
def test_too_few_points():
    with pytest.raises(ValueError, match=r"ran away after \d of 100 steps, at a rate of .*Pass a lower low than 100"):
        find_lr(SGD(make_net()), blobs(), low=100, high=1e30)
    with pytest.raises(ValueError, match="ran away after 0 of 100 steps"):
        said([np.inf] * 110)
    data = blobs()
    data.X[:] = np.nan
    with pytest.raises(ValueError, match=r"ran away after 0 of 100 steps.*look for bad numbers in the data"):
        find_lr(SGD(make_net()), data)


@pytest.mark.parametrize("options", [{"low": 0}, {"low": 1, "high": 1}, {"high": np.inf}, {"steps": 9}])
def test_options_that_make_no_sense(options):
    with pytest.raises(ValueError, match="expected 0 < low < high and at least 10 steps"):
        find_lr(SGD(make_net()), blobs(), **options)


def test_what_is_no_solver_or_no_data():
    with pytest.raises(TypeError, match=r"expected a solver, got Sequential; pass the rule too: SGD\(net\)"):
        find_lr(make_net(), blobs())
    with pytest.raises(TypeError, match="expected train to be a pair, a Dataset or Batches, got ndarray"):
        find_lr(SGD(make_net()), blobs().X)


def test_the_result_has_names():
    result = find_lr(SGD(make_net()), blobs())
    assert isinstance(result, RangeTest)
    assert result._fields == ("rates", "losses", "smoothed", "suggestion", "limit")
    assert copy.deepcopy(result).suggestion == result.suggestion
