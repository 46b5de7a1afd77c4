"""check_layer's rules on building, saving and making anew: each is broken once, and said to be."""

import copy

import numpy as np
from dishonest import Centre, Chain, Linear, Noise, Square, catches, complaints

from handbrew.layers import Layer, check_layer


def test_a_wrong_shape_from_build():
    class Undeclared(Layer):
        """Has no build, so that a net would take its output's shape for its input's."""

        def forward(self, x):
            return np.concatenate([x, 2 * x], axis=1)

        def backward(self, dy):
            n = dy.shape[1] // 2
            return dy[:, :n] + 2 * dy[:, n:]

    class Wrong(Linear):
        def build(self, in_shape):
            super().build(in_shape)
            return in_shape

    catches("build", r"build says the output's shape is \(3,\), forward makes \(6,\)", Undeclared(), (3,))
    catches("forward", r"build said the output's shape is \(4,\), forward made \(3,\)", Wrong(), (4,))


def test_state_that_is_not_saved():
    class Attribute(Centre):
        def build(self, in_shape):
            self.moving = np.zeros(in_shape)
            return in_shape

        def forward(self, x):
            if not self.training or not len(x):
                return x - self.moving.astype(x.dtype)
            self.moving = x.mean(axis=0)
            return x - self.moving

    found = complaints(Attribute(), (3,))
    assert "after load_state(state()) in evaluation the output" in found["state"]

    class Rate(Noise):
        """Differs in both modes once made anew; said once."""

        def __init__(self):
            self.gain = np.random.default_rng().random()

        def forward(self, x):
            return super().forward(x) * x.dtype.type(self.gain)

        def backward(self, dy):
            return super().backward(dy) * dy.dtype.type(self.gain)

        rate = 0.5

    catches("config", r"in evaluation the output[^\n]*\n\Z", Rate(), (3,))


def test_a_config_that_does_not_make_the_layer_again():
    class Changed(Noise):
        """Its attribute of the argument's name holds something else."""

        def __init__(self, rate=0.2):
            self.rate = 1 - rate

    class Lost(Square):
        def __init__(self, gain):
            self.gain = str(gain + 1)

        def forward(self, x):
            return super().forward(x) * float(self.gain)

        def backward(self, dy):
            return super().backward(dy) * float(self.gain)

    catches("config", r"in training the output", Chain(Linear(9), Changed()), (3,))
    catches("config", r"Changed\(rate=0.8\), made of config\(\), differs, in training", Changed(), (9,))
    lost = Lost(3.0)
    lost.forward(np.ones((2, 3), np.float32))
    catches("config", r"Lost\(gain='4.0'\), made of config\(\), fails", lost, (3,))
    catches("config", r"Lost\(gain='4.0'\), made of config\(\), fails", Lost(3.0), (3,))


class Forgets(Square):
    """Comes back from a pickle without its gain; copies keep it."""

    gain = 1.0

    def __init__(self):
        self.gain = 2.0

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "gain"}

    def __deepcopy__(self, memo):
        other = type(self)()
        vars(other).update(copy.deepcopy(super().__getstate__(), memo))
        return other

    def forward(self, x):
        return super().forward(x) * x.dtype.type(self.gain)

    def backward(self, dy):
        return super().backward(dy) * dy.dtype.type(self.gain)


def test_pickling():
    class Local(Square):
        pass

    assert "pickling" in check_layer(Square(), (3,)).passed
    assert "not importable" in check_layer(Local(), (3,)).skipped["pickling"]
    catches("pickling", "after pickling the output", Forgets(), (3,))
