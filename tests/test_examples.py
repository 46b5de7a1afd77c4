"""The examples run, and the worked one is right: three ways to each gradient agree."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "examples"


def load(name):
    """Import an example by its path, as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


softmax, spiral = load("softmax_by_hand"), load("spiral")
EVERY = [(f, name) for f in softmax.ACTIVATIONS for name in softmax.GRADIENTS]


@pytest.fixture(scope="module")
def results():
    return {f: softmax.compare(softmax.problem(), pair) for f, pair in softmax.ACTIVATIONS.items()}


@pytest.mark.parametrize(("f", "name"), EVERY)
def test_by_hand_agrees_with_central_differences(results, f, name):
    by_hand, _, numeric = results[f][f"d{name}"]
    assert by_hand.dtype == np.float64
    assert np.abs(by_hand - numeric).max() <= 1e-9 * np.abs(by_hand).max()


@pytest.mark.parametrize(("f", "name"), EVERY)
def test_handbrew_agrees_with_both(results, f, name):
    by_hand, layers, numeric = results[f][f"d{name}"]
    assert layers.dtype == np.float64
    assert softmax.difference(layers, by_hand) < 1e-14
    assert np.abs(layers - numeric).max() <= 1e-9 * np.abs(layers).max()


@pytest.mark.parametrize("f", softmax.ACTIVATIONS)
def test_the_loss_and_the_net_as_a_whole_agree(f):
    given, activation = softmax.problem(), softmax.ACTIVATIONS[f]
    v = softmax.forward(given, activation)
    loss, grads = softmax.by_handbrew(v, activation)
    assert loss == pytest.approx(v["L"].mean(), rel=1e-14)
    assert set(grads) == {f"d{name}" for name in softmax.GRADIENTS}


def test_the_product_of_the_two_steps_is_the_short_formula():
    v = softmax.forward(softmax.problem(), softmax.ACTIVATIONS["relu"])
    g = softmax.backward(v, softmax.ACTIVATIONS["relu"])
    np.testing.assert_allclose(g["dLi/dS"], v["O2"] - np.eye(3)[v["y"]], rtol=1e-14, atol=1e-15)


def test_no_unit_is_near_the_kink_where_differences_mean_nothing():
    v = softmax.forward(softmax.problem(), softmax.ACTIVATIONS["relu"])
    assert np.abs(v["Z1"]).min() > 100 * softmax.STEP


@pytest.mark.parametrize("f", ["relu", "tanh"])
def test_the_page_shows_every_result_three_times_and_the_same_each_time(f, capsys):
    softmax.main(f)
    first = capsys.readouterr().out
    softmax.main(f)
    assert capsys.readouterr().out == first
    assert first.count("by central differences\n") >= 4
    assert len(first.splitlines()) < 250
    assert max(map(len, first.splitlines())) < 95


class TestFourSlips:
    """What a reader may meet elsewhere, and why it is wrong."""

    given = softmax.problem()
    relu = softmax.ACTIVATIONS["relu"]
    v = softmax.forward(given, relu)
    onehot = np.eye(3)[given["y"]]

    def test_minus_one_over_n_points_uphill(self):
        numeric = softmax.by_differences(self.given, self.v, "W2", self.relu)
        plus = self.v["O1"].T @ (self.v["O2"] - self.onehot) / 5
        assert softmax.difference(plus, numeric) < 1e-9
        assert softmax.difference(-plus, numeric) == pytest.approx(2)

    def test_the_sum_of_squares_is_not_the_square_of_the_sum(self):
        U, y = self.v["U"], self.given["y"]
        h, i, k = 1e-5, 0, (y[0] + 1) % 3
        nudge = np.zeros_like(U)
        nudge[i, k] = h
        S = self.v["S"]
        plus, minus = (
            softmax.forward({**self.given, "S": changed}, self.relu)["O2"][i, y[i]]
            for changed in (S + nudge, S - nudge)
        )
        slope = (plus - minus) / (2 * h)
        product = -U[i, y[i]] * U[i, k]
        assert product / U[i].sum() ** 2 == pytest.approx(slope, rel=1e-8)
        assert abs(product / (U[i] ** 2).sum() / slope) > 1.5

    def test_an_alias_destroys_the_probabilities(self):
        O2 = self.v["O2"].copy()
        dS = O2
        dS[np.arange(5), self.given["y"]] -= 1
        np.testing.assert_allclose(O2.sum(axis=1), 0, atol=1e-15)
        assert (O2 < 0).any()

    def test_exp_of_large_scores_overflows_unless_the_maximum_is_subtracted(self):
        large = {**self.given, "S": self.v["S"] + 1000}
        with np.errstate(over="ignore"):
            assert np.isinf(np.exp(large["S"])).all()
        np.testing.assert_allclose(softmax.forward(large, self.relu)["O2"], self.v["O2"], rtol=1e-12)

    def test_the_example_measures_them(self):
        said = list(softmax.slips(self.given, self.relu).values())
        assert "200%" in said[0]
        assert "should be" in said[1]
        assert "sum to 0" in said[2]
        assert "nan" in said[3]


def test_spiral_is_learned_by_hidden_layers_and_not_by_a_line():
    line, data = spiral.train(layers=0)
    net, _ = spiral.train(layers=2)
    assert line.evaluate(*data).accuracy < 0.7
    assert net.evaluate(*data).accuracy > 0.95
    axis, classes = spiral.plane(net, steps=20)
    assert axis.shape == (20,)
    assert set(classes.flat) == {0, 1, 2}


def test_spiral_finishes_without_matplotlib(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    spiral.main("nowhere.png")
    assert "handbrew[plot]" in capsys.readouterr().out


def test_spiral_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    spiral.main(str(tmp_path / "spiral.png"))
    assert (tmp_path / "spiral.png").read_bytes()[:4] == b"\x89PNG"
    assert "two hidden layers" in capsys.readouterr().out
