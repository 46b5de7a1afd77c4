import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers import (
    MVN,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    ShapeError,
    _normalize,
    group_norm,
    share,
    worker_threads,
)
from handbrew.layers._normalize import SMALL

LAYOUTS = {
    "samples first": lambda x: x,
    "samples last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}
CLOSE = {np.float64: {"rtol": 1e-9, "atol": 1e-10}, np.float32: {"rtol": 2e-4, "atol": 2e-4}}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def built(layer, in_shape, dtype=np.float64, seed=0):
    layer.astype(dtype).build(in_shape)
    for i, p in enumerate(layer.params.values()):
        p.data = 1 + normal(*p.shape, seed=seed + i) / 2
    return layer


def arguments(layer, name, default):
    return layer.params[name].data.astype(np.float64) if name in layer.params else default


def row(x, gamma, beta, eps, centred=True):
    """The numbers of one row, one after the other."""
    mean = sum(x) / len(x) if centred else 0.0
    var = sum((number - mean) ** 2 for number in x) / len(x)
    return [g * (number - mean) / (var + eps) ** 0.5 + b for number, g, b in zip(x, gamma, beta, strict=True)]


def along_last(x, layer):
    size = x.shape[-1]
    gamma, beta = arguments(layer, "gamma", np.ones(size)), arguments(layer, "beta", np.zeros(size))
    y = np.empty(x.shape)
    for at in np.ndindex(x.shape[:-1]):
        y[at] = row(x[at].tolist(), gamma, beta, layer.eps, not isinstance(layer, RMSNorm))
    return y


def in_groups(x, layer, groups):
    n, channels = x.shape[:2]
    gamma, beta = arguments(layer, "gamma", np.ones(channels)), arguments(layer, "beta", np.zeros(channels))
    y = np.empty(x.shape)
    size = channels // groups
    for i in range(n):
        for g in range(groups):
            of_group = slice(g * size, (g + 1) * size)
            part = x[i, of_group]
            per_number = part.size // size
            result = row(
                part.ravel().tolist(), gamma[of_group].repeat(per_number), beta[of_group].repeat(per_number), layer.eps
            )
            y[i, of_group] = np.reshape(result, part.shape)
    return y


def numeric(function, array, dy, step=1e-6):
    """Central differences of Σ dy f."""
    grad = np.empty(array.shape)
    for at in np.ndindex(array.shape):
        kept = array[at]
        array[at] = kept + step
        high = (function() * dy).sum()
        array[at] = kept - step
        low = (function() * dy).sum()
        array[at] = kept
        grad[at] = (high - low) / (2 * step)
    return grad


@given(
    cls=st.sampled_from([LayerNorm, RMSNorm]),
    affine=st.booleans(),
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(sorted(CLOSE, key=str)),
    seed=st.integers(0, 99),
)
def test_the_last_axis(cls, affine, shape, layout, dtype, seed):
    layer = built(cls(eps=0.01, affine=affine), shape[1:], dtype, seed)
    x = LAYOUTS[layout](normal(*shape, seed=seed).astype(dtype))
    y = layer.forward(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, along_last(x, layer), **CLOSE[dtype])
    assert layer.backward(y).dtype == dtype


@given(
    n=st.sampled_from([1, 2, 3, 16, 17]),
    groups=st.integers(1, 3),
    size=st.integers(1, 3),
    rest=st.lists(st.integers(1, 4), max_size=3),
    affine=st.booleans(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(sorted(CLOSE, key=str)),
    seed=st.integers(0, 99),
)
def test_groups(n, groups, size, rest, affine, layout, dtype, seed):
    if size * int(np.prod(rest)) == 1:
        size = 2
    shape = (n, groups * size, *rest)
    x = LAYOUTS[layout](normal(*shape, seed=seed).astype(dtype))
    layer = built(GroupNorm(groups, eps=0.01, affine=affine), shape[1:], dtype, seed)
    y = layer.forward(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, in_groups(x, layer, groups), **CLOSE[dtype])
    assert layer.backward(y).dtype == dtype
    if size == 1:
        each = built(InstanceNorm(eps=0.01, affine=affine), shape[1:], dtype, seed)
        np.testing.assert_array_equal(each.forward(x), y)


@pytest.mark.parametrize("n", [3, 16])
@pytest.mark.parametrize(
    "layer",
    [LayerNorm(eps=0.1), RMSNorm(eps=0.1), GroupNorm(2, eps=0.1), GroupNorm(1, eps=0.1), InstanceNorm(0.1, True)],
    ids=repr,
)
def test_backward(layer, n):
    x, dy = normal(n, 4, 3), normal(n, 4, 3, seed=1)
    built(layer, (4, 3)).zero_grad()
    layer.forward(x)
    dx = layer.backward(dy)
    grads = {name: p.grad.copy() for name, p in layer.params.items()}
    np.testing.assert_allclose(dx, numeric(lambda: layer.forward(x), x, dy), rtol=1e-6, atol=1e-7)
    for name, p in layer.params.items():
        np.testing.assert_allclose(grads[name], numeric(lambda: layer.forward(x), p.data, dy), rtol=1e-6, atol=1e-7)


BIG = {
    "rows": (LayerNorm, (), (300, 700)),
    "short rows": (LayerNorm, (), (50, 80, 40)),
    "rms": (RMSNorm, (), (300, 700)),
    "lanes": (GroupNorm, (4,), (64, 8, 40, 11)),
    "one group": (GroupNorm, (1,), (16, 8, 40, 31)),
    "one large group": (GroupNorm, (1,), (80, 8, 40, 31)),
    "few samples": (GroupNorm, (4,), (3, 64, 40, 31)),
    "channels": (InstanceNorm, (1e-5, True), (20, 9, 30, 40)),
}


@pytest.mark.parametrize("name", BIG)
def test_large_arrays_go_in_blocks_and_give_the_same(name):
    cls, args, shape = BIG[name]
    x, dy = (LAYOUTS["samples last"](normal(*shape, seed=i).astype(np.float32)) for i in range(2))
    assert x.size > 8 * SMALL
    layer = built(cls(*args), shape[1:], np.float32)
    exact = built(cls(*args), shape[1:])
    # In float64 and sample by sample, so that nothing is cut into blocks.
    parts = [(exact.forward(x[i : i + 1]), exact.backward(dy[i : i + 1])) for i in range(len(x))]
    y, dx = (np.concatenate(part) for part in zip(*parts, strict=True))
    with worker_threads():
        np.testing.assert_allclose(layer.forward(x), y, atol=2e-5)
        np.testing.assert_allclose(layer.backward(dy), dx, atol=2e-5)
        first = {name: p.grad.copy() for name, p in layer.params.items()}
        layer.zero_grad()
        layer.backward(dy)
    for key, p in layer.params.items():
        np.testing.assert_allclose(p.grad, exact.params[key].grad, rtol=1e-4, atol=5e-3)
        np.testing.assert_array_equal(p.grad, first[key])


@pytest.mark.parametrize("mean", [0.0, 1000.0])
@pytest.mark.parametrize(("layer", "shape"), [(LayerNorm(), (40, 512)), (GroupNorm(2), (32, 4, 8, 8))])
def test_float32_keeps_its_digits_if_the_mean_is_large(layer, shape, mean):
    x = (mean + normal(*shape)).astype(np.float32)
    layer = built(layer, shape[1:], np.float32)
    want = along_last(x, layer) if isinstance(layer, LayerNorm) else in_groups(x, layer, 2)
    assert abs(layer.forward(x) - want).max() < 1e-5 + mean * 2**-21


def test_numbers_of_pytorch():
    # import torch                                                                     # 2.13
    # x = (torch.arange(16.) ** 2 % 7).reshape(2, 4, 2).requires_grad_(); dy = torch.arange(16.).reshape(2, 4, 2)
    # gn = torch.nn.GroupNorm(2, 4); gn.weight.data = torch.tensor([1., 2., -1., 0.5])
    # y = gn(x); y.backward(dy); print(y, x.grad, gn.weight.grad)
    # print(torch.nn.LayerNorm(2)(x), torch.nn.RMSNorm(2, eps=1e-5)(x), torch.nn.InstanceNorm1d(4)(x))
    x = (np.arange(16, dtype=np.float32) ** 2 % 7).reshape(2, 4, 2)
    layer = GroupNorm(2)
    layer.build((4, 2))
    layer.gamma.data = [1, 2, -1, 0.5]
    close = {"rtol": 1e-4, "atol": 1e-5}
    expected = {
        "y": [
            [[-1.183213, -0.507091], [3.042548, 0.338061], [-0.16903, -1.521274], [-0.253546, -0.591607]],
            [[-1.147074, 1.605903], [-0.458829, -0.458829], [-1.666663, 0.333333], [-0.499999, -0.166666]],
        ],
        "dx": [
            [[-0.540904, -0.618171], [-0.849974, 2.009048], [-1.883484, 0.627811], [1.25566, 1.3e-05]],
            [[-7.341263, -3.67065], [4.588298, 6.423615], [0.740708, -8.314791], [2.222236, 5.351846]],
        ],
        "dgamma": [4.769448, -1.26807, 23.949125, -30.324999],
        "LayerNorm": [
            [[-0.99998, 0.99998], [0.999995, -0.999995], [-0.999995, 0.999995], [0.99998, -0.99998]],
            [[-0.999998, 0.999998], [0.0, 0.0], [0.999998, -0.999998], [-0.99998, 0.99998]],
        ],
        "RMSNorm": [
            [[0.0, 1.414199], [1.26491, 0.632455], [0.632455, 1.26491], [1.414199, 0.0]],
            [[0.342997, 1.371988], [0.999999, 0.999999], [1.371988, 0.342997], [0.0, 1.414199]],
        ],
        "InstanceNorm": [
            [[-0.99998, 0.99998], [0.999995, -0.999995], [-0.999995, 0.999995], [0.99998, -0.99998]],
            [[-0.999998, 0.999998], [0.0, 0.0], [0.999998, -0.999998], [-0.99998, 0.99998]],
        ],
    }
    np.testing.assert_allclose(layer.forward(x), expected["y"], **close)
    np.testing.assert_allclose(
        layer.backward(np.arange(16, dtype=np.float32).reshape(2, 4, 2)), expected["dx"], **close
    )
    np.testing.assert_allclose(layer.gamma.grad, expected["dgamma"], **close)
    for each in (LayerNorm(), RMSNorm(), InstanceNorm()):
        np.testing.assert_allclose(each.forward(x), expected[type(each).__name__], **close)


def test_what_is_frozen_gets_no_gradient():
    x = normal(4, 6).astype(np.float32)
    layer = built(LayerNorm(), (6,), np.float32)
    layer.beta.trainable = False
    layer.input_grad = False
    layer.forward(x)
    assert layer.backward(x) is None
    assert layer.gamma.grad.any()
    assert not layer.beta.grad.any()


@pytest.mark.parametrize("layer", [LayerNorm(), RMSNorm(), GroupNorm(2), InstanceNorm(), GroupNorm(1, affine=False)])
@pytest.mark.parametrize("n", [0, 1, 40])
def test_any_number_of_samples(layer, n):
    x = np.ones((n, 4, 3), np.float32)
    assert layer.forward(x).shape == layer.backward(x).shape == (n, 4, 3)


def test_sizes_that_gamma_does_not_depend_on_may_change():
    for layer in (GroupNorm(2), InstanceNorm(affine=True), InstanceNorm()):
        layer.forward(np.ones((2, 4, 3, 3), np.float32))
        assert layer.forward(np.ones((20, 4, 5, 2), np.float32)).shape == (20, 4, 5, 2)
    layer = LayerNorm()
    layer.forward(np.ones((2, 5, 3), np.float32))
    assert layer.forward(np.ones((3, 7, 3), np.float32)).shape == (3, 7, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (GroupNorm(3), (2, 4, 5), "3 groups do not divide the 4 channels"),
        (GroupNorm(4), (2, 4), r"each of 4 groups holds a single number of a sample of shape \(4,\)"),
        (InstanceNorm(), (2, 4, 1, 1), r"InstanceNorm: each of 4 groups holds a single number"),
        (InstanceNorm(), (2,), r"expected \(N, channels, …\), got a vector"),
        (LayerNorm(), (2,), r"expected \(N, …, features\), got a vector"),
        (LayerNorm(affine=False), (2,), r"expected \(N, …, features\), got"),
    ],
)
def test_input_that_does_not_fit(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.ones(shape, np.float32))


def test_features_and_channels_are_checked_each_time():
    for layer, name in ((LayerNorm(), "features"), (GroupNorm(2), "channels")):
        layer.forward(np.ones((2, 4, 4), np.float32))
        with pytest.raises(ShapeError, match=rf"expected 4 {name}, got input of shape \(2, 6, 6\)"):
            layer.forward(np.ones((2, 6, 6), np.float32))


@pytest.mark.parametrize("groups", [0, -1, 1.5, "2", True])
def test_groups_that_make_no_sense(groups):
    with pytest.raises(ShapeError, match="GroupNorm: groups: expected an integer from 1 on"):
        GroupNorm(groups)


@pytest.mark.parametrize("layer", [GroupNorm(1), MVN(across_channels=True)], ids=repr)
def test_one_group_is_cut_along_the_samples(layer, monkeypatch):
    counts = []
    monkeypatch.setattr(_normalize, "share", lambda tasks: counts.append(len(tasks)) or share(tasks))
    x = LAYOUTS["samples last"](normal(80, 8, 40, 31).astype(np.float32))
    layer.backward(layer.forward(x))
    assert counts == [3, 3]


def test_lanes_and_rows_agree(monkeypatch):
    x, dy = normal(16, 6, 3), normal(16, 6, 3, seed=1)
    layer = built(GroupNorm(3), (6, 3))
    y, dx, grad = layer.forward(x), layer.backward(dy), layer.gamma.grad.copy()
    monkeypatch.setattr(group_norm, "LANES", 100)
    layer.zero_grad()
    np.testing.assert_allclose(layer.forward(x), y, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), dx, atol=1e-12)
    np.testing.assert_allclose(layer.gamma.grad, grad, atol=1e-12)


def test_repr():
    assert repr([LayerNorm(), RMSNorm(0.1), GroupNorm(4), InstanceNorm(affine=True)]) == (
        "[LayerNorm(), RMSNorm(eps=0.1), GroupNorm(4), InstanceNorm(affine=True)]"
    )
