import os
import re
import signal

import caffe_oracle as oracle
import numpy as np
import pytest
from caffe_setups import CLASSES, NET, write

from handbrew.data import Dataset, FileFormatError, digits
from handbrew.nets.caffe import load_caffe, read_caffemodel
from handbrew.solvers import CaffeSolver

DIGITS = digits()
IMAGES = Dataset((DIGITS.X.reshape(-1, 1, 8, 8) * 16).astype(np.uint8), DIGITS.y)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def small(folder, lines=None, **settings):
    """A solver in float64 that starts where the oracle does, and what the oracle needs."""
    w, X, Y = oracle.start()
    samples = {"data": X, "target": Y}
    path = write(folder, NET, snapshot_after_train=False, **settings)
    solver = CaffeSolver(path, samples, samples, log=(lines if lines is not None else []).append)
    solver.net.astype(np.float64)
    for name, values in w.items():
        solver.net.params[name].data = values.T
    return solver, w, (X, Y)


@pytest.mark.parametrize("rest", oracle.REST, ids=lambda rest: "-".join(rest) or "plain")
@pytest.mark.parametrize("rule", oracle.RULES, ids=lambda rule: rule["type"])
def test_iterations_are_caffes(tmp_path, rule, rest):
    settings = {**rule, **oracle.POLICIES[1], **rest, "display": 1}
    lines = []
    solver, w, (X, Y) = small(tmp_path, lines, **settings)
    assert solver.solve()
    read = {name: getattr(solver.param, name) for name in settings}  # numbers as float32 has them
    losses = oracle.train(read, w, oracle.batches(X, Y, 8 * rest.get("iter_size", 1)))
    shown = [float(line.rpartition(" ")[2]) for line in lines if "iter/s" in line]
    np.testing.assert_allclose(shown, losses, rtol=1e-5)
    for name, values in w.items():
        np.testing.assert_allclose(solver.net.params[name].data.T, values, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("policy", oracle.POLICIES, ids=lambda settings: settings["lr_policy"])
def test_rates_are_caffes(tmp_path, policy):
    lines = []
    solver, _, _ = small(tmp_path, lines, **policy, base_lr=0.01, display=1)
    solver.solve()
    read = {name: getattr(solver.param, name) for name in ("base_lr", *policy)}
    rates = [line.split("lr = ")[1] for line in lines if "lr = " in line]
    assert rates == [f"{oracle.rate(read, it):g}" for it in range(8)]


def test_the_lines_of_a_training(tmp_path):
    lines = []
    solver, *_ = small(tmp_path, lines, test_iter=[3], test_interval=4, display=4, test_compute_loss=True)
    assert solver.solve()
    numbers = [re.sub(r"([=:] )[-\d.e]+", r"\1#", re.sub(r" \(\S+ iter/s, \S+s/4 iters\)", "", line)) for line in lines]
    test = ["Iteration {}, Testing net (#0)", "Test loss: #", "    Test net output #0: loss = # (* 1 = # loss)"]
    train = ["Iteration {}, loss = #", "    Train net output #0: loss = # (* 1 = # loss)", "Iteration {}, lr = #"]
    expected = ["Solving Small", "Learning Rate Policy: fixed"]
    expected += [line.format(it) for it in (0, 4) for line in (*test, *train)]
    expected += ["Iteration 8, loss = #", *(line.format(8) for line in test), "Optimization Done."]
    assert numbers == expected


def test_a_test_is_the_mean_over_its_batches(tmp_path):
    solver, w, (X, Y) = small(tmp_path, test_iter=[2], test_interval=100)
    solver.test_nets[0].astype(np.float64)
    [found] = solver.test()
    losses = [oracle.loss_and_gradients(w, *batch)[0] for batch in oracle.batches(X, Y, 2, size=7)]
    assert found == {"loss": pytest.approx(np.mean(losses), rel=1e-6)}
    [again] = solver.test()  # goes on with the third batch
    losses = [oracle.loss_and_gradients(w, *batch)[0] for batch in oracle.batches(X, Y, 4, size=7)[2:]]
    assert again == {"loss": pytest.approx(np.mean(losses), rel=1e-6)}


def classes(path, *more, **options):
    return CaffeSolver(path, IMAGES, IMAGES, log=list(more).append, **options)


def state(solver):
    return {**solver.net.state(), "history": solver.rule.state()["arrays"]}


@pytest.mark.parametrize("rule", oracle.RULES, ids=lambda rule: rule["type"])
def test_a_snapshot_goes_on_to_the_same_bits(tmp_path, rule):
    settings = {**rule, "snapshot": 5, "max_iter": 10, "iter_size": 2, "test_iter": 2, "test_interval": 3}
    whole = classes(write(tmp_path, CLASSES, **settings))
    assert whole.solve()
    assert sorted(p.name for p in tmp_path.glob("solver_iter_*")) == [
        f"solver_iter_{n}.{ending}" for n in (10, 5) for ending in ("caffemodel", "solverstate.safetensors")
    ]
    again = classes(tmp_path / "solver.prototxt")
    again.restore("solver_iter_5.solverstate.safetensors")
    assert again.iteration == 5
    assert again.solve()
    mine, other = state(again), state(whole)
    for path, arrays in other.pop("history").items():
        for name, values in arrays.items():
            np.testing.assert_array_equal(mine["history"][path][name], values, err_msg=f"{path} {name}")
    for path, values in other.items():
        np.testing.assert_array_equal(mine[path], values, err_msg=path)


def test_the_caffemodel_holds_the_weights(tmp_path):
    solver = classes(write(tmp_path, CLASSES, max_iter=3, snapshot_prefix="deep/small"))
    solver.solve()
    model = tmp_path / "deep" / "small_iter_3.caffemodel"
    kinds = [(weights.name, weights.kind) for weights in read_caffemodel(model)]
    assert kinds == [("conv", "Convolution"), ("bn", "BatchNorm"), ("scale", "Scale"), ("ip", "InnerProduct")]
    given = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 7 dim: 7 } } }'
    body = CLASSES[CLASSES.index('layer {\n  name: "conv"') : CLASSES.index('layer { name: "accuracy"')]
    net = load_caffe(given + body, model)
    X = np.random.default_rng(0).standard_normal((4, 1, 7, 7)).astype(np.float32)
    np.testing.assert_allclose(net.forward(X), solver.net.eval().forward(data=X), rtol=1e-5, atol=1e-6)


def test_the_folder_of_snapshots(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    where = {"snap/toy": tmp_path / "snap", "models/snap/toy": folder / "snap", "very/deep/toy": folder}
    for prefix, expected in where.items():
        path = write(folder, CLASSES, max_iter=1, snapshot_prefix=prefix)
        solver = classes(path)
        assert not expected.is_dir() or expected == folder  # made with the first snapshot only
        solver.solve()
        assert {p.name for p in expected.glob("toy_iter_1.*")} == {
            "toy_iter_1.caffemodel", "toy_iter_1.solverstate.safetensors"
        }  # fmt: skip
    assert not (tmp_path / "very").exists()


def test_a_layer_without_weights_to_begin_with_is_told_once(tmp_path):
    first = classes(write(tmp_path, CLASSES, max_iter=1))
    first.solve()
    renamed = classes(write(tmp_path, CLASSES.replace('"ip"', '"new"'), test_iter=1, test_interval=1))
    with pytest.warns(UserWarning, match="initial values") as told:
        renamed.load(["solver_iter_1.caffemodel"])
    assert [str(warning.message) for warning in told] == [
        "'new' keeps its initial values; the weights have none for it, and no layer took those of 'ip'"
    ]


def test_weights_to_begin_with(tmp_path):
    first = classes(write(tmp_path, CLASSES, max_iter=2))
    first.solve()
    for more in ({}, {"weights": "solver_iter_2.caffemodel"}):
        second = classes(write(tmp_path, CLASSES, random_seed=2, **more))
        if not more:
            second.load(["solver_iter_2.caffemodel"])
        for path, values in first.net.state().items():
            np.testing.assert_array_equal(second.net.state()[path], values, err_msg=path)


def test_hdf5_snapshots(tmp_path):
    path = write(tmp_path, CLASSES, max_iter=1)
    path.write_text(path.read_text() + "snapshot_format: HDF5\n")
    solver = classes(path)
    solver.solve()
    weights = {given.name: given.blobs for given in read_caffemodel(tmp_path / "solver_iter_1.caffemodel.h5")}
    np.testing.assert_array_equal(weights["ip"][0], solver.net.params["ip.W"].data.T)


def test_sigint_stops_and_sighup_does_not(tmp_path):
    lines = []
    path = write(tmp_path, CLASSES, max_iter=9, display=1)

    def log(line):
        lines.append(line)
        if line.startswith("Iteration 2,"):
            os.kill(os.getpid(), signal.SIGHUP)
        if line.startswith("Iteration 4,"):
            os.kill(os.getpid(), signal.SIGINT)

    solver = CaffeSolver(path, IMAGES, IMAGES, log=log)
    assert solver.solve() is False
    assert solver.iteration == 5
    assert lines[-1] == "Optimization stopped early."
    assert {p.name for p in tmp_path.glob("*.caffemodel")} == {"solver_iter_3.caffemodel", "solver_iter_5.caffemodel"}
    with pytest.raises(KeyboardInterrupt):
        solver.signals.leave()


def test_an_interrupted_test(tmp_path):
    lines = []

    def log(line):
        lines.append(line)
        if "Testing net" in line:
            os.kill(os.getpid(), signal.SIGINT)

    solver = CaffeSolver(write(tmp_path, CLASSES, test_iter=5, test_interval=3), IMAGES, IMAGES, log=log)
    assert solver.solve() is False
    assert solver.iteration == 0
    assert "Test interrupted." in lines


def test_several_test_nets(tmp_path):
    stage = CLASSES.replace('top: "accuracy" include { phase: TEST', 'top: "accuracy" include { phase: TEST stage: "a"')
    (tmp_path / "other.prototxt").write_text(CLASSES)
    path = write(
        tmp_path, stage, test_net="other.prototxt", test_iter=[1, 2, 1], test_interval=5, test_initialization=False
    )
    path.write_text(path.read_text() + 'test_state { } test_state { stage: "a" } test_state { }\n')
    solver = classes(path)
    assert [list(found) for found in solver.test()] == [["accuracy", "loss"], ["accuracy", "loss"], ["loss"]]


def test_a_net_within_the_solver(tmp_path):
    path = write(tmp_path, CLASSES)
    text = path.read_text().replace('net: "net.prototxt"', "")
    tests = f"test_net_param {{ {CLASSES} }} test_iter: 1 test_interval: 9"
    path.write_text(f"{text}\ntrain_net_param {{ {CLASSES} }}\n{tests}")
    solver = classes(path)
    assert (solver.train.param.name, len(solver.test_nets)) == ("Classes", 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"train_net": "net.prototxt"},
            "expected one of net, net_param, train_net, train_net_param; got net and train_net",
        ),
        ({"test_net": "net.prototxt"}, "test_iter: expected one for each of 1 test nets, got 0"),
        ({"test_iter": 3}, "test_interval: expected at least 1"),
        ({"lr_policy": "cosine"}, "lr_policy: expected one of"),
        ({"base_rate": 0.1}, "has no field 'base_rate' in SolverParameter"),
    ],
)
def test_solvers_that_make_no_sense(tmp_path, settings, said):
    with pytest.raises(FileFormatError, match=said):
        classes(write(tmp_path, CLASSES, **settings))


def test_snapshots_that_are_none(tmp_path):
    solver = classes(write(tmp_path, CLASSES, max_iter=1))
    solver.solve()
    solver.restore("solver_iter_1.caffemodel")  # the state lies beside it
    (tmp_path / "solver_iter_1.solverstate.safetensors").rename(tmp_path / "elsewhere.safetensors")
    with pytest.raises(FileFormatError, match=r"solver_iter_1\.caffemodel: expected a snapshot .*--weights"):
        solver.restore("solver_iter_1.caffemodel")
    other, _, _ = small(tmp_path)
    (tmp_path / "elsewhere.safetensors").rename(tmp_path / "a.solverstate.safetensors")
    with pytest.raises(ValueError, match="another net"):
        other.restore("a.solverstate.safetensors")


def test_what_has_no_use_is_told(tmp_path):
    with pytest.warns(UserWarning, match="debug_info has no use here"):
        classes(write(tmp_path, CLASSES, debug_info=True))


def test_a_folder_that_cannot_be_written_into(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="snapshot_prefix"):
        classes(write(tmp_path, CLASSES))
