"""Prototxt: its quirks, and errors that say where and what."""

import re
import time

import pytest

from handbrew.data import FileFormatError
from handbrew.nets.caffe.schema import messages
from handbrew.nets.caffe.text import LONGEST, MOST_MESSAGES, read_net, read_solver, write_net

QUIRKS = r"""
# a comment
name: 'it''s' "_one" # strings stand together, in either quotes
layer: { name: "a\t\"\x41" type: "Pooling", bottom: ["x", 'y'] ; top: "z"
  pooling_param < pool: AVE kernel_size: 0x10 pad: 010 > loss_weight: 1e-3 loss_weight: .5f loss_weight: -inf
  include: { phase: 1 stage: "" } propagate_down: true propagate_down: f propagate_down: 1 }
layer {}
"""


def test_quirks():
    net = read_net(QUIRKS)
    layer = net.layer[0]
    assert (net.name, layer.name, list(layer.bottom)) == ("its_one", 'a\t"A', ["x", "y"])
    pooling = layer.pooling_param
    assert (pooling.pool, pooling.kernel_size, pooling.pad) == (pooling.AVE, 16, 8)
    assert list(layer.loss_weight) == [pytest.approx(1e-3), 0.5, float("-inf")]
    assert list(layer.propagate_down) == [True, False, True]
    assert (layer.include[0].phase, list(layer.include[0].stage)) == (1, [""])
    assert net.layer[1] == messages().LayerParameter()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("comment", ["卷积".encode("gbk"), "卷积".encode(), b"\x80"])
def test_files(tmp_path, ends, mark, comment):
    path = tmp_path / "net.prototxt"
    path.write_bytes(
        mark + b"# " + comment + ends.encode() + 'name: "卷积" # x'.encode() + ends.encode() + b"layer { }"
    )
    net = read_net(path)
    assert (net.name, len(net.layer)) == ("卷积", 1)
    assert read_net(str(path)) == net


def test_what_is_written_reads_back_equal(tmp_path):
    net = read_net(QUIRKS)
    net.layer[0].lrn_param.alpha = 1e-4
    net.layer[0].name = "卷积\n\\"
    write_net(tmp_path / "net.prototxt", net)
    assert read_net(tmp_path / "net.prototxt") == net


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name: "x"\nlayer {\n  nam: "y"\n}',
            "line 3: Caffe 1.0 has no field 'nam' in LayerParameter; .* name",
        ),
        ("layer {\n pooling_param { siz: 1 } }", "line 2: .* 'siz' in PoolingParameter; it has pool, pad, pad_h"),
        (
            "layer {\n\n permute_param { order: 0 } }",
            "line 3: .* no field 'permute_param' in LayerParameter; did",
        ),
        ("layer { pooling_param {\n\n pool: MEAN } }", "line 3: .* no value 'MEAN' in .*PoolMethod; it has MAX, AVE"),
        ("layers { type: CONV }", "'CONV' in V1LayerParameter.LayerType; did you mean CONCAT"),
        ("layer { type: CONVOLUTION }", "line 1: Expected string"),
        ('layer { name: "a"\nname: "b" }', "line 2: .*multiple.*name"),
        ("layer { pooling_param { }\n pooling_param { } }", "line 2: .*multiple.*pooling_param"),
        ("layer { pooling_param { pool: 7 } }", "line 1: .*7"),
        ("layer { pooling_param { pad: 99999999999 } }", "out of range"),
        ("layer { pooling_param { pad: -1 } }", "out of range"),
        ("layer { pooling_param { pad: 1.5 } }", "line 1: .*1.5"),
        ("layer { [foo.bar] { a: 1 } }", "extensions"),
        ("layer {", "Expected"),
        ('layer { name: "a }', "quote"),
        ('layer { name: "\\377" }', "parse string"),
        ("layer } {", "line 1"),
        ("\n\0{", "binary"),
        ("{" * 50_000, "line 1"),
        ("layer <\n" * 50_000, "no field 'layer' in LayerParameter"),
        ("#{" + "x" * LONGEST, f"more than {LONGEST}"),
        ("layer { name: '" + "x" * 1_000_000, "quote"),
        ("layer { " + "x" * 1_000_000 + ": 1 }", "no field 'xxx"),
        ("layer { loss_weight: " + "9" * 1_000_000 + "x }", "line 1"),
    ],
)
def test_what_is_refused(text, message):
    start = time.monotonic()
    with pytest.raises(FileFormatError, match=f"prototxt: .*{message}") as raised:
        read_net(text)
    assert time.monotonic() - start < 10
    assert len(str(raised.value)) < 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layer { pooling_param { pool: "MAX" } }', "write it without quotes: MAX"),
        ("layer { type: RELU }", 'in a layer of today: type: "ReLU", in quotes'),
        ('layers { type: "RELU" }', "write it without quotes: RELU"),
        ('layers { type: "ReLU" }', r"write RELU, without quotes, or layer \{ \}"),
        ("layer { blobs_lr: 1 }", r"it is param \{ lr_mult: 1 \}"),
        ("layer { weight_decay: 1 }", r"it is param \{ decay_mult: 1 \}"),
        ("layer { pooling_param { ceil_mode: false } }", "it is round_mode: FLOOR"),
        ("default_forward_type: FLOAT16\nlayer { }", "NVCaffe's, .*may be removed"),
        ("layer { forward_math: FLOAT }", "NVCaffe's, .*may be removed"),
        ('net: "train.prototxt"\nbase_lr: 0.1', "line 1: .*this is no net; run it with `handbrew train --solver`"),
    ],
)
def test_what_to_write_instead(text, message):
    with pytest.raises(FileFormatError, match=message):
        read_net(text)


def test_a_net_is_no_solver():
    with pytest.raises(FileFormatError, match="this is no solver"):
        read_solver("name: 'a'\nlayer { }")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "run `git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<html></html>", "is a web page"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"PK\x03\x04\0", "zip archive"),
        (b"\x0a\x05LeNet\xa2\x06\0\0", "is this the caffemodel?"),
    ],
)
def test_files_that_are_no_prototxt(tmp_path, content, message):
    path = tmp_path / "net.prototxt"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"net\.prototxt: .*{message}"):
        read_net(path)


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_what_windows_calls_unicode(tmp_path, mark):
    path = tmp_path / "net.prototxt"
    path.write_bytes("\ufeffname: '卷积'\r\nlayer { }".encode(mark))
    net = read_net(path)
    assert (net.name, len(net.layer)) == ("卷积", 1)


def test_strings_without_an_end_take_no_time():
    start = time.monotonic()
    for quote in "\"'":
        with pytest.raises(FileFormatError):
            read_net("layer { name: " + quote + f"\\{quote}" * 500_000)
        with pytest.raises(FileFormatError):
            read_net("layer { own_param { name: " + quote + f"\\{quote}" * 500_000)
    assert time.monotonic() - start < 10


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "deploy.prototxt"
    path.write_text("layers { } layer { }")
    with pytest.raises(FileFormatError, match=r"deploy\.prototxt: has both layer and layers"):
        read_net(path)
    path.write_text("lair { }")
    with pytest.raises(FileFormatError, match=r"deploy\.prototxt: line 1: .*'lair' in NetParameter; .* mean layer"):
        read_net(path)
    with pytest.raises(FileNotFoundError):
        read_net(tmp_path / "none.prototxt")


def test_a_solver(tmp_path):
    path = tmp_path / "solver.prototxt"
    path.write_text("net: 'a b.prototxt' base_lr: 0.01 test_iter: 1 test_iter: 2 solver_type: ADADELTA")
    solver = read_solver(path)
    assert (solver.net, solver.type, list(solver.test_iter)) == ("a b.prototxt", "AdaDelta", [1, 2])
    assert not solver.HasField("solver_type")
    with pytest.raises(FileFormatError, match="'lr' in SolverParameter"):
        read_solver("net_param { }\nlr: 1")


@pytest.mark.parametrize("number", ["1_0", "0b11", "-0o17", "+5", "1_0.5", "1.5_0", "+.5"])
def test_numbers_that_only_python_takes_for_some(number):
    text = f"name: \"{number}\"  # {number}\nlayer {{ name: 'a' loss_weight: %s }}"
    assert read_net(text % "1e+5").layer[0].loss_weight[0] == 1e5
    with pytest.raises(FileFormatError, match=rf"line 2: {re.escape(number)} is not a number"):
        read_net(text % number)


def test_no_more_messages_than_there_is_memory_for():
    assert len(read_net("layer{}\n" * MOST_MESSAGES).layer) == MOST_MESSAGES
    with pytest.raises(FileFormatError, match="has 65537 messages"):
        read_net("layer{}\n" * (MOST_MESSAGES + 1))
