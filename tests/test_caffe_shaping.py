"""CaffeReshape, CaffeConcat and CaffeSlice."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import ShapeError, check_layer
from handbrew.nets.caffe.shaping import CaffeConcat, CaffeReshape, CaffeSlice

# shape, axis, num_axes of the layer; the input's shape and the output's. The first are the examples in caffe.proto.
RESHAPES = [
    ((2, 2, 1, 4), 0, -1, (2, 8), (2, 2, 1, 4)),
    ((-1, 1, 2, 4), 0, -1, (2, 8), (2, 1, 2, 4)),
    ((0, 2, -1), 0, -1, (2, 8), (2, 2, 4)),
    ((2, 4), 1, -1, (2, 8), (2, 2, 4)),
    ((2, 4), -2, 1, (2, 8), (2, 2, 4)),
    ((1,), 0, 0, (2, 8), (1, 2, 8)),
    ((1,), -1, 0, (2, 8), (2, 8, 1)),
    ((), 1, 1, (2, 1, 8), (2, 8)),
    ((0, 0, -1), 0, -1, (2, 3, 4, 5), (2, 3, 20)),
    ((0, -1, 0), 0, -1, (2, 3, 4), (2, 3, 4)),
    ((-1,), 0, 2, (2, 3, 4), (6, 4)),
    ((-1, 0), 1, -1, (2, 3, 4), (2, 3, 4)),
    ((0, -1), 0, -1, (0, 3, 4), (0, 12)),
    ((0, -1), 1, -1, (0, 3, 4), (0, 3, 4)),
]


@pytest.mark.parametrize(("shape", "axis", "num_axes", "before", "after"), RESHAPES)
def test_reshape(shape, axis, num_axes, before, after):
    layer = CaffeReshape(shape, axis, num_axes)
    x = normal(before)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x.reshape(after))
    dy = normal(after)
    np.testing.assert_array_equal(layer.backward(dy), dy.reshape(before))
    assert layer.flops() == 0
    if (axis, num_axes) != (0, 0):  # then samples become an axis of the one sample
        assert CaffeReshape(shape, axis, num_axes).build(before[1:]) == after[1:]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (CaffeReshape((0, -1)), (3, 2, 2)),
        (CaffeReshape((0, 2, -1)), (3, 2, 2)),
        (CaffeReshape((-1, 3), axis=1), (3, 2)),
        (CaffeReshape((1,), axis=-1, num_axes=0), (3, 2)),
        (CaffeReshape((-1, 2)), (3, 2)),  # samples become others
        (CaffeConcat(), (3, 2)),  # of one
        (CaffeSlice((1, 3)), (4, 2)),
        (CaffeSlice(parts=3, axis=-1), (2, 6)),
        (CaffeSlice(parts=1), (3,)),
        (CaffeSlice((1, 3), axis=0), (4, 2)),
    ],
)
def test_contract(layer, shape):
    check_layer(layer, shape)


def test_where_the_samples_shape_depends_on_their_number_only_forward_knows():
    layer = CaffeReshape((6, -1))
    with pytest.raises(ShapeError, match=r"CaffeReshape: the shape of a sample, once .* depends on how many"):
        layer.build((3, 4))
    assert layer.forward(normal((5, 3, 4))).shape == (6, 10)
    assert layer.out_shape == (10,)
    assert layer.forward(normal((6, 3, 4))).shape == (6, 12)
    with pytest.raises(ShapeError, match="do not divide"):
        layer.forward(normal((5, 7)))
    with pytest.raises(ShapeError, match=r"expected 16 elements as in the input's \(2, 8\), got \(2, 8, 2, 4\)"):
        CaffeReshape((2, 4), axis=-1, num_axes=0).forward(normal((2, 8)))
    with pytest.raises(ShapeError, match="depends on how many"):
        CaffeReshape((1,), axis=0, num_axes=0).build((3, 4))


def test_reshapes_that_are_none():
    for shape in ((-2,), (-1, -1), (1.5,)):
        with pytest.raises(ShapeError, match="CaffeReshape: expected sizes from 0 on"):
            CaffeReshape(shape)
    with pytest.raises(ShapeError, match="num_axes"):
        CaffeReshape((1,), num_axes=-2)
    for axis, num_axes, shape in ((3, -1, (1,)), (1, 2, (1,)), (-4, -1, (1,)), (1, -1, (1, 0))):
        with pytest.raises(ShapeError, match="are not all there"):
            CaffeReshape(shape, axis, num_axes).forward(normal((2, 3)))
    layer = CaffeReshape((0, -1))
    layer.forward(normal((2, 3, 4)))
    with pytest.raises(ShapeError, match=r"returned shape \(2, 12\), but dy has shape \(24,\)"):
        layer.backward(normal((24,)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_concat_and_slice_undo_each_other(axis):
    x = normal((6, 6, 6))
    for cut in (CaffeSlice((1, 4), axis), CaffeSlice(axis=axis, parts=3)):
        parts = cut.forward(x)
        stops = [1, 4, 6] if cut.parts is None else [2, 4, 6]
        for part, start, stop in zip(parts, [0, *stops], stops, strict=False):
            np.testing.assert_array_equal(part, x.take(range(start, stop), axis))
        assert cut.build((6, 6)) == tuple(part.shape[1:] for part in parts)
        np.testing.assert_array_equal(cut.backward(parts), x)
        joined = CaffeConcat(axis)
        np.testing.assert_array_equal(joined.forward(*parts), x)
        assert joined.build(tuple(part.shape[1:] for part in parts)) == (6, 6)
        for part, dx in zip(parts, joined.backward(x), strict=True):
            np.testing.assert_array_equal(part, dx)
        assert cut.flops() == joined.flops() == 0


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_gradients(axis):
    check_layer(CaffeConcat(axis), (3, 2), (3, 2))


def test_concat_of_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"CaffeConcat: .* differ on axis 0 only, got \(2, 3\), \(2, 4\)"):
        CaffeConcat(0).forward(normal((2, 3)), normal((2, 4)))
    with pytest.raises(ShapeError, match="axis 2 is beyond an input of 2 axes"):
        CaffeConcat(2).forward(normal((2, 3)))
    layer = CaffeConcat(0)
    layer.forward(normal((2, 3)), normal((1, 3)))
    with pytest.raises(ShapeError, match=r"returned shape \(3, 3\)"):
        layer.backward(normal((2, 3)))


def test_cuts_that_are_not_there():
    for points, parts in (((), None), ((1,), 2), ((), 0)):
        with pytest.raises(ShapeError, match="CaffeSlice: expected points to cut at, or a number of parts"):
            CaffeSlice(points, parts=parts)
    for points in ((0,), (6,), (2, 2), (4, 3), (7,)):
        with pytest.raises(ShapeError, match="expected rising points inside axis 1 of 6"):
            CaffeSlice(points).forward(normal((2, 6)))
    with pytest.raises(ShapeError, match="axis 1 of 6 does not divide into 4 equal parts"):
        CaffeSlice(parts=4).forward(normal((2, 6)))
    layer = CaffeSlice((2,))
    layer.forward(normal((2, 6)))
    with pytest.raises(ShapeError, match=r"returned shape \(2, 4\), but dy has shape \(2, 3\)"):
        layer.backward((normal((2, 2)), normal((2, 3))))
