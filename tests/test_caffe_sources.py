"""Parameter, DummyData and Silence."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import CaffeXavier, Constant, Initializer, Normal, ShapeError, check_layer
from handbrew.nets.caffe.sources import DummyData, Parameter, Silence


@pytest.mark.parametrize("shape", [(3, 2), (4,), ()])
def test_parameter(shape):
    layer = Parameter(shape, Normal(std=1.0))
    y = layer.forward()
    assert y.shape == shape
    np.testing.assert_array_equal(y, layer.W.data)
    y[...] = 7  # the output's, not the parameter's
    assert (layer.W.data != 7).all()
    dy = normal(shape, np.float32)
    for _ in range(2):
        assert layer.backward(dy) == ()
    np.testing.assert_array_equal(layer.W.grad, 2 * dy)
    layer.zero_grad()
    layer.trainable = False
    layer.backward(dy)
    assert not layer.W.grad.any()
    assert layer.out_shape == shape[1:]
    assert layer.flops() == 0


def test_a_parameter_is_zero_unless_told_otherwise():
    assert not Parameter((2, 2)).forward().any()


class Fans(Initializer):
    """Holds what it is told of the fans."""

    def sample(self, rng, shape, fan_in, fan_out):
        return np.full(shape, 100 * fan_in + fan_out)


def test_dummy_data():
    layer = DummyData([(2, 3), (4,)], [Constant(2.0), Normal()])
    a, b = layer.forward()
    assert (a == 2).all()
    assert (a.shape, a.dtype, b.shape) == ((2, 3), np.float32, (4,))
    assert not np.array_equal(layer.forward()[1], b)  # anew each time
    assert layer.backward((a, b)) == ()
    assert layer.build(()) == ((3,), ())
    assert layer.flops() == 0
    assert not DummyData([(2, 3)]).forward().any()
    assert [y.sum() for y in DummyData([(2, 3), (4,)], [Constant(1.0)]).forward()] == [6, 4]


def test_fans_are_those_of_weights_with_samples_for_units():
    assert (DummyData([(2, 3, 4, 5)], [Fans()]).forward() == 100 * 60 + 40).all()
    assert (DummyData([(4,)], [Fans()]).forward() == 100 + 4).all()
    assert np.abs(DummyData([(2, 300)], [CaffeXavier()]).forward()).max() <= 0.1


def test_what_is_no_shape():
    for wrong in (3, (1.5,), (-1,)):
        with pytest.raises(ShapeError, match=r"Parameter: expected a shape like \(2, 3\)"):
            Parameter(wrong)
    with pytest.raises(ShapeError, match="DummyData: expected a shape"):
        DummyData([3])
    for shapes, inits in (((), ()), (((1,),), (Constant(1.0),) * 2)):
        with pytest.raises(ShapeError, match="an initialiser for each or one for all"):
            DummyData(shapes, inits)


def test_silence():
    layer = Silence()
    assert layer.forward(normal((2, 3)), np.arange(2)) == ()
    dx, rest = layer.backward(())
    assert dx.shape == (2, 3)
    assert not dx.any()
    assert rest is None
    check_layer(Silence(), (3,), allow_constant=True)
    check_layer(Silence(), (3,), np.arange(5), allow_constant=True)
    assert layer.flops() == 0
