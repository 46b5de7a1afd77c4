"""Policies against Caffe's formulas in plain loops, against PyTorch's numbers, and as properties."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew import solvers
from handbrew.layers import StateError
from handbrew.solvers import (
    Cosine,
    Exponential,
    Fixed,
    Inverse,
    MultiStep,
    OneCycle,
    Plateau,
    Policy,
    Polynomial,
    SigmoidDecay,
    Step,
    Warmup,
)

CAFFES = [
    Fixed(0.1),
    Step(0.1, gamma=0.5, step_size=7),
    MultiStep(0.1, gamma=0.1, milestones=[3, 4, 30]),
    Exponential(0.1, gamma=0.97),
    Inverse(0.01, gamma=1e-4, power=0.75),
    Polynomial(0.1, power=1.7, steps=50),
    SigmoidDecay(0.1, gamma=-0.3, step_size=20),
]
YOUNGER = [Cosine(0.1, 40, end=0.01), Warmup(0.1, 10), OneCycle(0.1, 40), Plateau(0.1)]
REPRS = [
    "Fixed(0.1)",
    "Step(0.1, 0.5, 7)",
    "MultiStep(0.1, 0.1, (3, 4, 30))",
    "Exponential(0.1, 0.97)",
    "Inverse(0.01, 0.0001, 0.75)",
    "Polynomial(0.1, 1.7, 50)",
    "SigmoidDecay(0.1, -0.3, 20)",
    "Cosine(0.1, 40, end=0.01)",
    "Warmup(Fixed(0.1), 10)",
    "OneCycle(0.1, 40)",
    "Plateau(0.1)",
]


def name(policy):
    return type(policy).__name__


def caffe_loop(policy, iterations):
    """Caffe's rate at each iteration; powers of gamma are gathered one factor at a time, as training goes."""
    p, rates, factor = policy, [], 1.0
    for i in range(iterations):
        match policy:
            case Fixed():
                rate = p.lr
            case Step():
                factor *= p.gamma if i and i % p.step_size == 0 else 1.0
                rate = p.lr * factor
            case MultiStep():
                factor *= p.gamma if i in p.milestones else 1.0
                rate = p.lr * factor
            case Exponential():
                rate = p.lr * factor
                factor *= p.gamma
            case Inverse():
                rate = p.lr / math.exp(p.power * math.log(1 + p.gamma * i))
            case Polynomial():
                rate = p.lr * math.exp(p.power * math.log((p.steps - i) / p.steps))
            case SigmoidDecay():
                rate = p.lr * (1.0 / (1.0 + math.exp(-p.gamma * (i - p.step_size))))
        rates.append(rate)
    return rates


@pytest.mark.parametrize("policy", CAFFES, ids=name)
def test_caffes_formulas(policy):
    assert [policy(step) for step in range(50)] == pytest.approx(caffe_loop(policy, 50), rel=1e-12)


def test_rates_in_caffes_log_of_training_lenet():
    policy = Inverse(0.01, gamma=0.0001, power=0.75)  # lenet_solver.prototxt
    assert f"{policy(100):.6g}" == "0.00992565"  # as its MNIST tutorial prints it
    assert f"{policy(9900):.6g}" == "0.00596843"


def test_edges_of_caffes():
    assert Polynomial(0.1, power=0.5, steps=10)(10) == Polynomial(0.1, power=0.5, steps=10)(11) == 0.0
    assert SigmoidDecay(0.1, gamma=-1.0, step_size=5)(5) == 0.05
    assert SigmoidDecay(0.1, gamma=1.0, step_size=5)(10**9) == 0.1
    assert SigmoidDecay(0.1, gamma=-1.0, step_size=5)(10**9) == 0.0  # and no overflow
    assert Exponential(0.1, gamma=0.5)(10**9) == 0.0
    assert MultiStep(0.1, gamma=0.5, milestones=[])(10**9) == 0.1


# import torch                                                                                             # 2.13
# from torch.optim.lr_scheduler import *
# def rates(make, steps, losses=None):
#     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
#     scheduler, group, found = make(optimizer), optimizer.param_groups[0], []
#     for step in range(steps):
#         found.append(group["lr"]); optimizer.step()
#         if step < steps - 1: scheduler.step(*([losses[step]] if losses else []))
#     return [float(f"{rate:.10g}") for rate in found]
# print(rates(lambda o: CosineAnnealingLR(o, 10, eta_min=0.02), 11))
# print(rates(lambda o: OneCycleLR(o, 0.3, 10, cycle_momentum=False), 10))
# print(rates(lambda o: OneCycleLR(o, 0.3, 12, pct_start=0.35, div_factor=10, final_div_factor=100,
#                                  cycle_momentum=False), 12))
# print(rates(lambda o: SequentialLR(o, [LinearLR(o, 1/5, 1, 4), CosineAnnealingLR(o, 6)], [4]), 11))
# for options in …:
#     r = rates(lambda o: ReduceLROnPlateau(o, **options), 22, LOSSES)
#     print(options, [i for i in range(21) if r[i + 1] < r[i]], r[-1])
# fmt: off
PYTORCHS = [
    (Cosine(0.3, 10, end=0.02),
     [0.3, 0.2931479123, 0.2732623792, 0.2422899353, 0.2032623792, 0.16, 0.1167376208, 0.07771006468, 0.04673762079,
      0.02685208772, 0.02]),
    (OneCycle(0.3, 10),
     [0.012, 0.156, 0.3, 0.2851453896, 0.2435236962, 0.1833786066, 0.1166225934, 0.05647750382, 0.0148558104, 1.2e-06]),
    (OneCycle(0.3, 12, pct_start=0.35, div_factor=10, final_div_factor=100),
     [0.03, 0.08999801854, 0.2166622634, 0.2974060129, 0.2922881858, 0.2623143356, 0.2143895803, 0.1561838511,
      0.09701245768, 0.04634525563, 0.01229108037, 0.0003]),
    (Warmup(Cosine(0.3, 6), 4),
     [0.06, 0.12, 0.18, 0.24, 0.3, 0.2799038106, 0.225, 0.15, 0.075, 0.02009618943, 0.0]),
]
LOSSES = [1.0, 0.9, 0.9, 0.89995, 0.95, 0.8, 0.81, 0.82, 0.79995, 0.83, 0.84, 0.7] + 9 * [0.71]
PLATEAUS = [  # with the observations after which the rate falls, and the last rate
    (Plateau(0.3, patience=2), [4, 8, 14, 17, 20], 3e-06),
    (Plateau(0.3, patience=0, factor=0.5), [2, 3, 4, *range(6, 11), *range(12, 21)], 2.288818359e-06),
    (Plateau(0.3, patience=1, factor=0.5, cooldown=2), [3, 7, 13, 17], 0.01875),
    (Plateau(0.3, patience=1, factor=0.5, cooldown=1, threshold=0.05), [3, 7, 10, 13, 16, 19], 0.0046875),
    (Plateau(0.3, patience=0, factor=0.2, minimum=0.01), [2, 3, 4], 0.01),
]
# fmt: on


@pytest.mark.parametrize(("policy", "rates"), PYTORCHS, ids=lambda value: name(value))
def test_numbers_of_pytorch(policy, rates):
    assert [policy(step) for step in range(len(rates))] == pytest.approx(rates, rel=1e-9, abs=1e-15)
    assert policy(10**9) == pytest.approx(rates[-1], rel=1e-9)  # where PyTorch's rises again, or refuses


@pytest.mark.parametrize(("policy", "falls", "last"), PLATEAUS)
def test_plateaus_of_pytorch(policy, falls, last):
    policy, rates = copy.deepcopy(policy), [policy(0)]
    for loss in LOSSES:
        policy.observe(loss)
        rates.append(policy(len(rates)))
    assert [i for i in range(len(LOSSES)) if rates[i + 1] < rates[i]] == falls
    assert rates[-1] == pytest.approx(last, rel=1e-9)


def observed(policy, losses):
    for loss in losses:
        policy.observe(loss)
    return policy(0)


def test_plateau_and_losses_that_are_not_finite_or_negative():
    assert observed(Plateau(0.1, patience=1), [math.nan, math.nan]) == pytest.approx(0.01)
    assert observed(Plateau(0.1, patience=1), [1.0, -math.inf, math.inf]) == pytest.approx(0.01)
    assert observed(Plateau(0.1, patience=1), [math.nan, 1.0, -math.inf, 0.5]) == 0.1
    falling = [-1.0, -1.2, -1.4, -1.6]
    assert observed(Plateau(0.1, patience=0, threshold=0.1), falling) == 0.1
    assert observed(Plateau(0.1, patience=0, threshold=0.1), [-1.0, -1.05]) == pytest.approx(0.01)
    assert observed(Plateau(0.1, patience=0, threshold=0.0), [0.0, 0.0]) == pytest.approx(0.01)


def test_a_warm_up_lets_its_plateau_observe_also_while_it_lasts():
    plateau = Plateau(0.1, patience=1)
    warm = Warmup(Warmup(plateau, 3), 2)
    before = warm(0)
    for loss in (1.0, 1.0, 1.0):
        warm.observe(loss)
    assert warm.state() == plateau.state() == {"best": 1.0, "bad": 0, "cooling": 0, "drops": 1}
    assert warm(0) == pytest.approx(before / 10)
    assert warm(5) == plateau(0) == pytest.approx(0.01)


def test_one_cycle_from_its_peak():
    policy = OneCycle(0.1, 4, pct_start=0.0)
    assert [policy(0), policy(3)] == pytest.approx([0.1, 0.1 / 25e4])
    assert [OneCycle(0.1, 2)(step) for step in range(3)] == pytest.approx([0.1, 0.1 / 25e4, 0.1 / 25e4])


def test_a_warm_up_of_a_number_and_of_a_warm_up():
    assert [Warmup(0.1, 4)(step) for step in range(7)] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1])
    assert [Warmup(0.1, 1, start=0.05)(step) for step in range(3)] == pytest.approx([0.075, 0.1, 0.1])
    assert [Warmup(Exponential(0.1, 0.5), 0)(step) for step in range(3)] == [0.1, 0.05, 0.025]
    assert [Warmup(Warmup(0.3, 2), 1)(step) for step in range(4)] == pytest.approx([0.05, 0.1, 0.2, 0.3])


# Properties.

RATES = st.floats(1e-6, 10)
STEPS = st.integers(2, 500)


@given(lr=RATES, end=RATES, steps=STEPS)
def test_cosine_stays_between_its_ends_and_does_not_jump(lr, end, steps):
    rates = np.array([Cosine(lr, steps, end)(step) for step in range(steps + 3)])
    low, high = sorted((lr, end))
    assert low - 1e-12 * high <= rates.min()
    assert rates.max() <= high * (1 + 1e-12)
    assert (np.diff(rates) * np.sign(end - lr) >= -1e-12 * high).all()
    assert np.abs(np.diff(rates)).max() <= math.pi / 2 * (high - low) / steps * (1 + 1e-9) + 1e-12 * high
    assert rates[-3:] == pytest.approx([end] * 3)


@given(lr=RATES, steps=STEPS, pct_start=st.floats(0, 0.99), div=st.floats(1, 100), final=st.floats(1, 1e6))
def test_one_cycle_rises_to_its_peak_and_falls_to_its_end(lr, steps, pct_start, div, final):
    policy = OneCycle(lr, steps, pct_start, div, final)
    rates = np.array([policy(step) for step in range(steps + 3)])
    peak, slack = max(0.0, pct_start * steps - 1), 1e-12 * lr
    assert (np.diff(rates[: math.floor(peak) + 1]) >= -slack).all()
    assert (np.diff(rates[math.ceil(peak) :]) <= slack).all()
    assert rates.max() <= lr + slack
    assert rates.min() >= lr / div / final - slack
    assert rates[steps - 1 :] == pytest.approx(np.full(4, lr / div / final), abs=slack)


@given(policy=st.sampled_from([*CAFFES, *YOUNGER]), steps=st.integers(0, 50), start=st.floats(0, 0.5))
def test_a_warm_up_is_a_line_to_the_policys_first_rate_and_then_the_policy(policy, steps, start):
    warm = Warmup(policy, steps, start)
    rates = [warm(step) for step in range(steps + 20)]
    line = np.linspace(start, policy(0), steps + 2)[1:]
    assert rates[: steps + 1] == pytest.approx(line, rel=1e-12, abs=1e-15)
    assert rates[steps:] == [policy(step) for step in range(20)]
    assert rates[0] > 0


LOSS_LISTS = st.lists(st.one_of(st.floats(-2, 2), st.sampled_from([0.5, 0.25, math.nan, math.inf])), max_size=60)


@given(
    losses=LOSS_LISTS,
    stop=st.integers(0, 60),
    patience=st.integers(0, 4),
    cooldown=st.integers(0, 4),
    warm=st.booleans(),
)
def test_a_plateau_restored_in_the_middle_has_the_same_future(losses, stop, patience, cooldown, warm):
    def make():
        plateau = Plateau(0.1, 0.5, patience, cooldown=cooldown, minimum=0.001)
        return Warmup(plateau, 5) if warm else plateau

    whole, first, second = make(), make(), make()
    expected = [observed(whole, [loss]) for loss in losses]
    seen = [observed(first, [loss]) for loss in losses[:stop]]
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    seen += [observed(second, [loss]) for loss in losses[stop:]]
    assert seen == expected
    assert second.state() == whole.state()
    assert all(0.001 / 6 <= rate <= 0.1 for rate in seen)
    assert expected == sorted(expected, reverse=True)


# What a policy is.


@pytest.mark.parametrize("policy", [*CAFFES, *YOUNGER], ids=name)
def test_a_policy_is_the_same_after_use_a_copy_or_a_pickle(policy):
    before = vars(policy).copy()
    rates = [policy(step) for step in range(60)]
    assert vars(policy) == before
    assert all(type(rate) is float for rate in rates)
    for other in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy)), eval(repr(policy), vars(solvers))):
        assert [other(step) for step in range(60)] == rates
        assert other.state() == policy.state()


def test_a_policy_prints_as_its_call():
    assert [repr(policy) for policy in (*CAFFES, *YOUNGER)] == REPRS


@pytest.mark.parametrize("policy", [p for p in (*CAFFES, *YOUNGER) if not isinstance(p, Plateau)], ids=name)
def test_all_but_plateau_remember_nothing(policy):
    policy.observe(1.0)
    assert policy.state() == {}
    policy.restore({})
    with pytest.raises(StateError, match=r"remembers nothing, got a state with bad, best, cooling, drops"):
        policy.restore(Plateau(0.1).state())


@pytest.mark.parametrize("state", [{}, {"best": 1.0}, {**Plateau(0.1).state(), "more": 1}])
def test_plateau_refuses_other_states(state):
    with pytest.raises(StateError, match=r"Plateau: expected a state with best, bad, cooling, drops, got "):
        Plateau(0.1).restore(state)


def test_numpys_numbers_become_pythons():
    policy = Warmup(Cosine(np.float64(0.1), np.int64(10), end=np.float32(0.5)), np.int32(3))
    assert repr(policy) == "Warmup(Cosine(0.1, 10, end=0.5), 3)"
    assert type(policy(0)) is type(policy(5)) is float


def test_a_policy_of_ones_own_needs_a_call_only():
    class Sawtooth(Policy):
        def __init__(self, lr, period):
            self.lr, self.period = lr, period

        def __call__(self, step):
            return self.lr * (1 - step % self.period / self.period)

    policy = Warmup(Sawtooth(0.1, period=4), 1)
    assert [policy(step) for step in range(6)] == pytest.approx([0.05, 0.1, 0.075, 0.05, 0.025, 0.1])
    assert repr(policy) == "Warmup(Sawtooth(0.1, 4), 1)"
    policy.observe(1.0)
    policy.restore(policy.state())
    with pytest.raises(NotImplementedError, match=r"Policy defines no __call__\(self, step\)"):
        Policy()(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fixed(-0.1), "Fixed: lr must be a finite number of at least 0, got -0.1"),
        (lambda: Fixed(math.nan), "Fixed: lr must be a finite number of at least 0, got nan"),
        (lambda: Fixed("0.1"), "Fixed: lr must be a finite number of at least 0, got '0.1'"),
        (lambda: Step(0.1, math.inf, 10), "Step: gamma must be a finite number of at least 0, got inf"),
        (lambda: Step(0.1, 0.5, 0), "Step: step_size must be a whole number of at least 1, got 0"),
        (lambda: Step(0.1, 0.5, 2.5), "Step: step_size must be a whole number of at least 1, got 2.5"),
        (lambda: MultiStep(0.1, 0.5, [5, 5]), "MultiStep: milestones must rise, got (5, 5)"),
        (lambda: MultiStep(0.1, 0.5, [7, 5]), "MultiStep: milestones must rise, got (7, 5)"),
        (lambda: MultiStep(0.1, 0.5, [0.5]), "MultiStep: each milestone must be a whole number of at least 1, got 0.5"),
        (lambda: Exponential(0.1, -1), "Exponential: gamma must be a finite number of at least 0, got -1"),
        (lambda: Inverse(0.1, 1, -1), "Inverse: power must be a finite number of at least 0, got -1"),
        (lambda: Polynomial(0.1, 1, 0), "Polynomial: steps must be a whole number of at least 1, got 0"),
        (lambda: SigmoidDecay(0.1, math.nan, 1), "SigmoidDecay: gamma must be a finite number, got nan"),
        (lambda: Cosine(0.1, 10, end=-1), "Cosine: end must be a finite number of at least 0, got -1"),
        (lambda: Warmup(Cosine, 10), "Fixed: lr must be a finite number of at least 0, got <class"),
        (lambda: Warmup(0.1, -1), "Warmup: steps must be a whole number of at least 0, got -1"),
        (lambda: OneCycle(0.1, 1), "OneCycle: steps must be a whole number of at least 2, got 1"),
        (lambda: OneCycle(0.1, 9, 1.0), "OneCycle: pct_start is a share of the steps, in [0, 1), got 1.0"),
        (lambda: OneCycle(0.1, 9, 30), "OneCycle: pct_start is a share of the steps, in [0, 1), got 30"),
        (lambda: OneCycle(0.1, 9, div_factor=0), "OneCycle: div_factor must be a finite number of at least 1, got 0"),
        (lambda: Plateau(0.1, factor=1.0), "expected factor below 1, got 1.0"),
        (lambda: Plateau(0.1, minimum=0.2), "and minimum of at most lr = 0.1, got 0.2"),
        (lambda: Plateau(0.1, patience=-1), "Plateau: patience must be a whole number of at least 0, got -1"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
