"""The kernels of convolution, each called directly, against loops over every index."""

from contextlib import ExitStack
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, NamedTuple
from unittest import mock

import naive_convolution as naive
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layouts import floats, layouts, normal

from handbrew.layers import _convolve, _cook_toom, _direct, _pointwise, _products, _winograd
from handbrew.layers._convolve import correlate, gradients
from handbrew.layers._window import Window

MODULES = {"pointwise": _pointwise, "winograd": _winograd, "direct": _direct}
# What every path keeps to, relative to the largest result.
TOLERANCE = {"pointwise": 2e-6, "direct": 2e-6, "winograd": 2e-5}
# Sizes of blocks, so that small images are cut as large ones are.
CUTS = {
    _direct: {"BLOCK_BYTES": (1, 3000), "LARGEST_BYTES": (1, 3000), "FEWEST_ROWS": (1, 2), "FEWEST_SAMPLES": (1, 3)},
    _winograd: {"TILES_BYTES": (1, 2000, 20_000), "SUMS_BYTES": (1,), "PRODUCT_BYTES": (1, 100)},
    _pointwise: {"COLUMNS": (1, 7, 50), "SMALL": (2048,)},
    _products: {"SMALL": (600, 5000), "TILE": (1, 4), "NARROWEST": (16,)},
}
quick = settings(max_examples=50, deadline=None)


def cut_small(data):
    """Blocks of any sizes; the usual ones again afterwards."""
    stack = ExitStack()
    for module, sizes in CUTS.items():
        chosen = {n: data.draw(st.sampled_from([getattr(module, n), *some]), n) for n, some in sizes.items()}
        stack.enter_context(mock.patch.multiple(module, **chosen))
    return stack


class Problem(NamedTuple):
    """A convolution and the gradient g of its result; images are (N, C, H, W)."""

    x: Any
    W: Any
    b: Any
    g: Any
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    dilation: tuple[int, int]
    groups: int

    @property
    def window(self):
        top, bottom, left, right = self.padding
        return Window(self.W.shape[2:], self.stride, self.dilation, (top, left), (bottom, right))

    @property
    def start(self):
        return self.window.start

    @property
    def size(self):
        return self.g.shape[2:]

    def check_y(self, found, **tolerance):
        self._check(found, naive.convolve(self.x, self.W, self.b, *self[4:]), first, **tolerance)

    def check_dx(self, found, **tolerance):
        self._check(found, naive.input_gradient(self.g, self.W, self.x.shape[2:], *self[4:]), first, **tolerance)

    def check_dW(self, found, **tolerance):
        self._check(found, naive.weight_gradient(self.x, self.g, self.W.shape[2:], *self[4:]), np.asarray, **tolerance)

    def _check(self, found, wanted, order, float32=4e-6, float64=1e-14):
        found = order(found)
        assert found.dtype == self.x.dtype
        assert found.shape == wanted.shape
        # Of the size that a sum of so many products has; the largest result may be much smaller, if there are few.
        size = max(np.abs(wanted).max(initial=0), prod(self.W.shape[1:]) ** 0.5)
        bound = (float32 if found.dtype == np.float32 else float64) * size
        assert np.abs(found - wanted).max(initial=0) <= bound


def last(a):
    """(N, C, H, W) seen as (C, H, W, N), wherever it lies."""
    return np.moveaxis(a, 0, -1)


def first(a):
    return np.moveaxis(a, -1, 0)


def pairs(numbers):
    return st.tuples(numbers, numbers)


one, few = st.just(1), st.integers(1, 3)


@st.composite
def problems(draw, kernels=st.integers(1, 4), strides=few, dilations=few, channels=few, groups=one, multipliers=few):
    """Any layout in memory; padding may be larger than the kernel, and where it is negative it cuts off."""
    N, size, parts = draw(st.sampled_from([0, 1, 2, 3, 17])), draw(pairs(st.integers(1, 8))), draw(groups)
    C, O, kernel = draw(channels), draw(multipliers), draw(pairs(kernels))
    stride, dilation = draw(pairs(strides)), draw(pairs(dilations))
    padding = draw(st.tuples(*[st.integers(-2, 6)] * 4))
    out = naive.out_size(size, kernel, stride, padding, dilation)
    assume(all(out))
    assume(N * O * C * parts * prod(out) * prod(kernel) < 15_000)  # the twin takes a microsecond for each
    dtype, layout, bias = draw(floats), draw(layouts), draw(st.booleans())
    return Problem(
        layout(normal((N, C * parts, *size), dtype, 1)),
        layout(normal((O * parts, C, *kernel), dtype, 2)),
        normal(O * parts, dtype, 3) if bias else None,
        layout(normal((N, O * parts, *out), dtype, 4)),
        stride,
        padding,
        dilation,
        parts,
    )


def check_direct(p, data):
    x, g = last(p.x), last(p.g)
    with cut_small(data):
        p.check_y(_direct.correlate(x, p.W, p.b, p.window, p.size, p.groups))
        p.check_dW(_direct.weight_gradient(x, g, p.window, p.groups))


@quick
@given(p=problems(groups=few), data=st.data())
def test_direct(p, data):
    check_direct(p, data)


@quick
@given(p=problems(groups=st.integers(2, 4), channels=one), data=st.data())
def test_depthwise(p, data):
    check_direct(p, data)


@quick
@given(p=problems(kernels=st.integers(1, 5), strides=one, dilations=one), data=st.data())
def test_winograd(p, data):
    assume(len(p.x))
    x, g = last(p.x), last(p.g)
    amplified = {"float32": 4e-5, "float64": 1e-13}
    with cut_small(data):
        y = _winograd.correlate(x, p.W, p.b, p.start, p.size)
        p.check_y(y, **amplified)
        dW = _winograd.weight_gradient(x, g, p.W.shape[2:], p.start)
        p.check_dW(dW, **amplified)
        plain = _winograd.correlate(x, p.W, None, p.start, p.size)
        both = _winograd.correlate_both(x, p.W, p.start, p.size, g)
        assert [part.tobytes() for part in both] == [plain.tobytes(), dW.tobytes()]


@quick
@given(p=problems(kernels=one, strides=one, channels=st.integers(1, 40)), data=st.data())
def test_pointwise(p, data):
    p = p._replace(g=p.x[:, :1] - 1, padding=(0, 0, 0, 0), W=p.W[:1], b=None if p.b is None else p.b[:1])
    with cut_small(data):
        p.check_y(_pointwise.correlate(last(p.x), p.W[:, :, 0, 0], p.b))
        p.check_dW(_pointwise.weight_gradient(last(p.x), last(p.g))[:, :, None, None])


@settings(quick, max_examples=100)
@given(p=problems(groups=few), tiles=st.sampled_from([None, True, False]), data=st.data())
def test_the_chooser_with_all_that_it_may_choose(p, tiles, data):
    check_chosen(p, tiles, data)


@quick
@given(p=problems(groups=few, kernels=one, dilations=one), data=st.data())
def test_the_chooser_with_kernels_of_one_pixel(p, data):
    """Which are matrix products, unless padding shifts the pixels."""
    check_chosen(p, None, data)


def check_chosen(p, tiles, data):
    x, g, size = last(p.x), last(p.g), p.x.shape[2:]

    def pay(window, W, shape, samples, groups=1):
        possible = window.stride == window.dilation == (1, 1) and max(W.shape[2:]) <= 5 and samples
        return bool(tiles and possible)

    amplified = {"float32": 4e-5, "float64": 1e-13}
    with cut_small(data), mock.patch.object(_convolve, "_tiles_pay", _convolve._tiles_pay if tiles is None else pay):
        p.check_y(correlate(x, p.W, p.b, p.window, p.size, p.groups), **amplified)
        dx, dW = gradients(g, p.W, p.window, size, p.groups, x=x)
        p.check_dx(dx, **amplified)
        p.check_dW(dW, **amplified)
        assert gradients(g, p.W, p.window, size, p.groups, dx=False) == (None, None)
        dx, none = gradients(g, p.W, p.window, size, p.groups)
        assert none is None
        p.check_dx(dx, **amplified)
        none, dW = gradients(g, p.W, p.window, size, p.groups, x=x, dx=False)
        assert none is None
        p.check_dW(dW, **amplified)


def used(monkeypatch, call):
    """Which modules' functions a call reaches, in order."""
    seen = []
    for name, module in MODULES.items():
        for function in ("correlate", "weight_gradient", "correlate_both"):
            if hasattr(module, function):
                kept = getattr(module, function)
                spy = lambda *a, kept=kept, name=name, **k: (seen.append(name), kept(*a, **k))[1]  # noqa: E731
                monkeypatch.setattr(module, function, spy)
    call()
    monkeypatch.undo()
    return list(dict.fromkeys(seen))


def case(samples, channels, out, kernel, size=9, stride=1, padding=0, dilation=1, groups=1, positive=False):
    """x, W, g and the window, samples last."""
    window = Window((kernel, kernel), (stride,) * 2, (dilation,) * 2, (padding,) * 2, (padding,) * 2)
    x = normal((channels, size, size, samples), np.float32, 1)
    W = normal((out, channels // groups, kernel, kernel), np.float32, 2)
    g = normal((out, *window.outputs((size, size), ""), samples), np.float32, 3)
    return (np.abs(x), W, np.abs(g), window) if positive else (x, W, g, window)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("pointwise", {"kernel": 1}),
        ("pointwise", {"kernel": 1, "stride": 2}),
        ("direct", {"kernel": 1, "groups": 2}),
        ("direct", {"kernel": 3, "groups": 64}),
        ("direct", {"kernel": 1, "padding": 1}),
        ("winograd", {"kernel": 3, "padding": 1}),
        ("winograd", {"kernel": 5, "padding": 2}),
        ("winograd", {"kernel": 3, "groups": 2, "padding": 1, "size": 16}),
        ("direct", {"kernel": 3, "samples": 1}),
        ("direct", {"kernel": 3, "dilation": 2}),
        ("direct", {"kernel": 6, "padding": 1}),
        ("direct", {"kernel": 3, "channels": 1, "out": 1}),
    ],
)
def test_the_table_of_paths(monkeypatch, path, options):
    groups = options.get("groups", 1)
    x, W, g, window = case(**{"samples": 16, "channels": 64, "out": 64, **options})
    assert used(monkeypatch, lambda: correlate(x, W, None, window, g.shape[1:3], groups)) == [path]
    assert used(monkeypatch, lambda: gradients(g, W, window, x.shape[1:3], groups, x=x)) == [path]


def test_a_stride_is_undone_by_a_convolution_for_each_phase(monkeypatch):
    """With stride 2, dx at even and odd places comes of a kernel's even and odd taps: 3x3, 3x2, 2x3 and 2x2 of 5x5."""
    x, W, g, window = case(16, 64, 64, 5, size=17, stride=2, padding=2)
    kernels = []
    kept = _convolve.correlate
    monkeypatch.setattr(_convolve, "correlate", lambda g, W, *rest: (kernels.append(W.shape[2:]), kept(g, W, *rest))[1])
    gradients(g, W, window, x.shape[1:3])
    assert sorted(kernels) == [(2, 2), (2, 3), (3, 2), (3, 3)]


def test_tiles_are_used_where_they_save_work():
    def pay(channels, out, kernel=3, shape=(16, 16), samples=32, stride=(1, 1), dilation=(1, 1)):
        W = np.empty((out, channels, kernel, kernel), np.float32)
        return _convolve._tiles_pay(Window((kernel,) * 2, stride, dilation, (0, 0), (0, 0)), W, shape, samples)

    assert pay(64, 64)
    assert pay(256, 256)
    assert pay(64, 64, kernel=5)
    assert not pay(1, 1)  # the transforms would cost more than they save
    assert not pay(64, 64, shape=(1, 1))  # a sixteenth of a tile
    assert not pay(64, 64, samples=1)
    assert not pay(64, 64, kernel=1)
    assert not pay(64, 64, kernel=6)
    assert not pay(64, 64, stride=(1, 2))
    assert not pay(64, 64, dilation=(2, 1))


def test_groups_are_judged_by_their_own_channels():
    window = Window((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    W = np.empty((64, 8, 3, 3), np.float32)  # 8 groups of 8 channels to 8
    assert not _convolve._tiles_pay(window, W, (16, 16), 32, 8)
    assert _convolve._tiles_pay(window, np.empty((128, 64, 3, 3), np.float32), (16, 16), 32, 2)


def exact_sums(x, W, g, window, groups=1):
    """y, dx and dW in float64, tap by tap."""
    x, W, g = (a.astype(np.float64) for a in (x, W, g))
    (top, left), (bottom, right) = window.start, window.end
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    y, of_padded, dW = np.zeros_like(g), np.zeros_like(padded), np.zeros_like(W)
    for i, j in np.ndindex(window.kernel):
        rows, columns = (
            slice(at, at + step * (n - 1) + 1, step)
            for at, step, n in zip((i, j), window.stride, g.shape[1:3], strict=True)
        )
        for G in range(groups):
            o, c = (slice(G * n // groups, (G + 1) * n // groups) for n in (len(W), len(x)))
            source = padded[c, rows, columns]
            y[o] += np.tensordot(W[o, :, i, j], source, 1)
            of_padded[c, rows, columns] += np.tensordot(W[o, :, i, j].T, g[o], 1)
            dW[o, :, i, j] = np.tensordot(g[o], source, ((1, 2, 3), (1, 2, 3)))
    return y, of_padded[:, top : top + x.shape[1], left : left + x.shape[2]], dW


def relative_error(found, wanted):
    assert found.dtype == np.float32
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("winograd", {"kernel": 3, "padding": 1}),
        ("winograd", {"kernel": 5, "padding": 2}),
        ("winograd", {"kernel": 2}),
        ("winograd", {"kernel": 4}),
        ("winograd", {"kernel": 3, "padding": 1, "channels": 256, "size": 8}),
        ("winograd", {"kernel": 5, "padding": 2, "positive": True}),
        ("direct", {"kernel": 3, "padding": 1, "samples": 15}),
        ("direct", {"kernel": 7, "padding": 3, "channels": 3, "stride": 2}),
        ("pointwise", {"kernel": 1, "samples": 64}),
        ("pointwise", {"kernel": 1, "samples": 64, "positive": True}),
        ("direct", {"kernel": 3, "padding": 1, "groups": 64, "samples": 64}),
        ("direct", {"kernel": 3, "padding": 1, "groups": 64, "samples": 64, "positive": True}),
    ],
)
def test_rounding_stays_below_what_is_documented(monkeypatch, path, options):
    """Of sums of both signs, and of sums of positive numbers, as after a ReLU."""
    groups = options.get("groups", 1)
    x, W, g, window = case(**{"samples": 16, "channels": 64, "out": 64, "size": 8, **options})
    results = []

    def compute():
        results.append(correlate(x, W, None, window, g.shape[1:3], groups))
        results.extend(gradients(g, W, window, x.shape[1:3], groups, x=x))

    assert path in used(monkeypatch, compute)
    for found, exact in zip(results, exact_sums(x, W, g, window, groups), strict=True):
        assert relative_error(found, exact) <= TOLERANCE[path]


def fractions(matrix, simplify=False):
    """Numbers as they are, or as the simple fractions that they are rounded from."""
    found = [[Fraction(float(a)) for a in row] for row in matrix]
    return [[a.limit_denominator(10_000) for a in row] for row in found] if simplify else found


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5])
def test_the_matrices_are_a_convolution_exactly(taps):
    """Σ_k A[i, k] G[k, t] B[k, d] is 1 where input d meets weight t in output i = d - t, else 0: in fractions."""
    At, G, Bt = _cook_toom.cook_toom(taps)
    n = _cook_toom.OUT + taps - 1
    assert [m.shape for m in (At, G, Bt)] == [(_cook_toom.OUT, n), (n, taps), (n, n)]
    assert all(np.abs(m).max() <= 32 for m in (At, G, Bt))
    A, g, B = fractions(At), fractions(G, simplify=True), fractions(Bt)
    np.testing.assert_array_equal(G, [[float(a) for a in row] for row in g])  # rounded once
    for i, t, d in product(range(_cook_toom.OUT), range(taps), range(n)):
        assert sum(A[i][k] * g[k][t] * B[k][d] for k in range(n)) == (d == i + t)


def test_the_matrices_of_two_outputs_are_those_of_the_paper(monkeypatch):
    """F(2, 3) as in Lavin and Gray, up to the signs and scales that their A and B share."""
    monkeypatch.setattr(_cook_toom, "OUT", 2)
    At, G, Bt = _cook_toom.cook_toom.__wrapped__(3)
    A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
    g = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    ours = np.einsum("ik,kt,kd->kitd", At, G, Bt)
    theirs = np.einsum("ik,kt,kd->kitd", A, g, B)
    np.testing.assert_allclose(ours, theirs, atol=1e-15)


@pytest.mark.parametrize(("samples", "reach"), [(1, slice(4, 7)), (20, slice(4, 8))], ids=["slabs", "tiles"])
def test_what_is_not_finite_goes_no_further_than_its_tile(samples, reach):
    """A tile mixes its numbers: with tiles of rows and columns 4 to 7, a NaN in (5, 5) is in all of these outputs."""
    x, W, g, window = case(samples, 64, 64, 3, size=12, padding=1)
    x[0, 5, 5, 0] = np.nan
    y = correlate(x, W, None, window, g.shape[1:3])
    expected = np.zeros((12, 12), bool)
    expected[reach, reach] = True
    np.testing.assert_array_equal(np.isnan(y[0, :, :, 0]), expected)
    assert not np.isnan(y[..., 1:]).any()


@pytest.mark.parametrize("path", MODULES)
def test_nothing_is_written_into_the_arguments(path):
    options = {
        "pointwise": {"kernel": 1},
        "winograd": {"kernel": 3},
        "direct": {"kernel": 3, "stride": 2},
    }
    groups = options[path].get("groups", 1)
    x, W, g, window = case(16, 64, 64, **options[path])
    b = np.zeros(64, np.float32)
    for a in (x, W, g, b):
        a.flags.writeable = False
    y = correlate(x, W, b, window, g.shape[1:3], groups)
    assert not any(np.shares_memory(y, a) for a in (x, W, g, b))
    dx, dW = gradients(g, W, window, x.shape[1:3], groups, x=x)
    assert not any(np.shares_memory(found, a) for found in (dx, dW) for a in (x, W, g))
