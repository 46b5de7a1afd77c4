"""Residual and Branches against their formulas."""

import numpy as np
import pytest

from handbrew.layers import Add, Affine, Branches, ReLU, Residual, ShapeError
from handbrew.nets import Sequential

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def test_residual_adds_the_input():
    block = Residual(Affine(4))
    np.testing.assert_allclose(block.forward(X), X @ block.body.W.data + X, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(block.backward(X), X @ block.body.W.data.T + X, rtol=1e-5, atol=1e-6)
    assert block.flops() == 4 + (2 * 16 + 4)


def test_residual_with_a_shortcut():
    block = Residual(Sequential(Affine(3), ReLU()), Affine(3, bias=False))
    y = block.forward(X)
    inner, side = block.body.layers[0], block.shortcut
    np.testing.assert_allclose(y, np.maximum(X @ inner.W.data, 0) + X @ side.W.data, rtol=1e-5, atol=1e-6)
    assert block.out_shape == (3,)
    assert list(block.params) == ["body.affine1.W", "body.affine1.b", "shortcut.W"]


@pytest.mark.parametrize("by_hand", [True, False])
def test_branches_that_end_in_different_shapes(by_hand):
    block = Residual(Affine(3))
    with pytest.raises(ShapeError, match=r"Residual: the body ends in shape \(3,\), the shortcut in \(4,\); give a"):
        block.build(4) if by_hand else block.forward(X)
    block = Residual(Affine(3), Affine(2))
    with pytest.raises(ShapeError, match=r"the shortcut in \(2,\)$"):
        block.build(4) if by_hand else block.forward(X)


def test_branches_concatenate():
    block = Branches(Affine(2), Affine(3), ReLU())
    y = block.forward(X)
    first, second, _ = block.bodies
    np.testing.assert_allclose(y[:, :2], X @ first.W.data, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y[:, 2:5], X @ second.W.data, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y[:, 5:], np.maximum(X, 0))
    dx = block.backward(y)
    expected = y[:, :2] @ first.W.data.T + y[:, 2:5] @ second.W.data.T + y[:, 5:] * (X > 0)
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-5)


def test_branches_with_another_merge():
    block = Branches(Affine(3), Affine(3), merge=Add())
    assert block.build(4) == (3,)
    a, b = block.bodies
    np.testing.assert_allclose(block.forward(X), X @ (a.W.data + b.W.data), rtol=1e-5, atol=1e-6)


def test_two_branches_do_not_share_their_merge():
    one, two = Branches(ReLU(), ReLU()), Branches(ReLU(), ReLU())
    assert Sequential(one, two).forward(X).shape == (5, 16)


def test_one_branch_is_none():
    with pytest.raises(ShapeError, match="two bodies or more, got 1"):
        Branches(ReLU())
