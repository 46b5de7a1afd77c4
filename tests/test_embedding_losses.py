import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.embedding_losses import Contrastive, Triplet
from handbrew.layers.errors import LabelError, ShapeError


def reduced(losses, weight, reduction):
    weight = [1.0] * len(losses) if weight is None else weight
    total = sum(w * loss for w, loss in zip(weight, losses, strict=True))
    return total if reduction == "sum" else total / sum(weight)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_contrastive(n, size, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, size))
    similar = rng.integers(0, 2, n).astype(rng.choice([np.uint8, np.int64]))
    weights = None, rng.uniform(0.5, 2, n)
    for margin, weight, reduction in itertools.product([0.5, 3.0], weights, ["mean", "sum"]):
        distances = [math.dist(x, y) for x, y in zip(a, b, strict=True)]
        losses = [(d * d if same else max(margin - d, 0) ** 2) / 2 for d, same in zip(distances, similar, strict=True)]
        got = Contrastive(margin, reduction).forward(a, b, similar, weight)
        assert got == pytest.approx(reduced(losses, weight, reduction), rel=1e-9)


@pytest.mark.parametrize("squared", [False, True])
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_triplet(squared, n, size, seed):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(3, n, size))
    weights = None, rng.uniform(0.5, 2, n)
    for margin, weight, reduction in itertools.product([0.0, 1.0], weights, ["mean", "sum"]):
        power = 2 if squared else 1
        losses = [
            max(0.0, math.dist(a, p) ** power - math.dist(a, q) ** power + margin)
            for a, p, q in zip(*inputs, strict=True)
        ]
        got = Triplet(margin, squared, reduction).forward(*inputs, weight)
        assert got == pytest.approx(reduced(losses, weight, reduction), rel=1e-9, abs=1e-12)


def test_contrastive_by_hand():
    a, b = np.array([[3.0, 4.0], [0.3, 0.4], [3.0, 4.0]]), np.zeros((3, 2))
    loss = Contrastive(margin=1.0, reduction="sum")
    assert loss.forward(a, b, np.array([1, 0, 0])) == 25 / 2 + 0.25 / 2
    da, db = loss.backward()
    np.testing.assert_allclose(da, [[3, 4], [-0.3, -0.4], [0, 0]])
    np.testing.assert_array_equal(db, -da)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_embeddings_have_no_direction(dtype):
    same = np.ones((2, 3), dtype)
    loss = Contrastive()
    assert loss.forward(same, same.copy(), np.array([0, 1])) == 0.25
    assert not any(g.any() for g in loss.backward())
    loss = Triplet()
    assert loss.forward(same, same, same) == 1
    assert not any(g.any() for g in loss.backward())
    assert all(g.dtype == dtype for g in loss.backward())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_embeddings(dtype):
    a, b = np.full((1, 4), 1e4, dtype), np.full((1, 4), -1e4, dtype)
    loss = Contrastive()
    assert loss.forward(a, b, np.array([1])) == pytest.approx(8e8)
    np.testing.assert_allclose(loss.backward()[0], np.full((1, 4), 2e4))
    loss = Triplet()
    assert loss.forward(a, b, a) == pytest.approx(4e4 + 1)
    np.testing.assert_allclose(loss.backward()[1], np.full((1, 4), -0.5))


def test_the_second_embedding_takes_the_dtype_of_the_first():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 2, 3))
    loss = Triplet()
    loss.forward(a.astype(np.float32), b, c)
    assert all(g.dtype == np.float32 for g in loss.backward())


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 3), (4, 2)), "expected embeddings of one shape (N, D), got (4, 3), (4, 2)"),
        (((4, 3), (3,)), "got (4, 3), (3,)"),
        (((3,), (3,)), "got (3,), (3,)"),
        (((4, 3, 1, 1), (4, 3, 1, 1)), "images need a Flatten()"),
    ],
)
def test_bad_embeddings(shapes, message):
    a, b = map(np.zeros, shapes)
    with pytest.raises(ShapeError, match="^Contrastive: .*" + re.escape(message)):
        Contrastive().forward(a, b, np.zeros(4, int))
    with pytest.raises(ShapeError, match=r"^Triplet: .*expected embeddings of one shape"):
        Triplet().forward(a, a, b)


@pytest.mark.parametrize(
    ("similar", "message"),
    [
        (np.array([1.0, 0.0]), "pass labels.astype(int)"),
        (np.array([-1, 1]), "if they are -1 and 1, pass (labels + 1) // 2"),
        (np.array([[1], [0]]), "pass labels.reshape(2,)"),
    ],
)
def test_bad_labels(similar, message):
    with pytest.raises(LabelError, match=re.escape(message)):
        Contrastive().forward(np.zeros((2, 3)), np.zeros((2, 3)), similar)


def test_repr():
    assert repr(Triplet(0.5, squared=True)) == "Triplet(margin=0.5, squared=True)"
    assert repr(Contrastive(2.0)) == "Contrastive(margin=2.0)"
