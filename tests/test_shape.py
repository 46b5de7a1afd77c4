import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import layouts, normal

from handbrew.layers.errors import ShapeError
from handbrew.layers.shape import Flatten, Reshape, Transpose

SHAPES = st.lists(st.integers(1, 4), min_size=2, max_size=5).map(tuple)


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def check(layer, x, want):
    """The elements in the wanted shape and in the same order, and the way back."""
    y = layer.forward(x)
    assert y.shape == (len(x), *layer.out_shape) == want
    assert y.ravel().tolist() == x.ravel().tolist()
    dx = layer.backward(2 * y)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dx, 2 * x)


def test_flatten_orders_images_by_channel_row_and_column():
    x = numbered((2, 3, 4, 5))
    y = Flatten().forward(x)
    assert y.shape == (2, 60)
    assert y[1, 2 * 20 + 3 * 5 + 4] == x[1, 2, 3, 4]


@given(shape=SHAPES, data=st.data())
def test_flatten(shape, data):
    first = data.draw(st.integers(1, len(shape) - 1))
    last = data.draw(st.integers(first, len(shape) - 1))
    middle = 1
    for n in shape[first : last + 1]:
        middle *= n
    want = (*shape[:first], middle, *shape[last + 1 :])
    axis, end_axis = (a - data.draw(st.sampled_from([0, len(shape)])) for a in (first, last))
    check(Flatten(axis, end_axis), numbered(shape), want)


@pytest.mark.parametrize(("axis", "end_axis"), [(0, -1), (2, 1), (1, 3), (3, 3), (-3, -1), (-4, 2)])
def test_flatten_refuses_axes_that_are_not_there_and_the_batch_s(axis, end_axis):
    message = rf"Flatten: expected axes {axis} to {end_axis} .* got input of shape \(3, 4\)"
    with pytest.raises(ShapeError, match=message):
        Flatten(axis, end_axis).build((3, 4))


@pytest.mark.parametrize(
    ("shape", "sizes", "want"),
    [
        ((2, 12), (3, 4), (2, 3, 4)),
        ((2, 12), (3, -1), (2, 3, 4)),
        ((2, 12), (-1,), (2, 12)),
        ((2, 3, 4, 5), (0, -1), (2, 3, 20)),
        ((2, 3, 4, 5), (-1, 0), (2, 15, 4)),
        ((2, 3, 4, 5), (0, 0, 0), (2, 3, 4, 5)),
        ((2, 3, 4, 5), (1, 0, -1, 1), (2, 1, 4, 15, 1)),
        ((2, 1), (), (2,)),
        ((2,), (1, 1), (2, 1, 1)),
        ((0, 12), (3, -1), (0, 3, 4)),
        ((2, 0, 3), (-1,), (2, 0)),
    ],
)
def test_reshape(shape, sizes, want):
    check(Reshape(*sizes), numbered(shape), want)


@pytest.mark.parametrize("sizes", [(5,), (3, 5), (5, -1), (12, 0), (12, 0, -1), (24,), ()])
def test_reshape_refuses_another_number_of_elements(sizes):
    with pytest.raises(ShapeError, match=r"Reshape: expected 12 elements as in the input's shape \(12,\), got"):
        Reshape(*sizes).build((12,))


@pytest.mark.parametrize("sizes", [(-1, -1), (-2,), ((3, 4),), (2.5,)])
def test_reshape_refuses_what_is_no_shape(sizes):
    with pytest.raises(ShapeError, match=r"Reshape: expected sizes, as in Reshape\(3, 8, -1\)"):
        Reshape(*sizes)


@pytest.mark.parametrize("layer", [Flatten(), Reshape(4, -1)])
def test_any_memory_layout_and_an_empty_batch(layer):
    x = numbered((2, 5, 4, 3)).transpose(0, 3, 2, 1)
    check(layer, x, (2, *layer.build((3, 4, 5))))
    assert layer.forward(x[:0]).shape == (0, *layer.out_shape)
    assert layer.backward(np.zeros((0, *layer.out_shape))).shape == (0, 3, 4, 5)


@pytest.mark.parametrize("layer", [Flatten(), Reshape(0, -1)])
def test_sizes_may_change_from_batch_to_batch(layer):
    layer.forward(numbered((2, 3, 4, 5)))
    assert layer.forward(numbered((3, 3, 2, 2))).size == 36
    assert layer.backward(np.ones((3, 12))).shape == (3, 3, 2, 2)


@given(shape=st.lists(st.integers(0, 4), min_size=2, max_size=5), layout=layouts, data=st.data())
def test_transpose(shape, layout, data):
    axes = data.draw(st.permutations(range(1, len(shape))))
    layer, x = Transpose(*axes), layout(normal(shape))
    y = layer.forward(x)
    assert y.shape == (len(x), *layer.out_shape) == (len(x), *(shape[axis] for axis in axes))
    for at in np.ndindex(y.shape):
        source = [at[0]] + [0] * len(axes)
        for i, axis in zip(at[1:], axes, strict=True):
            source[axis] = i
        assert y[at] == x[tuple(source)]
    dx = layer.backward(y)
    np.testing.assert_array_equal(dx, x)
    assert y.base is not None
    assert np.shares_memory(y, dx) or not x.size


@pytest.mark.parametrize("axes", [(), (0, 1), (2,), (1, 1), (1, 3), (-1, 1), ((2, 1),)])
def test_transpose_refuses_what_is_no_order_of_a_sample_s_axes(axes):
    with pytest.raises(ShapeError, match=r"Transpose: expected the sample's axes in their new order, each once"):
        Transpose(*axes)


def test_transpose_refuses_samples_of_other_axes():
    layer = Transpose(2, 1)
    layer.forward(numbered((2, 3, 4)))
    for call in (Transpose(2, 1).forward, layer.forward):
        with pytest.raises(ShapeError, match=r"Transpose: expected a sample of 2 axes, got \(3,\) without the batch"):
            call(numbered((2, 3)))
    assert layer.backward(layer.forward(numbered((3, 5, 1)))).shape == (3, 5, 1)


@pytest.mark.parametrize("layer", [Flatten(), Transpose(2, 1)])
def test_they_compute_nothing(layer):
    layer.build((3, 4))
    assert layer.flops() == 0


def test_reshape_takes_numpy_integers():
    layer = Reshape(np.int64(2), np.int32(-1))
    check(layer, numbered((3, 12)), (3, 2, 6))
    assert repr(layer) == "Reshape(2, -1)"


def test_repr():
    assert repr([Flatten(), Flatten(2, 3), Reshape(3, -1), Reshape(), Transpose(2, 1)]) == (
        "[Flatten(), Flatten(axis=2, end_axis=3), Reshape(3, -1), Reshape(), Transpose(2, 1)]"
    )
