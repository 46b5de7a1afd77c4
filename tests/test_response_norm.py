import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers import LRN, MVN, DTypeError, InstanceNorm, ShapeError, worker_threads
from handbrew.layers.threads import PIECE

LAYOUTS = {
    "samples first": lambda x: x,
    "samples last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}
CLOSE = {np.float64: {"rtol": 1e-10, "atol": 1e-12}, np.float32: {"rtol": 2e-5, "atol": 2e-5}}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def window(i, size, limit):
    """Where the window of i is, as far as there is anything."""
    return range(max(0, i - size // 2), min(limit, i + (size - 1) // 2 + 1))


def respond(x, layer):
    """LRN, number by number."""
    y, n = np.empty(x.shape), layer.size
    for at in np.ndindex(x.shape):
        i, c, *rest = at
        if layer.within_channel:
            h, w = rest
            near = [x[i, c, a, b] for a in window(h, n, x.shape[2]) for b in window(w, n, x.shape[3])]
            count = n * n
        else:
            near, count = [x[(i, b, *rest)] for b in window(c, n, x.shape[1])], n
        total = sum(float(number) ** 2 for number in near)
        scale = layer.k + layer.alpha * (total / count if layer.average else total)
        y[at] = float(x[at]) / scale**layer.beta
    return y


def respond_back(x, dy, layer):
    """Each dy_j spread to the x_i in its window, by the quotient rule."""
    dx, n = np.zeros(x.shape), layer.size
    for at in np.ndindex(x.shape):
        i, c, *rest = at
        if layer.within_channel:
            h, w = rest
            near = [(i, c, a, b) for a in window(h, n, x.shape[2]) for b in window(w, n, x.shape[3])]
            count = n * n
        else:
            near, count = [(i, b, *rest) for b in window(c, n, x.shape[1])], n
        alpha = layer.alpha / count if layer.average else layer.alpha
        scale = layer.k + alpha * sum(x[j] ** 2 for j in near)
        dx[at] += dy[at] * scale**-layer.beta
        for j in near:
            dx[j] += dy[at] * x[at] * -layer.beta * scale ** (-layer.beta - 1) * 2 * alpha * x[j]
    return dx


@given(
    size=st.integers(1, 6),
    alpha=st.sampled_from([1e-4, 1.0]),
    beta=st.sampled_from([0.75, 0.5, 1.0]),
    k=st.sampled_from([1.0, 2.0]),
    within=st.booleans(),
    average=st.booleans(),
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(sorted(CLOSE, key=str)),
    seed=st.integers(0, 99),
)
def test_lrn(size, alpha, beta, k, within, average, shape, layout, dtype, seed):
    if within:
        shape = (*shape, 3, 2)[:4]
    x, dy = (LAYOUTS[layout](normal(*shape, seed=seed + i).astype(dtype)) for i in range(2))
    layer = LRN(size, alpha, beta, k, within_channel=within, average=average)
    y, dx = layer.forward(x), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y, respond(x, layer), **CLOSE[dtype])
    np.testing.assert_allclose(dx, respond_back(x.astype(np.float64), dy, layer), **CLOSE[dtype])


@pytest.mark.parametrize("layer", [LRN(5, 1.0), LRN(3, 1.0, within_channel=True)], ids=repr)
def test_lrn_in_blocks(layer):
    x, dy = (LAYOUTS["samples last"](normal(64, 24, 21, 19, seed=i).astype(np.float32)) for i in range(2))
    assert x.size > 2 * PIECE
    # One sample at a time is never cut.
    parts = [(layer.forward(x[i : i + 1]), layer.backward(dy[i : i + 1])) for i in range(len(x))]
    y, dx = (np.concatenate(part) for part in zip(*parts, strict=True))
    with worker_threads():
        np.testing.assert_allclose(layer.forward(x), y, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-4, atol=1e-5)


def test_lrn_of_pytorch():
    # import torch                                                                     # 2.13
    # x = (torch.arange(10.) ** 2 % 7).reshape(1, 5, 2).requires_grad_()
    # for n in (3, 4):
    #     x.grad = None; y = torch.nn.LocalResponseNorm(n, alpha=0.5, beta=0.75, k=2.0)(x)
    #     y.backward(torch.arange(10.).reshape(1, 5, 2)); print(y, x.grad)
    x = (np.arange(10, dtype=np.float32) ** 2 % 7).reshape(1, 5, 2)
    expected = {
        3: (
            [[0.0, 0.457906], [1.139754, 0.556875], [0.556875, 1.139754], [0.438691, 0.0], [0.529685, 1.259809]],
            [[0.0, 0.341565], [-0.262531, 0.068371], [0.258855, 0.052423], [1.857537, 1.570804], [3.564116, 0.404939]],
        ),
        4: (
            [[0.0, 0.484901], [1.294645, 0.634156], [0.634156, 1.268312], [0.310799, 0.0], [0.468274, 1.04339]],
            [[0.0, 0.116048], [-0.490012, 0.213528], [0.1888, -0.925293], [1.432926, 1.719543], [3.417163, 1.173814]],
        ),
    }
    for n, (y, dx) in expected.items():
        layer = LRN(n, alpha=0.5, beta=0.75, k=2.0)
        np.testing.assert_allclose(layer.forward(x)[0], y, rtol=1e-5)
        np.testing.assert_allclose(layer.backward(np.arange(10, dtype=np.float32).reshape(1, 5, 2))[0], dx, rtol=1e-4)


def standardize(x, layer):
    """MVN, group by group."""
    y = np.empty(x.shape)
    for at in np.ndindex(x.shape[: 1 if layer.across_channels else 2]):
        numbers = np.asarray(x[at], np.float64).ravel().tolist()
        mean = sum(numbers) / len(numbers)
        var = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        divisor = (var + layer.eps) ** 0.5 if layer.eps_inside else var**0.5 + layer.eps
        y[at] = (np.asarray(x[at], np.float64) - mean) / (divisor if layer.normalize_variance else 1)
    return y


@given(
    across=st.booleans(),
    variance=st.booleans(),
    inside=st.booleans(),
    eps=st.sampled_from([1e-9, 0.1]),
    n=st.sampled_from([1, 2, 16, 18]),
    rest=st.lists(st.integers(2, 4), min_size=2, max_size=3),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(sorted(CLOSE, key=str)),
    seed=st.integers(0, 99),
)
def test_mvn(across, variance, inside, eps, n, rest, layout, dtype, seed):
    x = LAYOUTS[layout](normal(n, *rest, seed=seed).astype(dtype))
    layer = MVN(across, variance, eps, inside)
    y = layer.forward(x)
    assert y.dtype == dtype
    want = standardize(x, layer)
    np.testing.assert_allclose(y, want, rtol=1e-4 if dtype == np.float32 else 1e-9, atol=np.finfo(dtype).eps * 100)
    assert layer.backward(y).dtype == dtype


@pytest.mark.parametrize("n", [2, 16])
@pytest.mark.parametrize(
    "layer",
    [MVN(), MVN(eps=0.5), MVN(True, eps=0.5), MVN(normalize_variance=False), MVN(eps=0.1, eps_inside=True)],
    ids=repr,
)
def test_mvn_backward(layer, n):
    x, dy, step = normal(n, 3, 4), normal(n, 3, 4, seed=1), 1e-6
    layer.forward(x)
    dx = layer.backward(dy)
    for at in np.ndindex(x.shape):
        near = [x.copy(), x.copy()]
        near[0][at] -= step
        near[1][at] += step
        low, high = ((layer.forward(moved) * dy).sum() for moved in near)
        np.testing.assert_allclose(dx[at], (high - low) / (2 * step), rtol=1e-5, atol=1e-7)


def test_mvn_with_eps_inside_is_instance_norm():
    x, dy = normal(3, 4, 5), normal(3, 4, 5, seed=1)
    one, other = MVN(eps=1e-5, eps_inside=True), InstanceNorm(1e-5)
    np.testing.assert_array_equal(one.forward(x), other.forward(x))
    np.testing.assert_array_equal(one.backward(dy), other.backward(dy))


@pytest.mark.parametrize("eps", [1e-9, 1e-12])
def test_mvn_of_a_constant_is_finite(eps):
    x = np.full((2, 3, 4), 0.5, np.float32)
    layer = MVN(eps=eps)
    np.testing.assert_array_equal(layer.forward(x), 0)
    assert np.isfinite(layer.backward(np.ones_like(x))).all()


@pytest.mark.parametrize("layer", [LRN(), LRN(3, within_channel=True), MVN(), MVN(across_channels=True)], ids=repr)
@pytest.mark.parametrize("n", [0, 1, 20])
def test_any_number_of_samples_and_any_size(layer, n):
    for shape in ((n, 4, 3, 2), (n, 2, 5, 5)):
        assert layer.forward(np.ones(shape, np.float32)).shape == shape
        assert layer.backward(np.ones(shape, np.float32)).shape == shape


@pytest.mark.parametrize("layer", [LRN(), LRN(3, within_channel=True)], ids=repr)
@pytest.mark.parametrize("shape", [(2, 0, 5, 5), (0, 0, 5, 5), (2, 3, 0, 5)])
def test_nothing_gives_nothing(layer, shape):
    assert layer.forward(np.ones(shape, np.float32)).shape == shape
    assert layer.backward(np.ones(shape, np.float32)).shape == shape


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (LRN(), (3,), r"LRN: expected \(N, channels, …\), got a vector"),
        (LRN(within_channel=True), (2, 3, 4), r"LRN: expected input of shape \(N, C, H, W\), got \(3, 4\)"),
        (MVN(), (2, 3), "MVN: each of 3 groups holds a single number"),
    ],
)
def test_input_that_does_not_fit(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.ones(shape, np.float32))


@pytest.mark.parametrize("layer", [LRN(), MVN()], ids=repr)
def test_bytes_are_numbers_and_labels_are_not(layer):
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(layer.forward(x), layer.forward(x.astype(np.float32)))
    with pytest.raises(DTypeError, match="expected floating-point numbers or uint8, got int64"):
        layer.forward(x.astype(np.int64))


@pytest.mark.parametrize("size", [0, 2.5, "3", True])
def test_sizes_that_make_no_sense(size):
    with pytest.raises(ShapeError, match="LRN: size: expected an integer from 1 on"):
        LRN(size)


def test_repr_and_flops():
    assert repr([LRN(), LRN(3, alpha=1.0, within_channel=True), MVN(eps_inside=True)]) == (
        "[LRN(), LRN(size=3, alpha=1.0, within_channel=True), MVN(eps_inside=True)]"
    )
    layer = LRN(5)
    layer.build((4, 2, 2))
    assert layer.flops() == 16 * 8
