"""Losses for the contract test: name, how to make one, inputs for check_layer (weights are the last)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers.classification_losses import KLDivergence, NegativeLogLikelihood, SigmoidCrossEntropy
from handbrew.layers.embedding_losses import Contrastive, Triplet
from handbrew.layers.hinge_losses import MulticlassHinge, OneVsRestHinge
from handbrew.layers.layer import Layer
from handbrew.layers.regression_losses import EuclideanLoss, Huber, MeanAbsoluteError, MeanSquaredError
from handbrew.layers.softmax_loss import Infogain, SoftmaxCrossEntropy

rng = np.random.default_rng(0)

# scores of the samples, without the batch axis; there are five samples
SCORES, PIXELS, LAST = (3,), (3, 2, 2), (2, 3)
LABELS = np.array([0, 2, 1, 1, 2])
PIXEL_LABELS = np.arange(20).reshape(5, 2, 2) % 3
LAST_LABELS = np.arange(10).reshape(5, 2) % 3
WEIGHTS, PIXEL_WEIGHTS = rng.uniform(0.5, 2.0, 5), rng.uniform(0.5, 2.0, (5, 2, 2))
ELEMENT_WEIGHTS = rng.uniform(0.5, 2.0, (5, 3))
CLASS_WEIGHTS = [0.5, 2.0, 1.5]
PROBABILITIES = rng.dirichlet(np.ones(3), 5)
PIXEL_PROBABILITIES = np.moveaxis(rng.dirichlet(np.ones(3), (5, 2, 2)), -1, 1)
LOG_PROBABILITIES = np.log(rng.dirichlet(np.ones(3), 5))
BITS = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 1, 0]])
SIMILAR = np.array([1, 0, 0, 1, 0])
NEAR = rng.normal(size=(3, 5, 4))  # three embeddings of five samples
H = [[1.0, 0.2, 0.0], [0.1, 2.0, 0.3], [0.0, 0.5, 0.7]]


def smoothed() -> Layer:
    return SoftmaxCrossEntropy(class_weight=CLASS_WEIGHTS, ignore_index=2, label_smoothing=0.2)


CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("softmax-loss", SoftmaxCrossEntropy, (SCORES, LABELS)),
    ("softmax-sum", lambda: SoftmaxCrossEntropy(reduction="sum"), (SCORES, LABELS)),
    ("softmax-weights", SoftmaxCrossEntropy, (SCORES, LABELS, WEIGHTS)),
    ("softmax-class-weight", lambda: SoftmaxCrossEntropy(class_weight=CLASS_WEIGHTS), (SCORES, LABELS)),
    ("softmax-ignore", lambda: SoftmaxCrossEntropy(ignore_index=1), (SCORES, LABELS, WEIGHTS)),
    ("softmax-smoothing", lambda: SoftmaxCrossEntropy(label_smoothing=0.1), (SCORES, LABELS)),
    ("softmax-smoothing-all", smoothed, (SCORES, LABELS, WEIGHTS)),
    ("softmax-pixels", SoftmaxCrossEntropy, (PIXELS, PIXEL_LABELS)),
    ("softmax-pixels-all", smoothed, (PIXELS, PIXEL_LABELS, PIXEL_WEIGHTS)),
    ("softmax-last-axis", lambda: SoftmaxCrossEntropy(axis=-1), (LAST, LAST_LABELS)),
    ("softmax-probabilities", SoftmaxCrossEntropy, (SCORES, PROBABILITIES)),
    ("softmax-probabilities-all", smoothed, (SCORES, PROBABILITIES, WEIGHTS)),
    ("softmax-probabilities-pixels", SoftmaxCrossEntropy, (PIXELS, PIXEL_PROBABILITIES, PIXEL_WEIGHTS)),
    ("infogain", lambda: Infogain(H), (SCORES, LABELS)),
    ("infogain-pixels", lambda: Infogain(H, ignore_index=0), (PIXELS, PIXEL_LABELS, PIXEL_WEIGHTS)),
    ("sigmoid-cross-entropy", SigmoidCrossEntropy, (SCORES, BITS)),
    ("sigmoid-cross-entropy-probabilities", SigmoidCrossEntropy, (SCORES, PROBABILITIES, ELEMENT_WEIGHTS)),
    (
        "sigmoid-cross-entropy-positives",
        lambda: SigmoidCrossEntropy([3.0, 0.5, 2.0]),
        (SCORES, PROBABILITIES),
    ),
    ("negative-log-likelihood", NegativeLogLikelihood, (SCORES, LABELS)),
    (
        "negative-log-likelihood-all",
        lambda: NegativeLogLikelihood(class_weight=CLASS_WEIGHTS, ignore_index=0, reduction="sum"),
        (PIXELS, PIXEL_LABELS, PIXEL_WEIGHTS),
    ),
    ("kl-divergence", KLDivergence, (LOG_PROBABILITIES, PROBABILITIES)),
    ("kl-divergence-pixels", KLDivergence, (PIXELS, PIXEL_PROBABILITIES, PIXEL_WEIGHTS)),
    ("multiclass-hinge", MulticlassHinge, (SCORES, LABELS)),
    ("multiclass-hinge-pixels", lambda: MulticlassHinge(0.5), (PIXELS, PIXEL_LABELS, PIXEL_WEIGHTS)),
    ("one-vs-rest-hinge", OneVsRestHinge, (SCORES, LABELS)),
    ("one-vs-rest-hinge-squared", lambda: OneVsRestHinge("L2"), (SCORES, LABELS, WEIGHTS)),
    ("one-vs-rest-hinge-pixels", lambda: OneVsRestHinge("L2", reduction="sum"), (PIXELS, PIXEL_LABELS)),
    ("mean-squared-error", MeanSquaredError, (SCORES, SCORES)),
    ("mean-squared-error-images", MeanSquaredError, (PIXELS, PIXELS)),
    ("mean-squared-error-weights", lambda: MeanSquaredError("sum"), (SCORES, SCORES, ELEMENT_WEIGHTS)),
    ("euclidean", EuclideanLoss, (SCORES, SCORES)),
    ("euclidean-images", EuclideanLoss, (PIXELS, PIXELS, WEIGHTS)),
    ("mean-absolute-error", MeanAbsoluteError, (SCORES, SCORES)),
    ("mean-absolute-error-weights", MeanAbsoluteError, (SCORES, SCORES, ELEMENT_WEIGHTS)),
    ("huber", Huber, (PIXELS, PIXELS)),
    ("huber-delta", lambda: Huber(0.3), (SCORES, SCORES, ELEMENT_WEIGHTS)),
    ("contrastive", lambda: Contrastive(margin=3.0), (*NEAR[:2], SIMILAR)),
    ("contrastive-weights", lambda: Contrastive(margin=2.5, reduction="sum"), (*NEAR[:2], SIMILAR, WEIGHTS)),
    ("triplet", Triplet, tuple(NEAR)),
    ("triplet-squared", lambda: Triplet(2.0, squared=True), (*NEAR, WEIGHTS)),
]
