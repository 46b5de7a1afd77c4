"""Which layers a state leaves in a net: net in, net out, as Caffe's own tests of it go."""

import pytest

from handbrew.data import FileFormatError
from handbrew.nets.caffe.schema import messages
from handbrew.nets.caffe.select import select
from handbrew.nets.caffe.text import read_net

NET = """
name: "n" force_backward: true
layer { name: "always" type: "Input" top: "data" }
layer { name: "train" include { phase: TRAIN } }
layer { name: "test" include { phase: TEST } }
layer { name: "not train" exclude { phase: TRAIN } }
layer { name: "high" include { min_level: 3 } }
layer { name: "low" include { max_level: 0 } }
layer { name: "between" include { min_level: 2 max_level: 5 } }
layer { name: "a" include { stage: "a" } }
layer { name: "a and b" include { stage: "a" stage: "b" } }
layer { name: "a or b" include { stage: "a" } include { stage: "b" } }
layer { name: "a, not b" include { stage: "a" not_stage: "b" } }
layer { name: "neither" include { not_stage: "a" not_stage: "b" } }
layer { name: "not a, not b" exclude { stage: "a" } exclude { stage: "b" } }
layer { name: "test at a" include { phase: TEST stage: "a" } }
layer { name: "all but train at 2" exclude { phase: TRAIN min_level: 2 max_level: 2 } }
layer { name: "empty rule in" include { } }
layer { name: "empty rule out" exclude { } }
"""
ALL = {"always", "empty rule in"}
NONE = {"neither", "not a, not b"}  # of the stages


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, {"test", "not train", "low", "all but train at 2"} | NONE),
        ({"phase": "train"}, {"train", "low", "all but train at 2"} | NONE),
        ({"phase": "train", "level": 2}, {"train", "between"} | NONE),
        ({"phase": "train", "level": 3}, {"train", "between", "high", "all but train at 2"} | NONE),
        ({"level": 6}, {"test", "not train", "high", "all but train at 2"} | NONE),
        ({"level": -1}, {"test", "not train", "low", "all but train at 2"} | NONE),
        (
            {"stages": ["a"]},
            {"test", "not train", "low", "all but train at 2", "a", "a or b", "a, not b", "test at a"},
        ),
        ({"phase": "train", "stages": ["b"]}, {"train", "low", "all but train at 2", "a or b"}),
        (
            {"phase": "train", "stages": ["b", "c", "a"]},
            {"train", "low", "all but train at 2", "a", "a and b", "a or b"},
        ),
    ],
)
def test_states(state, expected):
    net = read_net(NET)
    before = messages().NetParameter()
    before.CopyFrom(net)
    selected = select(net, **state)
    expected = expected | ALL
    assert [layer.name for layer in selected.layer] == [layer.name for layer in net.layer if layer.name in expected]
    assert net == before
    # The rest is the net's, and the state is told.
    assert (selected.name, selected.force_backward) == ("n", True)
    assert selected.state.phase == (0 if state.get("phase") == "train" else 1)
    assert (selected.state.level, list(selected.state.stage)) == (state.get("level", 0), state.get("stages", []))
    assert select(selected, **state).layer == selected.layer


def test_stages_of_the_net_count_and_its_phase_does_not():
    net = read_net('state { phase: TRAIN level: 3 stage: "a" }' + NET)
    names = [layer.name for layer in select(net, stages=["b"]).layer]
    assert "a and b" in names
    assert "train" not in names
    assert "high" not in names


def test_what_is_refused():
    net = read_net('layer { name: "x" } layer { name: "y" include { phase: TEST } exclude { phase: TRAIN } }')
    with pytest.raises(FileFormatError, match=r"layer 1 \(y\): has both include and exclude"):
        select(net)
    with pytest.raises(ValueError, match='"train" or "test", got \'training\''):
        select(net, phase="training")
