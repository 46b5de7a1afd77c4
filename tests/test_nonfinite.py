"""The first number that is not finite: who made it, that nothing is lost by it, and that it can be repeated."""

import copy
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nonfinite_layers import CUSTOM, Bare, DividesByZero, Fused, Hands, Mask, Spike
from specimens import Running

from handbrew.data import FileFormatError, blobs
from handbrew.layers import (
    Affine,
    BatchNorm,
    Branches,
    Dropout,
    Exp,
    Layer,
    Log,
    MeanSquaredError,
    Normal,
    ReLU,
    Residual,
    Softmax,
    SoftmaxCrossEntropy,
    StateError,
)
from handbrew.nets import Sequential, load_net
from handbrew.solvers import SGD, Dump, NonFiniteError, Watch, replay

NAN, INF = float("nan"), float("inf")
TESTS = str(Path(__file__).parent)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)


def train(net, X, y, *weight, solver=None, steps=1):
    """The loop that the documentation of ``Watch`` shows; return the error."""
    solver = solver or SGD(net, lr=0.1)
    watch = Watch(net)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            watch.note()
            loss = net.forward(X, y, *weight)
            if not math.isfinite(loss):
                return watch.explain(f"the loss is {loss}", X, y, *weight)
            net.backward()
            try:
                solver.step()
                solver.check_results()
            except NonFiniteError as error:
                return watch.explain(str(error), X, y, *weight, error=error)
    raise AssertionError("everything was finite")


def classifier(*layers):
    return Sequential(*layers, Affine(3).named("last"), SoftmaxCrossEntropy().named("loss"), seed=1)


def regression(*layers):
    return Sequential(*layers, MeanSquaredError().named("loss"), seed=1)


def put(array, index, value):
    array[index] = value


def plain(spoil=None):
    """A net of two layers and a batch, with something spoilt."""
    net = classifier(Affine(4).named("fc"), ReLU())
    net.build((4,))
    X, y = batch()
    if spoil:
        spoil(net, X)
    return net, X, y


def with_batch(net):
    return net, *batch()


def for_target(spoil=None, weight=()):
    net, (X, _) = regression(Affine(2).named("fc")), batch()
    y = np.zeros((6, 2), np.float32)
    if spoil:
        spoil(y)
    return net, X, y, *weight


def built(net, spoil):
    net.build((4,))
    spoil(net)
    return with_batch(net)


def loss_alone():
    net, X, y = for_target()
    net.build((4,))
    net.params["fc.b"].data[...] = 3e38
    return net, X, y


def tied_case(spoil_weight):
    fc = Affine(4).named("one")
    net = classifier(fc, ReLU(), fc.tied().named("two"), *([] if spoil_weight else [Exp().named("exp")]))
    net.build((4,))
    if spoil_weight:
        net.params["one.b"].data[3] = NAN
    else:
        net.params["one.b"].data[1] = 1e3
    return with_batch(net)


def ignored():
    net = Sequential(Affine(3), Spike(forward=NAN).named("spike"), SoftmaxCrossEntropy(ignore_index=0), seed=0)
    X, y = batch()
    y[2] = 0
    y[3] = 1
    return net, X, y


def overflow():
    net = classifier(Affine(4).named("fc"), Exp().named("exp"))
    net.build((4,))
    net.params["fc.b"].data[3] = 100
    return with_batch(net)


def too_large():
    X, y = batch()
    X = X.astype(np.float64)
    X[4, 2] = 1e300
    return classifier(Affine(4)), X, y


def deep(spike):
    inside = Residual(Sequential(Branches(Affine(2), Sequential(Affine(2), spike.named("spike")))))
    return with_batch(classifier(Residual(inside), ReLU()))


# A net and its batch, and what is expected: layer, direction, array, index, produced.
CASES = {
    "input": (
        lambda: plain(lambda net, X: put(X, (5, 1), NAN)),
        ("", "forward", "input", (5, 1), False),
    ),
    "input beyond float32": (too_large, ("", "forward", "input", (4, 2), False)),
    "target": (
        lambda: for_target(lambda y: put(y, (3, 0), INF)),
        ("", "forward", "target", (3, 0), False),
    ),
    "weight": (
        lambda: for_target(weight=[np.float32([[1, 1]] * 5 + [[1, NAN]])]),
        ("", "forward", "weight", (5, 1), False),
    ),
    "parameter": (
        lambda: plain(lambda net, X: put(net.params["last.W"].data, (1, 2), INF)),
        ("last", "update", "last.W", (1, 2), False),
    ),
    "buffer": (
        lambda: built(classifier(Running().named("run")), lambda net: put(net.buffers["run.mean"].data, (3,), -INF)),
        ("run", "forward", "run.mean", (3,), False),
    ),
    "buffer in evaluation mode": (
        lambda: built(
            classifier(BatchNorm().eval().named("norm")), lambda net: put(net.buffers["norm.var"].data, (0,), NAN)
        ),
        ("norm", "forward", "norm.var", (0,), False),
    ),
    "forward": (
        lambda: with_batch(classifier(Affine(4), Spike(forward=NAN).named("spike"))),
        ("spike", "forward", "output", (2, 1), True),
    ),
    "backward": (
        lambda: with_batch(classifier(Affine(4), Spike(backward=-INF).named("spike"))),
        ("spike", "backward", "dx", (2, 1), True),
    ),
    "gradient alone": (
        lambda: with_batch(classifier(Affine(4), Spike(grad=NAN).named("spike"))),
        ("spike", "backward", "spike.w.grad", (1,), True),
    ),
    "overflow": (overflow, ("exp", "forward", "output", (0, 3), True)),
    "the loss itself": (loss_alone, ("loss", "forward", "output", (), True)),
    "nested forward": (
        lambda: deep(Spike(forward=INF)),
        ("residual1.body.body.branches1.bodies.1.spike", "forward", "output", (2, 1), True),
    ),
    "nested backward": (
        lambda: deep(Spike(backward=NAN)),
        ("residual1.body.body.branches1.bodies.1.spike", "backward", "dx", (2, 1), True),
    ),
    "nested gradient": (
        lambda: deep(Spike(grad=INF)),
        (
            "residual1.body.body.branches1.bodies.1.spike",
            "backward",
            "residual1.body.body.branches1.bodies.1.spike.w.grad",
            (1,),
            True,
        ),
    ),
    "tied parameter": (lambda: tied_case(True), ("one", "update", "one.b", (3,), False)),
    "after a tied layer": (lambda: tied_case(False), ("exp", "forward", "output", None, True)),
    "by the draw of dropout": (
        lambda: with_batch(classifier(Affine(4), Exp(), Dropout(0.5), Log().named("log"))),
        ("log", "forward", "output", None, True),
    ),
    "at an ignored position": (ignored, ("spike", "forward", "output", (2, 1), True)),
    "after an infinity that is meant": (
        lambda: with_batch(classifier(Affine(4), Mask(), Softmax(), Spike(forward=NAN).named("spike"))),
        ("spike", "forward", "output", (2, 1), True),
    ),
    "backward below an infinity that is meant": (
        lambda: with_batch(classifier(Affine(4), Spike(grad=NAN).named("spike"), Mask(), Softmax())),
        ("spike", "backward", "spike.w.grad", (1,), True),
    ),
    "handed over": (
        lambda: with_batch(classifier(Hands(forward=INF).named("hands"))),
        ("hands", "forward", "hands.inner.input", (0, 0), True),
    ),
    "handed down": (
        lambda: with_batch(classifier(Affine(4), Hands(backward=INF).named("hands"))),
        ("hands", "backward", "hands.inner.dy", (0, 0), True),
    ),
    "a container's own work": (
        lambda: with_batch(classifier(Affine(4), Fused().named("fused"))),
        ("fused", "backward", "fused.inner.b.grad", (0,), True),
    ),
}


def state_of(net):
    return net.state(), net.generator_states()


def assert_same(one, other):
    assert one[0].keys() == other[0].keys()
    for path, array in one[0].items():
        np.testing.assert_array_equal(array, other[0][path], err_msg=path)
    assert one[1] == other[1]


def attributes(error):
    return [error.layer, error.direction, error.array, list(error.index), error.produced, str(error)]


@pytest.mark.parametrize("case", CASES)
def test_it_is_named_and_nothing_is_lost(case):
    make, (layer, direction, array, index, produced) = CASES[case]
    net, *arrays = make()
    net.build((4,))
    before = state_of(net)
    error = train(net, *arrays)
    assert (error.layer, error.direction, error.array, error.produced) == (layer, direction, array, produced)
    assert error.index == index or index is None
    message = str(error)
    assert dict(net.walk())[layer].where in message or not layer
    assert f"at index {error.index} (" in message or not error.index
    assert ("produced it in its" in message, "passes it on" in message) == (produced, not produced)
    assert_same(before, state_of(net))
    for _, part in net.walk():
        assert not {"forward", "backward"} & vars(part).keys()  # nobody watches any more
    assert all(p.fresh for p in net.params.values())
    assert attributes(train(net, *arrays)) == attributes(error)


def test_all_of_them_again_in_another_process(tmp_path):
    expected = {}
    for number, (make, _) in enumerate(CASES.values()):
        error = train(*make())
        path = tmp_path / f"{number}.dump"
        error.dump.save(path)
        expected[str(path)] = attributes(error)
    program = """
import json, sys
from nonfinite_layers import CUSTOM
from handbrew.solvers import NonFiniteError, replay
for path in sys.argv[1:]:
    try:
        replay(path, custom=CUSTOM)
    except NonFiniteError as e:
        print(json.dumps([path, [e.layer, e.direction, e.array, e.index, e.produced, str(e)]]))
"""
    command = [sys.executable, "-W", "error", "-c", program, *expected]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert not done.stderr
    assert dict(map(json.loads, done.stdout.splitlines())) == expected


def test_the_masks_of_dropout_are_those_of_the_pass_that_failed():
    """The seventh mask, not the first."""
    X, y = batch()
    net = classifier(Affine(4).named("fc"), Exp(), Dropout(0.5).named("drop"), Log().named("log"))
    net.build((4,))
    drop = dict(net.walk())["drop"]
    for _ in range(6):
        drop.forward(X)
    dropped = drop.forward(np.ones((6, 4), np.float32)) == 0
    net.load_generator_states({})
    for _ in range(6):
        drop.forward(X)
    before = net.generator_states()
    error = train(net, X, y)
    assert error.layer == "log"
    assert error.index == tuple(np.argwhere(dropped)[0])
    assert f"({dropped.sum()} of 24 elements" in str(error)
    assert net.generator_states() == before == error.dump.generators
    with pytest.raises(NonFiniteError) as caught:
        replay(error.dump)
    assert attributes(caught.value) == attributes(error)


def test_batch_statistics_that_a_bad_batch_has_spoilt_are_put_back():
    net, X, y = plain()
    net = classifier(BatchNorm().named("norm"), Affine(4))
    net.build((4,))
    train_well(net, X, y)
    before = state_of(net)
    X[1, 1] = INF
    error = train(net, X, y)
    assert (error.layer, error.array, error.index) == ("", "input", (1, 1))
    assert_same(before, state_of(net))
    np.testing.assert_array_equal(error.dump.arrays["norm.mean"], before[0]["norm.mean"])


def train_well(net, X, y):
    solver = SGD(net, lr=0.1)
    for _ in range(3):
        net.forward(X, y)
        net.backward()
        solver.step()


def test_training_goes_on_once_the_data_are_clean():
    X, y = batch()
    one, other = plain()[0], plain()[0]
    dirty = X.copy()
    dirty[0, 0] = NAN
    solver = SGD(one, lr=0.1)
    train(one, dirty, y, solver=solver)
    assert solver.steps == 0
    train_well(one, X, y)
    train_well(other, X, y)
    assert_same(state_of(one), state_of(other))


def test_a_net_that_is_only_a_layer():
    X, _ = batch()
    net = Bare()
    error = train(net, X, np.zeros((6, 4), np.float32))
    assert (error.layer, error.array, error.index) == ("parts.1", "output", (2, 1))
    with pytest.raises(ValueError, match="describes a Bare, expected a Sequential"):
        replay(error.dump, custom=[*CUSTOM])
    with pytest.raises(NonFiniteError) as caught:
        replay(error.dump, copy.deepcopy(net))
    assert attributes(caught.value) == attributes(error)


def test_one_whose_rate_is_too_high():
    net, X, y = plain()
    net.params["fc.W"].data *= 1e4
    error = train(net, X, y, solver=SGD(net, lr=1e38))
    assert error.direction == "update"
    name = error.array
    assert f"step: after the update, {name} has" in str(error)
    assert not np.isfinite(net.params[name].data[error.index])
    assert "lower learning rate" in str(error)
    with pytest.raises(NonFiniteError) as caught:
        replay(error.dump)
    assert attributes(caught.value) == attributes(error)


def test_a_rate_that_leaves_other_layers_huge_but_finite():
    """The pass would run away in one of those first, but it was the update that did it."""
    data = blobs(seed=0)
    net = Sequential(Affine(4).named("a"), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=0)
    with pytest.raises(NonFiniteError, match="the parameters have changed: go back to a snapshot") as caught:
        SGD(net, lr=1e38).fit(data, epochs=3, progress=False)
    error = caught.value
    assert (error.direction, error.array, error.layer, error.produced) == ("update", "affine2.W", "affine2", True)
    assert not np.isfinite(net.params[error.array].data[error.index])


def test_a_rule_that_divides_by_zero():
    net, X, y = plain()
    error = train(net, X, y, solver=DividesByZero(net, lr=0.1))
    assert (error.direction, error.array, error.layer) == ("update", "fc.W", "fc")


def test_a_rules_own_array():
    """Which no pass reads."""
    net, X, y = plain()
    watch = Watch(net)
    watch.note()
    net.forward(X, y)
    seen = NonFiniteError("seen", layer="fc", direction="update", array="velocity of fc.W", index=(1, 2), produced=True)
    error = watch.explain("step: velocity of fc.W has inf", X, y, error=seen)
    assert attributes(error)[:5] == ["fc", "update", "velocity of fc.W", [1, 2], True]
    assert "velocity of fc.W has inf. The rule made it out of finite numbers, and the parameters" in str(error)
    replay(error.dump)


class Moody(Layer):
    """Keeps a count where nobody looks."""

    def __init__(self):
        self.count = 0

    def forward(self, x):
        self.count += 1
        if self.count == 3:
            raise ZeroDivisionError("thrice")
        return x * np.float32(NAN if self.count == 1 else 1)

    def backward(self, dy):
        return dy


def test_what_does_not_happen_again():
    net, X, y = plain()
    net = classifier(Moody())
    error = train(net, X, y)
    assert (error.layer, error.direction, error.array, error.index) == (None,) * 4
    assert "the loss is nan. Run again, the batch gave a finite loss and finite gradients" in str(error)
    assert error.dump.X is not X
    watch = Watch(net)
    watch.note()
    said = watch.explain("the loss is nan", X, y)
    assert "Run again, the batch failed with ZeroDivisionError: thrice" in str(said)
    for _, part in net.walk():
        assert not {"forward", "backward"} & vars(part).keys()


def test_other_processes_are_not_waited_for():
    X, y = batch()
    net = classifier(BatchNorm().named("norm"))
    net.build((4,))
    norm = dict(net.walk())["norm"]
    watch = Watch(net)
    watch.note()
    norm.across = lambda array: pytest.fail("a message to processes that do not listen")
    across = norm.across
    X[0, 0] = NAN
    assert watch.explain("the loss is nan", X, y).array == "input"
    assert norm.across is across


def test_the_first_time_that_layers_run_is_told_rightly():
    """Before it, they have no arrays."""
    X, y = batch()
    error = train(classifier(Affine(4), Spike(backward=NAN).named("spike")), X, y)
    assert (error.layer, error.array, error.index) == ("spike", "dx", (2, 1))


def test_what_was_in_the_gradients_before_is_not_looked_at():
    net, X, y = with_batch(classifier(Spike(grad=NAN).named("spike")))
    net.build((4,))
    watch = Watch(net)
    watch.note()
    net.params["last.W"].grad = np.full((4, 3), INF, np.float32)
    assert watch.explain("seen", X, y).layer == "spike"


class Remembers(Running):
    """With a buffer that starts at random."""

    def build(self, in_shape):
        super().build(in_shape)
        self.start = self.buffer("start", in_shape, Normal(std=1.0))
        return in_shape

    def forward(self, x):
        self.start.data += 1
        return super().forward(x)


def test_buffers_that_the_first_pass_has_made_are_as_they_begin():
    X, y = batch()
    X[0, 0] = NAN
    nets = [classifier(BatchNorm(), Residual(Remembers())) for _ in range(2)]
    nets[0].build((4,))
    error = train(nets[1], X, y)
    for path, buffer in nets[0].buffers.items():
        np.testing.assert_array_equal(nets[1].buffers[path].data, buffer.data)
        np.testing.assert_array_equal(error.dump.arrays[path], buffer.data)


def test_fit_and_the_errors_attributes():
    data = blobs(120)
    X = data.X.copy()
    X[70, 1] = NAN
    net = Sequential(Affine(16), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=0)
    with pytest.raises(
        NonFiniteError, match=r"in epoch 1, batch \d of 4, the loss is nan: the input has nan"
    ) as caught:
        SGD(net, lr=0.1).fit((X, data.y), epochs=1, progress=False)
    error = caught.value
    assert (error.layer, error.direction, error.array, error.produced) == ("", "forward", "input", False)
    assert np.isnan(error.dump.X[error.index])
    assert len(error.dump.X) == 32
    with pytest.raises(NonFiniteError) as again:
        replay(error.dump)
    assert str(again.value) == str(error)


def test_fit_when_a_gradient_is_not_finite():
    data = blobs(64)
    net = Sequential(Affine(4), Spike(grad=NAN).named("spike"), Affine(3), SoftmaxCrossEntropy(), seed=0)
    with pytest.raises(NonFiniteError, match=r"in epoch 1, batch 1 of 2, .*gradient of spike\.w has nan") as caught:
        SGD(net, lr=0.1, momentum=0.9).fit(data, epochs=1, progress=False)
    assert (caught.value.layer, caught.value.array) == ("spike", "spike.w.grad")
    fresh = Sequential(Affine(4), Spike(), Affine(3), SoftmaxCrossEntropy(), seed=0)
    fresh.build((2,))
    for p, q in zip(fresh.params.values(), net.params.values(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)  # nothing was applied


def test_errors_can_be_pickled_and_made_without_details():
    error = pickle.loads(pickle.dumps(train(*plain(lambda net, X: put(X, (0, 0), NAN)))))
    assert (error.array, error.index, error.dump.what) == ("input", (0, 0), "the loss is nan")
    assert NonFiniteError("no more").layer is None


class TestFile:
    """A dump on disk."""

    @pytest.fixture
    def error(self):
        weight = np.ones((6, 2), np.float32)
        net, X, y, _ = for_target(lambda y: put(y, (0, 0), NAN), weight=[weight])
        net.build((4,))
        return train(net, X, y, weight)

    @pytest.fixture
    def path(self, error, tmp_path):
        error.dump.save(tmp_path / "batch.dump")
        return tmp_path / "batch.dump"

    def test_is_read_as_it_was_written(self, error, path):
        found = Dump.read(path)
        for name, value in error.dump._asdict().items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(found, name), value, strict=True)
            elif name == "arrays":
                assert_same((value, {}), (found.arrays, {}))
            else:
                assert getattr(found, name) == value
        assert found.environment["numpy"] == np.__version__

    def test_is_small(self, error, path):
        held = error.dump
        arrays = [held.X, held.y, held.weight, *held.arrays.values()]
        assert path.stat().st_size < sum(array.nbytes for array in arrays) + 4000

    def test_modes_and_frozen_parameters_come_along(self, tmp_path):
        net = classifier(BatchNorm().eval().named("norm"), Affine(4), Spike(forward=NAN))
        net.build((4,))
        net.params["norm.gamma"].trainable = False
        dump = train(net, *batch()).dump
        dump.save(tmp_path / "x")
        dump = Dump.read(tmp_path / "x")
        made = dump.make_net(tmp_path / "x", CUSTOM)
        dump.restore(made)
        assert [path for path, layer in made.walk() if not layer.training] == ["norm"]
        assert not made.params["norm.gamma"].trainable

    def test_into_a_net_that_is_there(self, error, path):
        net = regression(Affine(2).named("fc"))
        with pytest.raises(NonFiniteError) as caught:
            replay(path, net)
        assert attributes(caught.value) == attributes(error)
        with pytest.raises(StateError, match="another net"):
            replay(path, regression(Affine(3).named("fc")))

    def test_of_a_net_that_is_no_data(self, tmp_path):
        class Call(Layer):
            def __init__(self, function):
                self.function = function

            def forward(self, x):
                return self.function(x)

            def backward(self, dy):
                return dy

        net = classifier(Call(lambda x: x / 0).named("call"))
        error = train(net, *batch())
        assert (error.layer, error.index) == ("call", (0, 0))
        error.dump.save(tmp_path / "x")
        with pytest.raises(ValueError, match=r"x: its net holds what is no data, such as a function: make it"):
            replay(tmp_path / "x")
        with pytest.raises(NonFiniteError):
            replay(tmp_path / "x", net)

    def test_of_a_net_with_classes_that_are_not_handbrews(self, tmp_path):
        train(*CASES["forward"][0]()).dump.save(tmp_path / "x")
        with pytest.raises(
            FileFormatError, match=r"x: the class 'Spike' is not handbrew's; if it is yours, pass custom"
        ):
            replay(tmp_path / "x")

    def test_is_told_from_other_files(self, path, tmp_path):
        net = plain()[0]
        net.save(tmp_path / "net.safetensors")
        with pytest.raises(FileFormatError, match="expected the dump of a NonFiniteError, got another file"):
            Dump.read(tmp_path / "net.safetensors")
        with pytest.raises(FileFormatError):
            load_net(path)

    def test_damaged(self, path, tmp_path):
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        other = tmp_path / "damaged"
        for _ in range(300):
            data = bytearray(whole[: rng.integers(len(whole)) if rng.random() < 0.3 else len(whole)])
            for at in rng.integers(len(data), size=3) if data else ():
                data[at] ^= int(rng.integers(1, 256))
            other.write_bytes(data)
            with pytest.raises(FileFormatError, match="damaged"):
                Dump.read(other)

    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t.pop("X"),
            lambda t: t.update(more=1),
            lambda t: t.update(X="a text"),
            lambda t: t.update(arrays=[]),
            lambda t: t.update(what=None),
            lambda t: t.update(architecture={}),
        ],
    )
    def test_with_other_things_in_it(self, error, tmp_path, change):
        fields = error.dump._asdict()

        class Forged(Dump):
            def _asdict(self):
                change(fields)
                return fields

        Forged(**fields).save(tmp_path / "forged")
        with pytest.raises(FileFormatError, match="forged"):
            Dump.read(tmp_path / "forged")

    def test_with_another_nets_generators_or_architecture(self, error):
        with pytest.raises(StateError, match="nowhere"):
            replay(error.dump._replace(generators={"nowhere": {}}))
        for text in ("", "{}", "[]", error.dump.architecture.replace("Affine", "Open")):
            with pytest.raises(FileFormatError):
                replay(error.dump._replace(architecture=text))
