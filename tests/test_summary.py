"""``net.summary``: every number against one worked out by hand."""

import numpy as np
import pytest
from specimens import Running

from handbrew.layers import Affine, NotBuiltError, ReLU, Residual, SoftmaxCrossEntropy
from handbrew.nets import Sequential, SummaryRow


def test_every_number_of_the_4_10_3_net():
    net = Sequential(Affine(10), ReLU(), Affine(3).named("fc"), SoftmaxCrossEntropy())
    rows = net.summary((4,))
    assert tuple(rows) == (
        # 4 x 10 weights and 10 biases; a product and a sum for each weight, a sum for each bias
        SummaryRow("affine1", "Affine", (10,), 50, 50, 2 * 40 + 10, 4 * (50 + 10)),
        SummaryRow("relu1", "ReLU", (10,), 0, 0, 10, 4 * 10),
        SummaryRow("fc", "Affine", (3,), 33, 33, 2 * 30 + 3, 4 * (33 + 3)),
        SummaryRow("softmaxcrossentropy1", "SoftmaxCrossEntropy", (), 0, 0, 0, 4),
    )
    assert str(rows).splitlines() == [
        "layer                 class                output  parameters  flops  bytes",
        "-" * 75,
        "affine1               Affine               (10,)           50     90    240",
        "relu1                 ReLU                 (10,)            0     10     40",
        "fc                    Affine               (3,)            33     63    144",
        "softmaxcrossentropy1  SoftmaxCrossEntropy  ()               0      0      4",
        "-" * 75,
        "total                                                      83    163    428",
    ]
    assert net.flops() == sum(row.flops for row in rows) == 163


def test_by_hand_or_by_forward_with_or_without_a_target_it_is_the_same():
    def make():
        return Sequential(Affine(10), ReLU(), Affine(3), SoftmaxCrossEntropy())

    expected = make().summary((4,))
    x, y = np.ones((2, 4), np.float32), np.array([0, 1])
    for steps in ([(x, y)], [(x,)], [(x,), (x, y)]):
        net = make()
        for step in steps:
            net.forward(*step)
        assert net.summary() == expected


def test_tied_parameters_count_once_and_float64_takes_twice_the_bytes():
    first = Affine(4)
    net = Sequential(first, Residual(first.tied()), first.tied()).astype(np.float64)
    rows = net.summary((4,))
    assert [row.parameters for row in rows] == [20, 0, 0]
    assert [row.bytes for row in rows] == [8 * 24, 8 * 4, 8 * 4]
    assert sum(row.parameters for row in rows) == sum(p.data.size for p in net.params.values())
    assert [row.flops for row in rows] == [36, 36 + 4, 36]


def test_frozen_parameters_are_counted_apart():
    net = Sequential(Affine(10), Affine(3))
    assert "frozen" not in str(net.summary((4,)))
    net.params["affine1.W"].trainable = False
    rows = net.summary()
    assert [(row.parameters, row.trainable) for row in rows] == [(50, 10), (33, 33)]
    assert str(rows).endswith("\n40 of the parameters are frozen")


def test_nested_nets_are_one_row():
    inner = Sequential(Affine(5), Running(), SoftmaxCrossEntropy())
    rows = Sequential(Affine(4), inner).summary((4,))
    assert rows[1] == SummaryRow("sequential1", "Sequential", (5,), 30, 30, 2 * 20 + 5 + 5, 4 * 35)


def test_thousands_are_set_apart():
    assert "1,000,000" in str(Sequential(Affine(1000, bias=False)).summary((1000,)))


def test_an_unbuilt_net():
    with pytest.raises(NotBuiltError, match=r"not built.*call build\(in_shape\), batch axis left out"):
        Sequential(Affine(3)).summary()
