import re

import numpy as np

from handbrew.solvers.caffe_lines import Display, means, number, output_lines, print_line, values_of


def test_glogs_prefix(capsys):
    print_line("Iteration 0, lr = 0.01")
    assert re.fullmatch(
        r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ solver\.cpp:1\] Iteration 0, lr = 0\.01\n", capsys.readouterr().out
    )


def test_numbers_are_spelt_as_in_c():
    assert [number(v) for v in (0.0100000001, 2.302585093, 1e-7, 100000.0, 1234567.0, float("nan"))] == [
        "0.01", "2.30259", "1e-07", "100000", "1.23457e+06", "nan",
    ]  # fmt: skip


def test_outputs_in_the_order_of_the_alphabet():
    values = values_of({"loss": 2.0, "accuracy": np.float32(0.5), "per_class": np.array([0.25, 0.75])})
    assert values == [("accuracy", 0.5), ("loss", 2.0), ("per_class", 0.25), ("per_class", 0.75)]
    assert list(output_lines("Test", values, {"loss": 0.5})) == [
        "    Test net output #0: accuracy = 0.5",
        "    Test net output #1: loss = 2 (* 0.5 = 1 loss)",
        "    Test net output #2: per_class = 0.25",
        "    Test net output #3: per_class = 0.75",
    ]


def test_means_over_batches():
    assert means([[("a", 1.0), ("b", 2.0)], [("a", 3.0), ("b", 2.0)]]) == [("a", 2.0), ("b", 2.0)]
    assert means([]) == []


def test_the_loss_shown_is_that_of_the_last_iterations():
    """Caffe keeps a running mean of its window; here it is followed step by step."""
    display, window, smoothed, kept = Display(2, 3), 3, 0.0, []
    for it, loss in enumerate([5.0, 1.0, 4.0, 2.0, 8.0, 6.0, 0.5]):
        display.add(loss)
        if len(kept) < window:
            kept.append(loss)
            smoothed = (smoothed * (len(kept) - 1) + loss) / len(kept)
        else:
            smoothed += (loss - kept[it % window]) / window
            kept[it % window] = loss
        assert display.loss == number(smoothed)
    assert [display.due(it) for it in range(4)] == [True, False, True, False]
    assert not Display(0, 1).due(0)


def test_what_is_shown_of_an_iteration():
    display = Display(10, 1)
    display.add(0.25)
    first, output, last = display.lines(20, [("loss", 0.25)], {"loss": 1.0}, 0.01)
    assert re.fullmatch(r"Iteration 20 \(\S+ iter/s, \S+s/10 iters\), loss = 0\.25", first)
    assert output == "    Train net output #0: loss = 0.25 (* 1 = 0.25 loss)"
    assert last == "Iteration 20, lr = 0.01"
