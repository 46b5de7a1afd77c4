"""Layers of others' types, with messages of their own, as custom gets them."""

import json
import time

import pytest
from caffe_text import Doubled, dense, entry, layer, random

from handbrew.data import FileFormatError
from handbrew.layers import Transpose
from handbrew.nets.caffe import load_caffe, read_net, save_caffemodel, select, write_net
from handbrew.nets.caffe.assembly import DATA, KINDS
from handbrew.nets.caffe.own import DEEPEST, TYPES, messages_of

FLAT, IMAGE = entry("data", 4, 5), entry("data", 2, 3, 8, 6)
PERMUTE = layer("perm", "Permute", "data", options="permute_param { order: 0 order: 2 order: 3 order: 1 }")
EVERY_VALUE = r"""
layer { name: "a" type: "Own" bottom: "data" top: "a"
  # own_param { not: "this" }
  own_param <
    one: 1, minus: -2; octal: 010 hexadecimal: 0xff real: 1.5 half: .5f tiny: 1e-3 inf: -inf
    yes: true no: false name: CENTER_SIZE text: "a\"b}\n" 'c' umlaut: '卷积' # }
    list: [1, 2] single: [3] empty: []
    part { x: 1 } part: { x: 2 deeper < y: "z" > } only { }
  >
}"""


def dicts(text, place=0):
    return messages_of(read_net(text).layer[place])


def test_types_are_those_of_caffe():
    assert {*KINDS, *DATA, "Python", "RNN", "LSTM", "LSTMUnit"} == TYPES


def test_every_value():
    found = dicts(EVERY_VALUE)["own_param"]
    assert found == {
        "one": 1, "minus": -2, "octal": 8, "hexadecimal": 255, "real": 1.5, "half": 0.5, "tiny": 1e-3,
        "inf": float("-inf"), "yes": True, "no": False, "name": "CENTER_SIZE", "text": 'a"b}\nc', "umlaut": "卷积",
        "list": [1, 2], "single": [3], "empty": [],
        "part": [{"x": 1}, {"x": 2, "deeper": {"y": "z"}}], "only": {},
    }  # fmt: skip
    assert [type(found[name]) for name in ("one", "real", "yes")] == [int, float, bool]


class TestCustom:
    x = random(2, 3, 8, 6)

    def test_a_class_gets_the_fields(self):
        class Permute(Transpose):
            def __init__(self, order):
                super().__init__(*order[1:])

        net = load_caffe(IMAGE + PERMUTE + dense("fc", "perm", 2), custom={"Permute": Permute})
        assert net.forward(data=self.x, end="perm").shape == (2, 8, 6, 3)
        assert net.params["fc.W"].shape == (144, 2)

    def test_a_function_gets_the_messages(self):
        def permute(proto, permute_param):
            assert proto.name == "perm"
            return Transpose(*permute_param["order"][1:])

        assert load_caffe(IMAGE + PERMUTE, custom={"Permute": permute}).forward(self.x).shape == (2, 8, 6, 3)

    def test_several_messages(self):
        text = IMAGE + layer("a", "Own", "data", options="own_param { factor: 3 } other_param { factor: 4 }")
        own = load_caffe(text, custom={"Own": lambda proto, own_param, other_param: Doubled(other_param["factor"])})
        assert own.children["a"].factor == 4
        with pytest.raises(FileFormatError, match=r"'a' .*own_param and other_param have a field of the same name"):
            load_caffe(text, custom={"Own": Doubled})
        with pytest.raises(FileFormatError, match=r"'a' .*more than one own_param"):
            load_caffe(text.replace("other", "own"), custom={"Own": Doubled})

    def test_arguments_that_the_class_does_not_take(self):
        with pytest.raises(FileFormatError, match=r"'perm' \(Permute\): Doubled raised TypeError.*called with order"):
            load_caffe(IMAGE + PERMUTE, custom={"Permute": Doubled})

    def test_a_type_of_caffes_own(self):
        text = FLAT + layer("a", "Power", "data", options="own_param { factor: 3 }")
        assert load_caffe(text, custom={"Power": Doubled}).children["a"].factor == 3

    def test_without_custom_the_layer_is_named(self):
        with pytest.raises(FileFormatError, match=r"cannot run layer 1, 'perm' \(Permute\); .*\"Permute\": MyLayer"):
            load_caffe(IMAGE + PERMUTE)

    def test_a_layer_of_another_phase_needs_none(self):
        text = FLAT + dense("fc", "data", 2) + layer("out", "Own", "fc", None, "own_param { } include { phase: TRAIN }")
        assert load_caffe(text).outputs == ("fc",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layer { type: "Pooling"\n pooling_pram { } }', "line 2: .*did you mean pooling_param"),
        (
            'layer { type: "TanH"\n poling_param { } }',
            "line 2: .*'poling_param'.*did you mean pooling_param",
        ),
        ('layer { type: "Own" pooling_param { own_param { } } }', "no field 'own_param' in PoolingParameter"),
        ('layer { type: "Own" own { } }', "line 1"),
        ("own_param { }", "'own_param' in NetParameter"),
        ("layers { own_param { } }", "'own_param' in V1LayerParameter"),
        ("layers { layer { own_param { } } }", "'own_param' in V0LayerParameter"),
        ('layer { type: "Own" own_param { a: 1\n b 2 } }', "line 2: expected a \":\", got '2'"),
        ('layer { type: "Own" own_param { a: } }', "line 1: expected a value, got '}'"),
        ('layer { type: "Own" own_param { a: 1__0 } }', "line 1: 1__0 is not a number"),
        ('layer { type: "Own" own_param { a: ' + "9" * 100_000 + " } }", "expected a value, got '9{40}'$"),
        ('layer { type: "Own" own_param { [a.b] { } } }', r"expected the name of a field, or }, got '\['"),
        ('layer { type: "Own" own_param { a: [1 } }', "expected a value, got '}'"),
        ('layer { type: "Own" own_param { a: "x } }', "expected a value"),
        ('layer { type: "Own" own_param { a: "\\377" } }', "expected a string"),
        ('layer { type: "Own" own_param { a: 1 > }', "expected the name of a field, or }, got '>'"),
        ('layer { type: "Own" own_param {', "got 'the end'"),
        ('layer { type: "Own" own_param ' + "{ a " * (DEEPEST + 1), f"at most {DEEPEST} messages in one another"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(FileFormatError, match=f"prototxt: .*{message}") as raised:
        read_net(f"{text}\n")
    assert len(str(raised.value)) < 3000


def test_lines_stay_where_they_are():
    with pytest.raises(FileFormatError, match=r"line 5: .*'nam'"):
        read_net('layer { type: "Own" own_param {\n\n a: 1\n }\n nam: "x" }')


def test_a_message_takes_time_by_its_size_and_no_more():
    def seconds(count):
        start = time.process_time()
        found = dicts('layer { type: "Own" own_param { ' + "a:1 " * count + " } }")
        assert len(found["own_param"]["a"]) == count
        return time.process_time() - start

    assert seconds(100_000) < 12 * seconds(25_000) + 0.5


def test_a_field_that_is_not_one_of_ours_does_no_harm():
    for content in ("", "{", json.dumps([1]), json.dumps([1, "own_param {"]), json.dumps({}), "[" * 5000):
        with pytest.raises(FileFormatError):
            load_caffe(FLAT + layer("a", "Own", "data", options=f"own: {json.dumps(content)}"), custom={"Own": Doubled})


def test_they_are_written_as_they_were(tmp_path):
    net = select(read_net(EVERY_VALUE))
    write_net(tmp_path / "net.prototxt", net)
    text = (tmp_path / "net.prototxt").read_text(encoding="utf-8")
    assert "\n    yes: true no: false name: CENTER_SIZE" in text
    assert dicts(text) == dicts(EVERY_VALUE)


def test_weights_beside_them(tmp_path):
    text = FLAT + layer("own", "Own", "data", options="own_param { factor: 3 }") + dense("fc", "own", 2)
    net = load_caffe(text, custom={"Own": Doubled})
    save_caffemodel(tmp_path / "net.caffemodel", read_net(text), net)
    again = load_caffe(text, tmp_path / "net.caffemodel", custom={"Own": Doubled})
    assert (again.params["fc.W"].data == net.params["fc.W"].data).all()
