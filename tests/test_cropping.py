"""Crop against loops over the elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, lies_samples_last, normal, samples_last

from handbrew.layers import Crop, ShapeError


@given(shape=st.tuples(st.integers(0, 3), *[st.integers(1, 5)] * 3), layout=layouts, dtype=floats, data=st.data())
def test_crop(shape, layout, dtype, data):
    axis = data.draw(st.integers(1, 3))
    sizes = [data.draw(st.integers(1, n)) for n in shape[axis:]]
    starts = [data.draw(st.integers(0, n - size)) for n, size in zip(shape[axis:], sizes, strict=True)]
    offset = starts[0] if len(set(starts)) == 1 and data.draw(st.booleans()) else tuple(starts)
    given_axis = data.draw(st.sampled_from([axis, axis - 4]))
    x = normal(shape, dtype)
    reference = normal((shape[0], *[7] * (axis - 1), *sizes), dtype, seed=2)
    if data.draw(st.booleans()):
        layer, inputs = Crop(offset=offset, axis=given_axis), (layout(x), layout(reference))
    else:
        size = sizes[0] if len(set(sizes)) == 1 and data.draw(st.booleans()) else tuple(sizes)
        layer, inputs = Crop(size, offset, given_axis), (layout(x),)
    y = layer.forward(*inputs)
    assert y.shape == (*shape[:axis], *sizes) == (shape[0], *layer.out_shape)
    dy = normal(y.shape, dtype, seed=1)
    dx = layer.backward(layout(dy))
    if len(inputs) == 2:
        dx, dreference = dx
        assert dreference.shape == reference.shape
        assert dreference.dtype == dtype
        assert not dreference.any()
    assert y.dtype == dx.dtype == dtype
    expected = np.zeros(shape)
    for at in np.ndindex(y.shape):
        source = (*at[:axis], *(i + start for i, start in zip(at[axis:], starts, strict=True)))
        assert y[at] == x[source]
        expected[source] = dy[at]
    np.testing.assert_array_equal(dx, expected)


def test_only_the_cropped_axes_of_the_reference_count():
    x, reference = normal((2, 3, 5, 6)), normal((2, 8, 4, 2))
    layer = Crop(offset=(1, 4))
    assert layer.build(((3, 5, 6), (8, 4, 2))) == (3, 4, 2)
    np.testing.assert_array_equal(layer.forward(x, reference), x[:, :, 1:, 4:])


def test_an_integer_reference_has_no_gradient():
    layer = Crop()
    y = layer.forward(normal((2, 3, 5, 6)), np.zeros((2, 1, 2, 2), np.int64))
    assert layer.backward(y)[1] is None


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (
            Crop(6),
            (3, 5, 7),
            r"Crop: expected a box inside \(5, 7\), the input's shape from axis 2 on, got one of size",
        ),
        (Crop(4, offset=2), (3, 5, 7), r"got one of size \(4, 4\) at offset \(2, 2\)"),
        (Crop(2, offset=-1), (3, 5, 7), "expected a box inside"),
        (Crop(0), (3, 5, 7), "expected a box inside"),
        (Crop((2, 2, 2)), (3, 5, 7), "Crop: size: expected one number, or 2, one for each axis from 2 on; got"),
        (Crop(2, offset=(1,)), (3, 5, 7), r"Crop: offset: expected one number, or 2, one for each axis .* got \(1,\)"),
        (Crop(2), (3,), r"axis 2 is beyond an input of shape \(3,\)"),
        (Crop(), (3, 5, 7), r"expected a size, as in Crop\(24\), or a reference as the second input, got neither"),
        (Crop(2), ((3, 5, 7), (3, 2, 2)), "got both"),
        (Crop(), ((3, 5, 7), (3, 6, 2)), r"expected a box inside \(5, 7\)"),
        (Crop(), ((3, 5, 7), (2,)), "expected a box inside"),
    ],
)
def test_inputs_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError, match=message):
        layer.build(shapes)
    each = shapes if isinstance(shapes[0], tuple) else (shapes,)
    with pytest.raises(ShapeError, match=message):
        layer.forward(*(normal((2, *shape)) for shape in each))


def test_the_batch_is_not_cropped():
    with pytest.raises(ShapeError, match="Crop: axis 0 is the sample"):
        Crop(2, axis=0)


def test_sizes_may_change_and_images_stay_samples_last():
    layer = Crop(2, offset=1)
    for shape in ((2, 3, 4, 5), (4, 1, 3, 3)):
        x = samples_last(normal(shape))
        y = layer.forward(x)
        assert np.shares_memory(x, y)
        dx = layer.backward(samples_last(y))
        assert dx.shape == shape
        assert lies_samples_last(dx)


def test_repr():
    assert repr([Crop(), Crop(24), Crop((3, 4), offset=1, axis=1)]) == (
        "[Crop(), Crop(size=24), Crop(size=(3, 4), offset=1, axis=1)]"
    )


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.int8])
def test_numpys_integers_are_integers(integer):
    for size in (integer(100), (integer(100), 100), np.array([100, 100], integer)):
        shape = Crop(size, offset=integer(50), axis=integer(2)).build((3, 200, 200))
        assert repr(shape) == "(3, 100, 100)"


@pytest.mark.parametrize("size", [2.0, (2, 2.0), "22", np.array([2.0, 2.0])])
def test_what_is_no_size_or_offset(size):
    with pytest.raises(ShapeError, match="Crop: size: expected one number, or 2, one for each axis from 2 on; got"):
        Crop(size).build((3, 5, 7))
    with pytest.raises(ShapeError, match="Crop: offset: expected one number, or 2"):
        Crop(2, offset=size).build((3, 5, 7))


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (2, 3, 1, 2), (2, 2)])
def test_a_gradient_of_another_shape_is_refused(shape):
    layer = Crop(2)
    layer.forward(normal((2, 3, 5, 5)))
    with pytest.raises(ShapeError, match=r"Crop: forward returned shape \(2, 3, 2, 2\), but dy has shape"):
        layer.backward(normal(shape))
