"""``--policy`` and ``--warmup``: how they are spelled, and which rates come out."""

import numpy as np
import pytest

from handbrew.cli.policy import KINDS, POLICIES, make_policy, read_policy
from handbrew.cli.values import Length, length

STEPS, EPOCHS, LR = 10, 20, 0.5  # steps an epoch


def rates(text, warmup=None):
    policy = make_policy(text, LR, warmup, STEPS, EPOCHS)
    return np.array([policy(n) for n in range(STEPS * EPOCHS)])


n = np.arange(STEPS * EPOCHS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed", np.full(200, LR)),
        ("step:gamma=0.1,every=5epochs", LR * 0.1 ** (n // 50)),
        ("step:gamma=0.1,every=30steps", LR * 0.1 ** (n // 30)),
        ("multistep:gamma=0.2,at=3/7.5epochs", LR * 0.2 ** ((n >= 30) * 1.0 + (n >= 75))),
        ("multistep:at=25steps/3epochs,gamma=0.2", LR * 0.2 ** ((n >= 25) * 1.0 + (n >= 30))),
        ("exp:gamma=0.99", LR * 0.99**n),
        ("exp:gamma=0.5,every=1epoch", LR * 0.5 ** (n / 10)),
        ("inv:gamma=0.01,power=0.75", LR * (1 + 0.01 * n) ** -0.75),
        ("inv:gamma=0.1,power=1,every=1epochs", LR / (1 + 0.1 * n / 10)),
        ("poly:power=2", LR * (1 - n / 200) ** 2),
        ("poly:power=1,over=10epochs", LR * np.maximum(0, 1 - n / 100)),
        ("sigmoid:gamma=-0.05,at=10epochs", LR / (1 + np.exp(0.05 * (n - 100)))),
        ("cosine", LR * (1 + np.cos(np.pi * n / 200)) / 2),
        ("cosine:to=0.1,over=100steps", 0.1 + 0.4 * (1 + np.cos(np.pi * np.minimum(n / 100, 1))) / 2),
        ("plateau:gamma=0.1,patience=3,least=0.01", np.full(200, LR)),
    ],
)
def test_rates(text, expected):
    np.testing.assert_allclose(rates(text), expected, rtol=1e-12)


def test_one_cycle_fills_the_run():
    found = rates("onecycle")
    assert (found.argmax(), found.max()) == (59, LR)  # 0.3 of 200 steps
    assert found[-1] == pytest.approx(LR / 250_000)
    assert rates("onecycle:peak=0.5,over=10epochs").argmax() == 49


def test_a_warm_up_comes_first_and_takes_its_steps_from_the_run():
    found = rates("cosine", warmup="2epochs")
    np.testing.assert_allclose(found[:20], LR * np.arange(1, 21) / 21, rtol=1e-12)
    np.testing.assert_allclose(found[20:], LR * (1 + np.cos(np.pi * np.arange(180) / 180)) / 2, rtol=1e-12)
    np.testing.assert_allclose(rates("fixed", warmup="5steps")[4:6], (LR * 5 / 6, LR))


def test_plateau_is_told_everything():
    policy = make_policy("plateau:gamma=0.5,patience=2,threshold=0.1,cooldown=4,least=0.2", LR, None, STEPS, EPOCHS)
    assert repr(policy).count("=") == 5
    for loss in (1.0, 0.95, 0.95, 0.95):  # none is lower by a tenth
        policy.observe(loss)
    assert policy(0) == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a policy, one of fixed, step, multistep"),
        ("cosin", "got 'cosin'; did you mean cosine"),
        ("step", "step needs gamma and every"),
        ("step:gamma=0.1", "step needs every"),
        ("step:gamma=0.1,every=10", "every: expected a length such as 10epochs or 500steps, got '10'"),
        ("step:gamma=0.1,every=0epochs", "every: expected a length"),
        ("step:gamma=0.1,every=1.5steps", "every: expected a length"),
        ("step:gamma=0.1,every=1.2.3epochs", "every: expected a number, got '1.2.3'"),
        ("step:gamma=fast,every=1epochs", "step: gamma: expected a number, got 'fast'"),
        ("step:gamma=nan,every=1epochs", "gamma: expected a number"),
        ("step:gama=0.1,every=1epochs", "step takes gamma=, every=; got 'gama=0.1'"),
        ("step:0.1,10epochs", "step takes gamma=, every=; got '0.1'"),
        ("step:gamma=0.1,gamma=0.2,every=1epochs", "gamma is there twice"),
        ("fixed:gamma=1", "fixed takes no numbers; got 'gamma=1'"),
        ("plateau:gamma=0.1,patience=1.5", "patience: expected a whole number"),
    ],
)
def test_what_is_no_policy(text, message):
    with pytest.raises(ValueError) as caught:
        read_policy(text)
    assert message in str(caught.value)


def test_what_cannot_be_in_so_many_steps():
    with pytest.raises(ValueError, match="--warmup 20epochs is 200 steps, but the whole run has only 200"):
        rates("cosine", warmup="20epochs")
    with pytest.raises(ValueError, match=r"--policy plateau:gamma=2,patience=1: plateau: the rate could not fall"):
        rates("plateau:gamma=2,patience=1")


def test_lengths():
    assert length("2.5 epochs") == Length(2.5, "epochs")
    assert length("1step").steps(per_epoch=7) == 1
    assert length("2.5epochs").steps(per_epoch=7) == 18


def test_help_shows_each_as_it_can_be_typed():
    shown = [line.split()[0] for line in POLICIES.splitlines()[2:12]]
    assert [text.partition(":")[0] for text in shown] == list(KINDS)
    for text in shown:
        rates(text.replace("30/40", "3/4"))
