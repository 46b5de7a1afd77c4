"""Snapshots: state trees that come back to the bit, and the newest whole file that is found whatever happened."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import textwrap

import judges
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handbrew.data import FileFormatError, blobs
from handbrew.layers import Affine, SoftmaxCrossEntropy
from handbrew.nets import Sequential, load_net
from handbrew.nets.safetensors import NAMES, SNAPSHOT, read_safetensors, write_safetensors
from handbrew.solvers import SGD, Snapshots, read_snapshot
from handbrew.solvers.state_tree import DEEPEST, flatten, unflatten


def assert_same(found, expected):
    assert not judges.difference(found, expected)


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path / "snapshots")


def of(step):
    """A tree to be known again."""
    return {"step": step, "W": np.full((3, 4), step, np.float32)}


def names(snapshots):
    return [path.name for path in snapshots.paths()]


def flip(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


# ---- state trees

text = (
    st.text()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["@", "@array 0", "@text", "@int f", "__metadata__", "a/b", ""])
)
doubles = st.floats() | st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", bits.to_bytes(8, "little"))[0])
shapes = hnp.array_shapes(min_dims=0, min_side=0, max_dims=3)
arrays = st.sampled_from(sorted(NAMES, key=str)).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
leaves = st.none() | st.booleans() | st.integers() | st.integers(-(2**130), 2**130) | doubles | text | arrays
trees = st.dictionaries(
    text,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_every_tree_comes_back_to_the_bit(tmp_path_factory, tree):
    snapshots = Snapshots(tmp_path_factory.getbasetemp() / "trees")
    path = snapshots.write(tree, 1)
    found = read_snapshot(path)
    assert_same(found, tree)
    assert_same(judges.snapshot(path.read_bytes()), tree)


def test_the_judge_tells_apart():
    """The comparison that these tests rest on."""
    nans = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF8000000000000, 0xFFF8000000000001)]
    values = [
        None, False, True, 0, 1, 2**70, 0.0, -0.0, 1.0, *nans, "", "1", [], [0], [0, 0], {}, {"a": 0}, {"b": 0},
        np.zeros(1), np.ones(1), np.zeros(1, np.float32), np.zeros((1, 1)), np.zeros(()), -np.zeros(1), np.zeros(0),
    ]  # fmt: skip
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            assert (judges.difference({"x": [one]}, {"x": [other]}) is None) == (i == j), (one, other)
    assert judges.difference({"a": 1, "b": 2}, {"b": 2, "a": 1}), "the order of a dict is kept, too"


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generators_go_on_where_they_were(snapshots, kind):
    generator = np.random.Generator(getattr(np.random, kind)(7))
    generator.random(5, np.float32)  # leaves half of a 64-bit draw in store
    path = snapshots.write({"rng": generator.bit_generator.state}, 1)
    expected = generator.random(10, np.float32).tolist() + generator.integers(0, 9, 10).tolist()
    again = np.random.Generator(getattr(np.random, kind)(0))
    again.bit_generator.state = read_snapshot(path)["rng"]
    assert again.random(10, np.float32).tolist() + again.integers(0, 9, 10).tolist() == expected


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.float64(1), "numpy.float64"),
        (np.int64(1), "numpy.int64"),
        ((1, 2), "builtins.tuple"),
        (b"bytes", "builtins.bytes"),
        (1j, "builtins.complex"),
        ({1: 2}, "builtins.dict"),
        (np.array(["a"]), "an array of <U1"),
        (np.array([None]), "an array of object"),
        (np.zeros(2, complex), "an array of complex128"),
        (np.ma.zeros(2), "numpy.ma"),
        (signal.SIGINT, "signal.Signals"),
        (object, "builtins.type"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_would_come_back_as_something_else_is_refused(snapshots, value, what):
    snapshots.write(of(1), 1)
    with pytest.raises(TypeError, match=rf"^history/2/x: expected None, bool.*, got {what}"):
        snapshots.write({"history": [0, 1, {"x": value}]}, 1)
    assert_same(read_snapshot(snapshots.paths()[0]), of(1))


def test_depth_has_a_limit(snapshots):
    def nested(levels):
        tree = {}
        for _ in range(levels):
            tree = {"a": tree}
        return tree

    assert_same(read_snapshot(snapshots.write(nested(DEEPEST), 1)), nested(DEEPEST))
    endless = []
    endless.append(endless)
    for tree in (nested(DEEPEST + 1), nested(100_000), {"a": endless}):
        with pytest.raises(ValueError, match=f"deeper than {DEEPEST} levels; does it hold itself"):
            flatten(tree)
    with pytest.raises(ValueError, match="deeper than"):
        unflatten(nested(DEEPEST + 1), {})


def test_arrays_have_names_that_people_can_read(snapshots):
    tree = {
        "net": {"fc.W": np.ones(2)},
        "a": {"b": np.ones(3)},
        "a/b": np.ones(4),
        "__metadata__": np.ones(5),
        "Maß": [np.ones(6)],
    }
    found, texts = read_safetensors(snapshots.write(tree, 1))
    assert {name: array.size for name, array in found.items()} == {
        "net/fc.W": 2, "a/b": 3, "a/b'": 4, "__metadata__'": 5, "Maß/0": 6,
    }  # fmt: skip
    assert json.loads(texts[SNAPSHOT])["tree"]["a/b"] == "@array a/b'"


def test_what_is_read_can_be_written_to(snapshots):
    tree = read_snapshot(snapshots.write({"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(1, ">i4")}, 1))
    tree["a"] += 1
    np.testing.assert_array_equal(tree["a"], np.arange(1.0, 7).reshape(2, 3).T)
    assert tree["b"].dtype == np.int32


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "its tree is a list"),
        ("@array a", "its tree is a ndarray"),
        ({}, "no place for the array 'a'"),
        ({"x": "@array a", "y": "@array a"}, "'@array a', which stands for nothing"),
        ({"x": "@array b"}, "'@array b', which"),
        ({"x": "@array a", "y": "@"}, "'@', which"),
        ({"x": "@array a", "y": "@text a"}, "'@text a', which"),
        ({"x": "@array a", "y": "@int 0x1"}, "'@int 0x1', which"),
        ({"x": "@array a", "y": "@int 1_0"}, "'@int 1_0', which"),
        ({"x": "@array a", "y": "@int -"}, "'@int -', which"),
        ({"x": "@array a", "y": "@float inf"}, "'@float inf', which"),
        ({"x": "@array a", "y": "@float 7FF0000000000000"}, "which stands for nothing"),
        ({"x": "@array a", "y": "@eval 1+1"}, "which stands for nothing"),
        ({"x": "@array a", "y": float("inf")}, "not finite and not marked"),
    ],
)
def test_trees_that_are_none(tmp_path, data, complaint):
    path = tmp_path / "forged.safetensors"
    with path.open("wb") as file:
        write_safetensors(file, {"a": np.ones(2)}, {SNAPSHOT: json.dumps({"format": 1, "tree": data})})
    with pytest.raises(FileFormatError, match=f"^{path}: .*{complaint}"):
        read_snapshot(path)


@pytest.mark.parametrize(
    "described",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2, "tree": {}}',
        '{"format": 1}',
        "[" * 100_000,
        '{"format":1,"format":1,"tree":{}}',
    ],
)
def test_descriptions_that_are_none(tmp_path, described):
    path = tmp_path / "forged.safetensors"
    with path.open("wb") as file:
        write_safetensors(file, {}, {SNAPSHOT: described})
    with pytest.raises(FileFormatError, match=f"^{path}: "):
        read_snapshot(path)


# ---- weights and snapshots are not confused


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_weights_are_no_snapshot(tmp_path, ending):
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    net.build((2,))
    net.save(tmp_path / f"net{ending}")
    with pytest.raises(
        FileFormatError, match=r"expected a snapshot of a training, got a net's weights; load them with net.load"
    ):
        read_snapshot(tmp_path / f"net{ending}")


def test_another_programs_file_is_no_snapshot(tmp_path):
    text = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + b"\0")
    with pytest.raises(FileFormatError, match="expected a snapshot of a training, got another program's file"):
        read_snapshot(tmp_path / "a")


def test_a_snapshot_is_no_weights_file_and_the_error_says_what_to_do(snapshots):
    def made():
        net = Sequential(Affine(3), SoftmaxCrossEntropy())
        net.build((2,))
        return net

    net = made()
    SGD(net, lr=0.1).fit(blobs(), epochs=1, snapshots=snapshots, progress=False)
    path = snapshots.paths()[-1]
    for load in (load_net, made().load, Sequential(Affine(3)).load):
        with pytest.raises(FileFormatError) as error:
            load(path)
        assert str(error.value).startswith(f"{path}: expected a net's weights, got a snapshot of a training.")
        assert f"snapshots=Snapshots({str(path.parent)!r}), resume=True)" in str(error.value)
    recipe = re.search(r"net\.load_state\(.*\]\)", str(error.value))[0]
    other = made()
    eval(recipe, {"net": other, "read_snapshot": read_snapshot})
    assert_same(other.state(), net.state())


# ---- the folder


def test_the_newest_is_found_and_the_oldest_go(snapshots):
    assert snapshots.paths() == []
    assert snapshots.newest() is None
    assert not snapshots.folder.exists()
    for step in (0, 5, 90, 100, 1000):
        path = snapshots.write(of(step), step)
        assert path == snapshots.folder / f"step-{step:09d}.safetensors"
        tree, newest, complaints = snapshots.newest()
        assert (newest, complaints) == (path, [])
        assert_same(tree, of(step))
    assert names(snapshots) == [
        "step-000000090.safetensors",
        "step-000000100.safetensors",
        "step-000001000.safetensors",
    ]


def test_order_is_by_number(tmp_path):
    snapshots = Snapshots(tmp_path, keep=2)
    for step in (999_999_999, 1_000_000_000, 10_000_000_000):
        snapshots.write(of(step), step)
    assert names(snapshots) == ["step-1000000000.safetensors", "step-10000000000.safetensors"]
    assert snapshots.newest()[0]["step"] == 10_000_000_000


def test_the_best_stays_apart(tmp_path):
    snapshots = Snapshots(tmp_path, keep=1)
    assert snapshots.write_best(of(1)) == snapshots.best == tmp_path / "best.safetensors"
    for step in range(3):
        snapshots.write(of(step), step)
    assert_same(read_snapshot(snapshots.best), of(1))
    assert names(snapshots) == ["step-000000002.safetensors"]
    snapshots.write_best(of(2))
    assert_same(read_snapshot(snapshots.best), of(2))


def test_nothing_else_in_the_folder_is_touched(tmp_path):
    others = [
        "net.safetensors", "step-1.npz", "step-.safetensors", "step-000000001.safetensors.bak", "a step-1.safetensors",
        ".step-000000001.safetensors.swp", ".net.safetensors.0123456789ab.part", "step-1.part",
    ]  # fmt: skip
    for name in others:
        (tmp_path / name).write_text("mine")
    snapshots = Snapshots(tmp_path, keep=1)
    for step in range(2, 6):
        snapshots.write(of(step), step)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "step-000000005.safetensors"])


@pytest.mark.parametrize("damage", [flip, lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b"")])
def test_damaged_ones_are_reported_and_the_one_before_is_used(snapshots, damage):
    first, second, third = (snapshots.write(of(step), step) for step in (1, 2, 3))
    damage(third)
    tree, path, complaints = snapshots.newest()
    assert_same(tree, of(2))
    assert path == second
    assert len(complaints) == 1
    assert complaints[0].startswith(f"{third}: ")
    damage(second)
    tree, path, complaints = snapshots.newest()
    assert_same(tree, of(1))
    assert [complaint.split(": ")[0] for complaint in complaints] == [str(third), str(second)]
    damage(first)
    with pytest.raises(FileFormatError) as error:
        snapshots.newest()
    said = str(error.value).splitlines()
    assert said[0] == f"{snapshots.folder}: no snapshot that can be read"
    assert [line.split(": ")[0] for line in said[1:]] == [str(third), str(second), str(first)]


def test_one_that_the_disk_does_not_give_back_is_damaged_too(snapshots):
    snapshots.write(of(1), 1)
    (snapshots.folder / "step-000000002.safetensors").mkdir()
    tree, _, complaints = snapshots.newest()
    assert_same(tree, of(1))
    assert "step-000000002.safetensors" in complaints[0]


def test_after_going_back_the_new_ones_stay(tmp_path):
    """Resumed from 200 since 300 is damaged, a run writes 250: that has to stay, and must not cost 200 its place."""
    snapshots = Snapshots(tmp_path, keep=2)
    for step in (100, 200, 300):
        snapshots.write(of(step), step)
    flip(tmp_path / "step-000000300.safetensors")
    snapshots.write(of(250), 250)
    assert [int(name[5:14]) for name in names(snapshots)] == [200, 250, 300]
    tree, _, complaints = snapshots.newest()
    assert (tree["step"], len(complaints)) == (250, 1)
    snapshots.write(of(300), 300)
    assert [int(name[5:14]) for name in names(snapshots)] == [250, 300]
    assert snapshots.newest()[0]["step"] == 300


def test_no_good_one_goes_before_the_new_one_is_there(tmp_path, monkeypatch):
    snapshots = Snapshots(tmp_path, keep=1)
    snapshots.write(of(1), 1)

    def fail(*_):
        assert names(snapshots) == ["step-000000001.safetensors"]
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        snapshots.write(of(2), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.safetensors"]


def test_arguments(tmp_path):
    assert repr(Snapshots("a", every=10, required=False)) == "Snapshots('a', every=10, keep=3, required=False)"
    for wrong in ({"every": 0}, {"keep": 0}, {"keep": -1}):
        with pytest.raises(ValueError, match="must be at least 1"):
            Snapshots(tmp_path, **wrong)


# ---- writers that were killed, and writers that live

WRITER = """
    import sys, time
    from handbrew.nets import write_atomically
    with write_atomically(sys.argv[1]) as file:
        file.write(b"half")
        file.flush()
        print("writing", flush=True)
        sys.stdin.readline()
"""


def start_writer(path):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    return process


def parts(folder):
    return sorted(path.name for path in folder.glob(".*"))


def test_what_killed_writers_leave_is_removed_and_what_living_ones_write_is_not(tmp_path):
    snapshots = Snapshots(tmp_path)
    with start_writer(tmp_path / "step-000000001.safetensors") as dead, start_writer(snapshots.best) as dead_too:
        dead.kill(), dead_too.kill()
    assert len(parts(tmp_path)) == 2
    with start_writer(tmp_path / "step-000000002.safetensors") as living:
        (part,) = set(parts(tmp_path)) - {name for name in parts(tmp_path) if "0000001" in name or "best" in name}
        snapshots.write(of(3), 3)
        assert parts(tmp_path) == [part]
        living.communicate(b"\n")
        assert living.returncode == 0
    assert (tmp_path / "step-000000002.safetensors").read_bytes() == b"half"
    assert parts(tmp_path) == []
