"""Thousands of damaged files: each is refused with a ``FileFormatError``, or read rightly.

``python tests/damage.py 10000`` takes so many of each kind and prints what came of them. Each kind has a process
of its own, with a limit on memory and time, which says in JSON what it saw. What was read is compared with the
undamaged original, if the file has a checksum, or else with what a plain parser (``judges.py``) makes of the same
bytes. Nothing may be run on the file's word: an audit hook listens, and the pickles among the files would leave a
mark.
"""

import gzip
import io
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import judges
import numpy as np

import handbrew.nets.caffe  # which is imported late, as is
import handbrew.nets.onnx  # noqa: F401
from handbrew.data import FileFormatError, read_csv, read_idx, read_npz
from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, SoftmaxCrossEntropy, StateError
from handbrew.nets import Sequential, load_net, read_weights
from handbrew.solvers import Snapshots, read_snapshot

MEGABYTES = 150  # more than the process has after its imports
SECONDS = 5  # for one file of a few thousand bytes
EVENTS = ("exec", "compile", "pickle.find_class", "os.system", "subprocess.Popen", "os.posix_spawn", "socket.connect")


# ---- whole files


def tree():
    rng = np.random.default_rng(0)
    return {
        "net": {"affine1.W": rng.normal(size=(5, 7)).astype(np.float32), "affine1.b": np.zeros(7, np.float32)},
        "solver": {"rule": "SGD", "lr": 0.1, "arrays": [np.arange(3.0), np.empty((0, 4)), np.array(True)]},
        "generators": {"drop": rng.bit_generator.state, "@": "@home", "a/b": np.arange(4), "a": {"b": np.arange(5)}},
        "history": [{"loss": 0.25, "accuracy": None}, {"loss": float("nan"), "accuracy": float("-inf")}],
    }


def net():
    made = Sequential(Affine(6), BatchNorm(), ReLU(), Dropout(), Affine(3), SoftmaxCrossEntropy(), seed=1)
    made.build((4,))
    return made


def saved(ending):
    with tempfile.TemporaryDirectory() as folder:
        net().save(Path(folder, f"net{ending}"))
        return Path(folder, f"net{ending}").read_bytes()


def snapshot():
    with tempfile.TemporaryDirectory() as folder:
        return Snapshots(folder).write(tree(), 1).read_bytes()


def idx():
    return b"\0\0\x0b\2" + np.array([12, 9], ">u4").tobytes() + np.arange(108, dtype=">i2").tobytes()


def npz(save=np.savez):
    file = io.BytesIO()
    save(file, X=np.arange(60.0).reshape(3, 20), y=["a", "b", "a"])
    return file.getvalue()


def csv():
    names = ["cat", "dog", '"an ""ape"""']
    rows = [f'{i / 8},{-i}e2,"{i}",{names[i % 3]}' for i in range(40)]
    return "\n".join(['a,b,"c",label', *rows]).encode()


# ---- damage of any bytes

HUGE = [2**k - d for k in (7, 8, 15, 16, 31, 32, 40, 63, 64) for d in (0, 1)]
NUMBERS = [
    b"0",
    b"-1",
    b"1.5",
    b"1e999",
    b"1_0",
    b"NaN",
    b"null",
    b"[]",
    b'"1"',
    b"9" * 5000,
    *(b"%d" % n for n in HUGE),
]


def flip(content, at, rng):
    content[at] ^= 1 << rng.integers(8)


def replace(content, at, rng):
    content[at] = rng.choice([*b"0123456789\"',:[]{}()<>-_e. \n", 0, 1, 127, 128, 255])


def truncate(content, at, rng):
    del content[at:]


def lengthen(content, at, rng):
    content += rng.bytes(rng.integers(1, 40))


def cut_out(content, at, rng):
    del content[at : at + rng.integers(1, 40)]


def repeat(content, at, rng):
    content[at:at] = content[at : at + rng.integers(1, 200)]


def swap(content, at, rng):
    size = int(rng.choice([1, 8, 64, 512]))
    other = int(rng.integers(len(content)))
    first, second = sorted((at, other))
    if first + size <= second and second + size <= len(content):
        content[first : first + size], content[second : second + size] = (
            content[second : second + size], content[first : first + size],
        )  # fmt: skip


def lose(content, at, rng):
    size = min(int(rng.choice([16, 512])), len(content) - at)
    content[at : at + size] = bytes(size)


def declare(content, at, rng):
    size, n = int(rng.choice([1, 2, 4, 8])), HUGE[rng.integers(len(HUGE))]
    content[at : at + size] = (n % 256**size).to_bytes(size, ["little", "big"][rng.integers(2)])


def renumber(content, at, rng):
    found = re.compile(rb"\d+").search(content, at)
    if found:
        content[found.start() : found.end()] = NUMBERS[rng.integers(len(NUMBERS))]


WAYS = [flip, flip, replace, truncate, lengthen, cut_out, repeat, swap, lose, declare, renumber]


def damaged(content, rng, ways=WAYS):
    """The bytes after one to three blows. What a file says of itself stands at its ends: they get most of them."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if content:
            at = [rng.integers(len(content)), rng.integers(400), -rng.integers(400) - 1][rng.integers(3)] % len(content)
            ways[rng.integers(len(ways))](content, int(at), rng)
    return bytes(content)


# ---- damage that a checksum does not show: by somebody who computes it anew

EVIL = [
    None, True, -1, 0, 0.5, 1e308, 2**40, 2**63, -(2**63), 10**400, "", [], [[]], {}, {"a": []}, "F64", "O", "\ud800",
    "@", "@array", "@array net/affine1.W", "@int 0x_1", "@float 00", "@text a", "handbrew", "handbrew.snapshot",
]  # fmt: skip


def places(value):
    """Every place in a JSON value, as what holds it and its key."""
    if isinstance(value, (list, dict)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def edited(value, rng):
    """The JSON value with a part changed, lost, renamed or put elsewhere; as text."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.integers(1, 3)):
        found = list(places(value))
        place, key = found[rng.integers(len(found))]
        other, name = found[rng.integers(len(found))]
        match rng.integers(5):
            case 0 if isinstance(place, dict):
                del place[key]
            case 1 if isinstance(place, dict):
                place[str(EVIL[rng.integers(len(EVIL))])] = place.pop(key)
            case 2:
                place[key] = json.loads(json.dumps(other[name]))
            case _:
                place[key] = deepcopy(EVIL[rng.integers(len(EVIL))])
        if not value:
            break
    text = json.dumps(value)
    if rng.integers(20) == 0:
        depth = int(rng.choice([50, 150, 100_000]))
        text = re.sub(r"\d+", lambda _: "[" * depth + "]" * depth, text, count=1)
    return text


def signed(text, data):
    """A safetensors file of this header, with the right checksum if it has one."""
    text = re.sub(rb'(handbrew\.sha256": ?")[0-9a-f]{64}', rb"\g<1>" + b"0" * 64, text)
    content = len(text).to_bytes(8, "little") + text + data
    digest = sha256(content).hexdigest().encode()
    return re.sub(rb'(handbrew\.sha256": ?")0{64}', rb"\g<1>" + digest, content, count=1)


def forged(content, rng):
    """A safetensors file whose header was damaged or edited, and then signed."""
    size = int.from_bytes(content[:8], "little")
    text, data = content[8 : 8 + size], content[8 + size :]
    kind = rng.integers(3)
    if kind == 0:
        return signed(damaged(text, rng), data)
    header = json.loads(text)
    if kind == 1:
        return signed(edited(header, rng).encode(), data)
    texts = header["__metadata__"]
    for key in texts.keys() - {"handbrew.sha256"}:
        texts[key] = edited(json.loads(texts[key]), rng)
    return signed(json.dumps(header).encode(), data)


def forged_npz(content, rng):
    """A zip with right sums, one of whose members was damaged."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            member = old.read(name)
            start = member.index(b"\n") + 1  # the header is what matters
            if name == chosen:
                member = damaged(member[:start], rng) + member[start:]
            new.writestr(name, member)
    return file.getvalue()


CELLS = [
    "", " ", "1_0", "1_0.5", "१२", "１", "\xa05", "nan", "-inf", "1e999", "0x10", "1,5", '"', '"1', "+1.", ".5", "--1",
    "1e", "1" * 5000, "\0", " 7 ", "@", "=1+1", "a" * 200_000, "label", "3.0", "03", "\u2028", "1\r", "-0",
]  # fmt: skip


def forged_csv(content, rng):
    """A CSV file some of whose cells say something else."""
    lines = content.decode().split("\n")
    for _ in range(rng.integers(1, 4)):
        row = rng.integers(len(lines))
        parts = lines[row].split(",")
        parts[rng.integers(len(parts))] = CELLS[rng.integers(len(CELLS))]
        lines[row] = ",".join(parts)
    return "\n".join(lines).encode()


def gzipped(content):
    return gzip.compress(content, mtime=0)


# ---- the kinds of files


def read_net(path):
    """Arrays and description, once it is clear that what ``load_net`` makes of them is the same or an error."""
    arrays, text = read_weights(path)
    try:
        state = load_net(path).state()
    except (FileFormatError, StateError):
        state = None
    if state is not None:
        with np.errstate(all="ignore"):
            there = {name: arrays[name].astype(array.dtype) for name, array in state.items()}
        assert not judges.difference(state, there), "load_net made another net than the file describes"
    return [arrays, text]


def read_arrays(path):
    return read_weights(path)[0]


def read_set(read):
    def reader(path):
        found = read(path)
        return {"X": found.X, "y": found.y, "classes": found.classes and list(found.classes)}

    return reader


def foreign():
    """A weights file of another program: without a checksum."""
    content = saved(".safetensors")
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = {"format": "np"}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


# Name: a whole file, the damage, the reader, and who judges what it read (None: it has to be the original).
KINDS = {
    "snapshot": (snapshot, damaged, read_snapshot, None),
    "snapshot, signed anew": (snapshot, forged, read_snapshot, judges.snapshot),
    "weights": (lambda: saved(".safetensors"), damaged, read_net, None),
    "weights, signed anew": (lambda: saved(".safetensors"), forged, read_net, judges.weights),
    "weights without checksum": (foreign, damaged, read_arrays, judges.arrays),
    "weights, npz": (lambda: saved(".npz"), damaged, read_net, None),
    "weights, npz, zipped anew": (lambda: saved(".npz"), forged_npz, read_net, judges.npz_weights),
    "idx": (idx, damaged, read_idx, judges.idx),
    "idx, gzip": (lambda: gzipped(idx()), damaged, read_idx, judges.idx),
    "idx, gzipped anew": (idx, lambda c, rng: gzipped(damaged(c, rng)), read_idx, judges.idx),
    "npz": (npz, damaged, read_set(read_npz), judges.npz),
    "npz, packed": (lambda: npz(np.savez_compressed), damaged, read_set(read_npz), judges.npz),
    "npz, zipped anew": (npz, forged_npz, read_set(read_npz), judges.npz),
    "csv": (csv, damaged, read_set(read_csv), judges.csv),
    "csv, cells": (csv, forged_csv, read_set(read_csv), judges.csv),
}


def try_kind(name, count, seed, folder):
    """Read so many damaged files of a kind; return how many were read and refused, and what went wrong."""
    make, damage, read, judge = KINDS[name]
    path, mark = Path(folder, "damaged"), Path(folder, "mark")
    whole = make()
    path.write_bytes(whole)
    original = read(path)
    heard = []
    sys.addaudithook(lambda event, _: heard.append(event) if event in EVENTS else None)
    limit_memory(MEGABYTES)
    result = {"read": 0, "refused": 0, "failures": []}
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        content = whole
        while content == whole:
            content = damage(whole, rng)
        path.write_bytes(content)
        heard.clear()
        begun, wrong, found = time.perf_counter(), None, None
        try:
            found = read(path)
        except FileFormatError as error:
            if str(path) not in str(error):
                wrong = f"does not name the file: {error}"
            elif isinstance(error.__cause__, MemoryError):
                wrong = f"asks for too much memory: {error}"
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        if heard or mark.exists():
            wrong = f"ran something: {heard}"
        elif time.perf_counter() - begun > SECONDS:
            wrong = "took too long"
        elif found is not None:
            wrong = misread(found, original, judge, content)
        result["refused" if found is None else "read"] += 1
        if wrong:
            Path(folder, f"failure-{number}").write_bytes(content)
            result["failures"].append(f"{name} {number}: {wrong[:300]}")
    return result


# ---- files that somebody wanted to do harm with


class Bait:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def numpy_file(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


def zip_of(members):
    """A packed zip; what is in it may be endless: pairs of a name and pieces of bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, pieces in members:
            with archive.open(name, "w") as member:
                for piece in pieces:
                    member.write(piece)
    return file.getvalue()


def npy_start(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


def pieces_gzipped(pieces):
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
        for piece in pieces:
            packed.write(piece)
    return file.getvalue()


def hostile(mark):
    """Files by name. None of them is anything that a reader should accept."""
    bait, megabyte = Bait(mark), bytes(2**20)
    objects = np.array([bait, bait], object)
    yield "a pickle", pickle.dumps({"net": bait, "affine1.W": objects})
    yield "an old pickle", pickle.dumps(bait, 0)
    yield "npz of objects", numpy_file(np.savez, X=objects, y=[0, 1], handbrew=objects)
    yield "npz with labels that are objects", numpy_file(np.savez, X=np.ones((2, 2)), y=objects, handbrew=objects)
    yield "npy of objects", numpy_file(np.save, objects)
    yield "npz of records", numpy_file(np.savez, X=np.zeros(2, "f8,i4"), y=np.zeros(2, "f8,O"))
    yield "zip of a pickle", zip_of([("archive/data.pkl", [pickle.dumps(bait)]), ("X.npy", [pickle.dumps(objects)])])
    yield "a number of endless digits", signed(b'{"a":' + b"9" * 10**6 + b"}", b"")
    yield "a deep header", signed(b'{"a":' + b"[" * 10**6 + b"]" * 10**6 + b"}", b"")
    for depth in (101, 900, 100_000):
        text = json.dumps('{"format":1,"tree":' + '{"a":' * depth + "0" + "}" * depth + "}")
        header = f'{{"__metadata__":{{"handbrew.sha256":"{"0" * 64}","handbrew.snapshot":{text}}}}}'
        yield f"a tree of {depth} levels", signed(header.encode(), b"")
        text = json.dumps('{"format":1,"net":' + '{"tuple":[' * depth + "0" + "]}" * depth + "}")
        header = f'{{"__metadata__":{{"handbrew.sha256":"{"0" * 64}","handbrew":{text}}}}}'
        yield f"an architecture of {depth} levels", signed(header.encode(), b"")
    for size in (10**8, 2**40, 2**63, 2**64 - 1):
        yield f"a header of {size} bytes", size.to_bytes(8, "little") + b"{}" + bytes(100)
        entry = {"dtype": "F64", "shape": [size], "data_offsets": [0, 8 * size]}
        yield f"an array of {size} numbers", signed(json.dumps({"a": entry}).encode(), bytes(100))
        lengths = [min(size, 2**32 - 1), 2**32 - 1]
        yield f"idx of {size} rows", b"\0\0\x0e\2" + np.array(lengths, ">u4").tobytes() + bytes(100)
        yield f"idx of {size} rows, gzip", gzipped(b"\0\0\x0e\2" + np.array(lengths, ">u4").tobytes() + bytes(100))
        yield f"npz of {size} rows", zip_of([("X.npy", [npy_start((size, 2))]), ("y.npy", [npy_start((size,))])])
    yield "a quote that never ends", b'a,b\n1,"' + b"2" * 10**6
    yield "a zip in a zip", zip_of([("X.npy", [zip_of([("X.npy", [npy_start((1,)) + bytes(8)])])])])
    zeros = [megabyte] * (2 * MEGABYTES)
    yield "short idx, endless gzip", pieces_gzipped([b"\0\0\x08\1\0\0\0\4", *zeros])
    lengths = np.array([len(zeros), 2**20], ">u4").tobytes()
    yield "idx of much less than it could unpack to", gzipped(b"\0\0\x08\2" + lengths + os.urandom(2**20))
    yield "bomb: gzip", pieces_gzipped([b"\0\0\x08\2", lengths, *zeros])
    yield "bomb: zip", zip_of([(name, [npy_start((len(zeros), 2**17)), *zeros]) for name in ("X.npy", "y.npy")])
    ones = [(f"{i}.npy", [npy_start((2**17,)), megabyte]) for i in range(2 * MEGABYTES)]
    yield "bomb: many arrays in a zip", zip_of(ones)


# Whom they are shown to.
READERS = {"read_csv": read_csv, "read_idx": read_idx, "read_npz": read_npz}
READERS |= {"load_net": load_net, "read_snapshot": read_snapshot}


def try_hostile(folder):
    """Show each hostile file to each reader."""
    path, mark = Path(folder, "hostile"), Path(folder, "mark")
    files = list(hostile(str(mark)))
    for make, _, read, _ in KINDS.values():  # so that all imports are done
        path.write_bytes(make())
        read(path)
    heard, result = [], {"read": 0, "refused": 0, "failures": []}
    sys.addaudithook(lambda event, _: heard.append(event) if event in EVENTS else None)
    limit_memory(MEGABYTES)
    for name, content in files:
        path.write_bytes(content)
        for reader, read in READERS.items():
            heard.clear()
            begun, wrong = time.perf_counter(), None
            try:
                read(path)
                wrong = "was read"
            except FileFormatError as error:
                if isinstance(error.__cause__, MemoryError) and "bomb" not in name:
                    wrong = f"asks for too much memory: {error}"
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if heard or mark.exists():
                wrong = f"ran something: {heard}"
            elif time.perf_counter() - begun > SECONDS:
                wrong = "took too long"
            result["read" if wrong else "refused"] += 1
            if wrong:
                result["failures"].append(f"{name}, {reader}: {wrong[:300]}")
    return result


def misread(found, original, judge, content):
    if judge is None:
        return judges.difference(found, original)
    try:
        expected = judge(content)
    except Exception as error:
        return f"was read, but the plain parser says {type(error).__name__}: {error}"
    return judges.difference(found, expected)


def limit_memory(megabytes):
    with open("/proc/self/statm") as file:
        limit = int(file.read().split()[0]) * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run(name, count, seed=0, timeout=60, program=__file__):
    """Try a kind in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "error", str(program), name, str(count), str(seed), folder]
        paths = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONPATH": paths}
        failed = {"read": 0, "refused": 0}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
        except subprocess.TimeoutExpired:
            return failed | {"failures": [f"{name}: no answer in {timeout} s"]}
        if done.returncode:
            return failed | {"failures": [f"{name}: exit {done.returncode}: {done.stderr[-1500:]}"]}
        return json.loads(done.stdout)


def answer(name, count, seed, folder):
    result = try_hostile(folder) if name == "hostile" else try_kind(name, int(count), int(seed), folder)
    print(json.dumps(result))


def main(count, program=__file__):
    print(f"{'':28}{'read rightly':>14}{'refused':>10}{'failures':>10}{'seconds':>9}")
    failures = []
    for name in (*KINDS, "hostile"):
        begun = time.perf_counter()
        result = run(name, count, timeout=60 + count, program=program)
        failures += result["failures"]
        taken = time.perf_counter() - begun
        print(f"{name:28}{result['read']:14}{result['refused']:10}{len(result['failures']):10}{taken:9.1f}", flush=True)
    print("\n".join(failures[:100]))
    return bool(failures)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(int(sys.argv[1])))
    answer(*sys.argv[1:])
