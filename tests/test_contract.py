"""Every layer there is goes through check_layer."""

import inspect

import cases_activations
import cases_augmentation
import cases_convolution
import cases_core
import cases_losses
import cases_normalization
import cases_pooling
import cases_shape
import pytest

from handbrew import layers
from handbrew.layers import check_layer

FAMILIES = (
    cases_core,
    cases_activations,
    cases_augmentation,
    cases_convolution,
    cases_losses,
    cases_normalization,
    cases_pooling,
    cases_shape,
)
CASES = [case for family in FAMILIES for case in family.CASES]
BASES = {layers.Layer, layers.Loss, layers.ClassLoss}
# What these do that no check can pass, and is meant.
OPTIONS = {
    "exp": {"large_inputs": False},
    "power-zero": {"allow_constant": ("x",)},
    "softmax-one-class": {"allow_constant": ("x",)},
    "threshold": {"allow_constant": ("x",)},
}
for family in FAMILIES:
    OPTIONS |= getattr(family, "OPTIONS", {})


@pytest.mark.parametrize(("name", "factory", "inputs"), CASES, ids=[case[0] for case in CASES])
def test_contract(name, factory, inputs):
    check_layer(factory(), *inputs, **OPTIONS.get(name, {}))


def test_every_layer_has_a_case():
    public = {getattr(layers, name) for name in layers.__all__}
    needed = {cls for cls in public if inspect.isclass(cls) and issubclass(cls, layers.Layer)} - BASES
    covered = {type(factory()) for _, factory, _ in CASES}
    assert not needed - covered


def test_names_are_unique_and_options_are_used():
    names = [case[0] for case in CASES]
    assert len(set(names)) == len(names)
    assert set(OPTIONS) <= set(names)
