"""Add, Multiply, Maximum and Concat against loops over the elements."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, lies_samples_last, normal, samples_last

from handbrew.layers import Add, Concat, Maximum, Multiply, ShapeError

A, B, C = (np.random.default_rng(i).normal(size=(2, 3, 4)).astype(np.float32) for i in range(3))


def test_add():
    layer = Add()
    y = layer.forward(A, B, C)
    for at in np.ndindex(y.shape):
        assert y[at] == pytest.approx(float(A[at]) + float(B[at]) + float(C[at]), rel=1e-5, abs=1e-6)
    assert len(layer.backward(y)) == 3
    assert all(dx is y for dx in layer.backward(y))


SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)
KINDS = st.lists(layouts, min_size=2, max_size=4)


def laid_out(shape, dtype, kinds, few=False):
    """One input for each kind of layout; of few values, so that there are zeros and ties."""
    xs = [normal(shape, dtype, seed=i) for i in range(len(kinds))]
    xs = [np.round(x) for x in xs] if few else xs
    return xs, [kind(x) for kind, x in zip(kinds, xs, strict=True)]


@given(shape=SHAPES, dtype=floats, kinds=KINDS, data=st.data())
def test_add_with_coefficients(shape, dtype, kinds, data):
    a = tuple(data.draw(st.sampled_from([1.0, 0.0, -1.0, 0.3])) for _ in kinds)
    xs, inputs = laid_out(shape, dtype, kinds)
    layer = Add(a)
    y = layer.forward(*inputs)
    assert (y.shape, y.dtype) == (shape, dtype)
    for at in np.ndindex(shape):
        expected = math.fsum(c * float(x[at]) for c, x in zip(a, xs, strict=True))
        assert y[at] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    dy = normal(shape, dtype, seed=9)
    for c, dx in zip(a, layer.backward(dy), strict=True):
        assert dx.dtype == dtype
        np.testing.assert_allclose(dx, c * dy, rtol=1e-6)


def test_add_takes_as_many_inputs_as_coefficients():
    layer = Add([1, -1])
    message = r"Add: expected 2 inputs, one for each of the coefficients \[1, -1\], got 3"
    with pytest.raises(ShapeError, match=message):
        layer.build(((3,),) * 3)
    layer.forward(A, B)
    with pytest.raises(ShapeError, match=message):
        layer.forward(A, B, C)


@given(shape=SHAPES, dtype=floats, kinds=KINDS, layout=layouts, few=st.booleans())
def test_multiply(shape, dtype, kinds, layout, few):
    xs, inputs = laid_out(shape, dtype, kinds, few)
    layer = Multiply()
    y = layer.forward(*inputs)
    dy = normal(shape, dtype, seed=9)
    dxs = layer.backward(layout(dy))
    assert (y.shape, y.dtype) == (shape, dtype)
    assert len(dxs) == len(xs)
    for at in np.ndindex(shape):
        values = [float(x[at]) for x in xs]
        assert y[at] == pytest.approx(math.prod(values), rel=1e-5, abs=1e-6)
        for i, dx in enumerate(dxs):
            others = math.prod(values[:i] + values[i + 1 :])
            assert dx[at] == pytest.approx(float(dy[at]) * others, rel=1e-5, abs=1e-6)
    assert {dx.dtype for dx in dxs} == {np.dtype(dtype)}


@given(shape=SHAPES, dtype=floats, kinds=KINDS, layout=layouts, few=st.booleans())
def test_maximum(shape, dtype, kinds, layout, few):
    xs, inputs = laid_out(shape, dtype, kinds, few)
    layer = Maximum()
    y = layer.forward(*inputs)
    dy = normal(shape, dtype, seed=9)
    dxs = layer.backward(layout(dy))
    assert (y.shape, y.dtype) == (shape, dtype)
    assert len(dxs) == len(xs)
    for at in np.ndindex(shape):
        values = [x[at] for x in xs]
        largest = values.index(max(values))  # the first of them
        assert y[at] == values[largest]
        assert [dx[at] for dx in dxs] == [dy[at] if i == largest else 0 for i in range(len(xs))]
    assert {dx.dtype for dx in dxs} == {np.dtype(dtype)}


@pytest.mark.parametrize("layer", [Add(), Add((2, 0.5)), Multiply(), Maximum(), Concat()])
def test_images_stay_samples_last_and_sizes_may_change(layer):
    for shape in ((4, 3, 2, 5), (6, 3, 7, 2)):
        x = samples_last(normal(shape))
        y = layer.forward(x, samples_last(normal(shape, seed=1)))
        assert lies_samples_last(y)
        for dx in layer.backward(samples_last(normal(y.shape))):
            assert dx.shape == shape
            assert lies_samples_last(dx)


@pytest.mark.parametrize(("layer", "flops"), [(Add(), 24), (Multiply(), 24), (Maximum(), 24), (Concat(axis=2), 0)])
def test_flops_of_three_inputs(layer, flops):
    layer.build(((3, 4),) * 3)
    assert layer.flops() == flops


def test_repr():
    assert repr([Add(), Add((1, -1)), Multiply(), Maximum(), Concat(axis=2)]) == (
        "[Add(), Add(coefficients=(1, -1)), Multiply(), Maximum(), Concat(axis=2)]"
    )


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple), dtype=floats, kinds=KINDS, data=st.data())
def test_concat_of_any_layouts(shape, dtype, kinds, data):
    axis = data.draw(st.integers(1, len(shape) - 1))
    sizes = [data.draw(st.integers(0, 3)) for _ in kinds]
    xs = [normal((*shape[:axis], n, *shape[axis + 1 :]), dtype, seed=n) for n in sizes]
    layer = Concat(data.draw(st.sampled_from([axis, axis - len(shape)])))
    y = layer.forward(*(kind(x) for kind, x in zip(kinds, xs, strict=True)))
    assert y.dtype == dtype
    assert y.shape == (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    for x, dx in zip(xs, layer.backward(y), strict=True):
        np.testing.assert_array_equal(dx, x)
        assert np.may_share_memory(dx, y) or not dx.size


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_concat(axis):
    at = axis % 3
    parts = [A, B[:, :2] if at == 1 else B[..., :2], C]
    layer = Concat(axis)
    y = layer.forward(*parts)
    offset = 0
    for part in parts:
        for where in np.ndindex(part.shape):
            shifted = list(where)
            shifted[at] += offset
            assert y[tuple(shifted)] == part[where]
        offset += part.shape[at]
    assert y.shape[at] == offset
    assert layer.out_shape == y.shape[1:]
    for part, dx in zip(parts, layer.backward(y), strict=True):
        np.testing.assert_array_equal(dx, part)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (Add(), ((3,), (4,)), r"Add: expected inputs of one shape, got \(3,\), \(4,\)"),
        (Add(), (3,), "Add: expected two inputs or more"),
        (Multiply(), ((3,), (4,)), r"Multiply: expected inputs of one shape, got \(3,\), \(4,\)"),
        (Maximum(), ((3,),), "Maximum: expected two inputs or more"),
        (Concat(), ((3, 4), (3,)), r"Concat: expected inputs that differ on axis 1 only"),
        (Concat(), ((3, 4), (3, 5)), r"Concat: expected inputs that differ on axis 1 only"),
        (Concat(3), ((3, 4), (3, 5)), r"axis 3 is beyond an input of shape \(3, 4\)"),
        (Concat(1), ((), ()), r"axis 1 is beyond"),
    ],
)
def test_inputs_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError, match=message):
        layer.build(shapes)


def test_the_sample_axis_is_not_for_concatenation():
    with pytest.raises(ShapeError, match="axis 0 is the sample"):
        Concat(0)


@pytest.mark.parametrize("kind", [Add, Multiply, Maximum])
@pytest.mark.parametrize("other", [(1, 3, 4), (2, 1, 4), (2, 3, 1)])
def test_nothing_is_broadcast(kind, other):
    layer = kind()
    layer.forward(A, B)
    with pytest.raises(ShapeError, match=f"{kind.__name__}: expected inputs of one shape"):
        layer.forward(A, np.ones(other, np.float32))
    with pytest.raises(ShapeError, match=f"{kind.__name__}: expected two inputs or more"):
        layer.forward(A)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.ones((2, 3, 5), np.float32), r"Concat: expected inputs that differ on axis 1 only, got \(3, 4\), \(3, 5\)"),
        (np.ones((3, 3, 4), np.float32), r"Concat: expected as many samples in each input, got \[2, 3\]"),
    ],
)
def test_concat_checks_every_batch(other, message):
    layer = Concat()
    layer.forward(A, B)
    with pytest.raises(ShapeError, match=message):
        layer.forward(A, other)
