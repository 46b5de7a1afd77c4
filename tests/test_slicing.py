"""Slice and Split against loops over the elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, lies_samples_last, normal, samples_last

from handbrew.layers import Affine, Branches, Concat, ShapeError, Slice, Split
from handbrew.nets import Sequential

SHAPES = st.tuples(st.integers(0, 3), *[st.integers(1, 5)] * 3).flatmap(
    lambda shape: st.sampled_from([shape[:2], shape[:3], shape])
)


@given(shape=SHAPES, layout=layouts, dtype=floats, data=st.data())
def test_slice(shape, layout, dtype, data):
    axis = data.draw(st.integers(1, len(shape) - 1))
    size = shape[axis]
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    x = normal(shape, dtype)
    layer = Slice(
        data.draw(st.sampled_from([start, start - size])),
        data.draw(st.sampled_from([stop, stop - size if stop < size else None])),
        data.draw(st.sampled_from([axis, axis - len(shape)])),
    )
    y = layer.forward(layout(x))
    dy = normal(y.shape, dtype, seed=1)
    dx = layer.backward(layout(dy))
    assert y.shape == (shape[0], *layer.out_shape)
    assert y.shape[axis] == stop - start
    assert dx.shape == x.shape
    assert y.dtype == dx.dtype == dtype
    for at in np.ndindex(x.shape):
        moved = list(at)
        moved[axis] -= start
        if start <= at[axis] < stop:
            assert y[tuple(moved)] == x[at]
            assert dx[at] == dy[tuple(moved)]
        else:
            assert dx[at] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 5), "start 0 and stop 5"),
        ((2, 2), "start 2 and stop 2"),
        ((3, 1), "start 3 and stop 1"),
        ((-5, None), "start -5 and stop None"),
        ((4, None), "start 4 and stop None"),
    ],
)
def test_slice_refuses_what_is_not_there(arguments, said):
    with pytest.raises(ShapeError, match=rf"Slice: expected 0 <= start < stop <= 4, the size of axis 1, got {said}"):
        Slice(*arguments).build((4, 3))


@given(shape=SHAPES, layout=layouts, dtype=floats, data=st.data())
def test_split_makes_slices_and_concat_undoes_it(shape, layout, dtype, data):
    axis = data.draw(st.integers(1, len(shape) - 1))
    size, given_axis = shape[axis], data.draw(st.sampled_from([axis, axis - len(shape)]))
    parts = data.draw(st.sampled_from([n for n in range(2, size + 1) if size % n == 0] or [None]))
    points = sorted(data.draw(st.sets(st.integers(1, max(size - 1, 1)), min_size=1)))
    if size == 1:
        return
    by_number = parts is not None and data.draw(st.booleans())
    layer = Split(parts, axis=given_axis) if by_number else Split(points=tuple(points), axis=given_axis)
    cuts = range(0, size + 1, size // parts) if by_number else [0, *points, size]
    x = normal(shape, dtype)
    ys = layer.forward(layout(x))
    assert isinstance(ys, tuple)
    assert len(ys) == len(cuts) - 1
    for y, start, stop, out_shape in zip(ys, cuts[:-1], cuts[1:], layer.out_shape, strict=True):
        assert y.shape[1:] == out_shape
        np.testing.assert_array_equal(y, Slice(start, stop, axis).forward(x))
    np.testing.assert_array_equal(Concat(axis).forward(*ys), x)
    dys = tuple(layout(normal(y.shape, dtype, seed=i)) for i, y in enumerate(ys))
    dx = layer.backward(dys)
    assert dx.shape == x.shape
    assert dx.dtype == dtype
    for part, dy in zip(Split(points=tuple(cuts[1:-1]), axis=axis).forward(dx), dys, strict=True):
        np.testing.assert_array_equal(part, dy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"Split: expected 2 equal parts or more, as in Split\(2\), or points=\(…\) to cut at; got parts=None"),
        ({"parts": 1}, "got parts=1"),
        ({"parts": 2.0}, "got parts=2.0"),
        ({"parts": (1, 3)}, r"got parts=\(1, 3\)"),
        ({"parts": 2, "points": 1}, "got parts=2, points=1"),
        ({"parts": 2, "points": (1,)}, r"got parts=2, points=\(1,\)"),
        ({"parts": 2, "axis": 0}, "axis 0 is the sample"),
    ],
)
def test_split_refuses_arguments(arguments, message):
    with pytest.raises(ShapeError, match=message):
        Split(**arguments)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Split(3), r"expected a size that divides into 3 equal parts on axis 1, got 4; or say where to cut"),
        (Split(8), "divides into 8"),
        (Split(points=(1, 4)), r"expected rising points inside axis 1, from 1 to 3, got \(1, 4\)"),
        (Split(points=(2, 1)), "expected rising points"),
        (Split(points=(0, 2)), "expected rising points"),
        (Split(2, axis=3), r"Split: axis 3 is beyond an input of shape \(4, 3\), batch axis left out: it has axes"),
        (Slice(0, 1, axis=-3), r"Slice: axis -3 is beyond an input of shape \(4, 3\), batch axis left out"),
    ],
)
def test_inputs_that_do_not_fit(layer, message):
    with pytest.raises(ShapeError, match=message):
        layer.build((4, 3))
    with pytest.raises(ShapeError, match=message):
        layer.forward(normal((2, 4, 3)))


def test_a_vector_has_no_axis_to_slice():
    with pytest.raises(
        ShapeError, match=r"beyond an input of shape \(\), batch axis left out: it has no axis but that"
    ):
        Slice(0, 1).forward(normal((5,)))


@pytest.mark.parametrize("layer", [Slice(0, 2), Split(2)])
def test_sizes_may_change_from_batch_to_batch(layer):
    for shape in ((2, 4, 5, 5), (3, 6, 2, 7), (1, 8)):
        y = layer.forward(normal(shape))
        assert layer.backward(y).shape == shape


def test_outputs_are_views_and_images_stay_samples_last():
    x = samples_last(normal((4, 6, 3, 2)))
    layer, split = Slice(1, 3), Split(3)
    y, ys = layer.forward(x), split.forward(x)
    assert all(np.shares_memory(part, x) for part in (y, *ys))
    assert lies_samples_last(layer.backward(y))
    assert lies_samples_last(split.backward(ys))
    assert layer.flops() == split.flops() == 0


def test_branches_of_slices_take_an_input_apart_in_a_chain():
    net = Sequential(Branches(Sequential(Slice(0, 3), Affine(2)), Slice(3, 5)), Affine(1))
    assert net.build(5) == (1,)
    x = normal((4, 5), np.float32)
    net.forward(x)
    dx = net.backward(np.ones((4, 1), np.float32))
    first, second = net.layers[0].bodies[0].layers[1].W.data, net.layers[1].W.data
    np.testing.assert_allclose(dx[:, :3], np.tile(first @ second[:2, 0], (4, 1)), rtol=1e-5)
    np.testing.assert_allclose(dx[:, 3:], np.tile(second[2:, 0], (4, 1)), rtol=1e-6)


def test_repr():
    assert repr([Slice(0, 3), Slice(-2, None, axis=2), Split(2), Split(points=(1, 3), axis=-1)]) == (
        "[Slice(0, 3), Slice(-2, None, axis=2), Split(parts=2), Split(points=(1, 3), axis=-1)]"
    )


@pytest.mark.parametrize("arguments", [(0.0, 1), (0, 1.0), ("0", None), (None, 2), ((0, 1), None)])
def test_slice_takes_integers_only(arguments):
    with pytest.raises(ShapeError, match=r"Slice: expected integers, or None as the end, got start=.* and stop="):
        Slice(*arguments)


@pytest.mark.parametrize("points", [3, "13", (1.0, 2), np.array([[1, 2]]), np.array([0.5])])
def test_split_takes_integers_only(points):
    with pytest.raises(ShapeError, match=r"Split: expected 2 equal parts or more, .* got parts=None, points="):
        Split(points=points)


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.int8])
def test_numpys_integers_are_integers(integer):
    x = normal((2, 200, 3))
    one, three, four = integer(1), integer(3), integer(4)
    for layer, same in (
        (Slice(one, three), Slice(1, 3)),
        (Slice(one, None, axis=one), Slice(1, None)),
        (Split(four), Split(4)),
        (Split(points=[one, three]), Split(points=(1, 3))),
        (Split(points=np.array([1, 3], integer)), Split(points=(1, 3))),
    ):
        assert repr(layer.build((200, 3))) == repr(same.build((200, 3)))
        for got, expected in zip(layer.forward(x), same.forward(x), strict=True):
            np.testing.assert_array_equal(got, expected)
    assert Slice(np.int8(-3), np.int8(-1)).build((200, 3)) == (2, 3)


@pytest.mark.parametrize(
    ("layer", "dy"),
    [
        (Slice(0, 2), normal((3, 1, 5))),
        (Slice(0, 2), normal((2, 5))),
        (Split(2), (normal((3, 2, 5)), normal((3, 1, 5)))),
    ],
)
def test_a_gradient_of_another_shape_is_refused(layer, dy):
    layer.forward(normal((3, 4, 5)))
    with pytest.raises(ShapeError, match=r"forward returned shape \(3, 2, 5\), but dy has shape"):
        layer.backward(dy)
