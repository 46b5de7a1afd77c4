"""Plain parsers of the formats that handbrew reads, written from their descriptions: judges of what was read."""

import csv as csv_module
import gzip
import io
import json
import math
import re
import struct

import numpy as np

CODES = {"BOOL": "?", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
CODES |= {f"{kind.upper()}{8 * n}": f"<{kind}{n}" for kind in "iu" for n in (1, 2, 4, 8)}


def difference(found, expected, where="it"):
    """What differs between two trees of dicts, lists, plain values and arrays, in type or bit; None if nothing does."""
    if type(found) is not type(expected):
        return f"{where}: a {type(found).__name__}, expected a {type(expected).__name__}"
    if isinstance(found, np.ndarray):
        same = (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
        return (
            None if same else f"{where}: another array: {found.dtype} {found.shape}, {expected.dtype} {expected.shape}"
        )
    if isinstance(found, dict):
        if list(found) != list(expected):
            return f"{where}: {list(found)[:9]}, expected {list(expected)[:9]}"
        pairs = [(key, found[key], expected[key]) for key in found]
    elif isinstance(found, list):
        if len(found) != len(expected):
            return f"{where}: {len(found)} items, expected {len(expected)}"
        pairs = list(zip(range(len(found)), found, expected, strict=True))
    else:
        same = struct.pack("d", found) == struct.pack("d", expected) if isinstance(found, float) else found == expected
        return None if same else f"{where}: {found!r:.80}, expected {expected!r:.80}"
    return next((d for key, f, e in pairs if (d := difference(f, e, f"{where}/{key}"))), None)


def safetensors(content):
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    texts = header.pop("__metadata__", {})
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = np.frombuffer(data[begin:end], CODES[entry["dtype"]]).reshape(entry["shape"])
    return found, texts


def arrays(content):
    return safetensors(content)[0]


def weights(content):
    found, texts = safetensors(content)
    return [found, texts.get("handbrew")]


def snapshot(content):
    found, texts = safetensors(content)

    def value(item):
        if isinstance(item, dict):
            return {key: value(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [value(inner) for inner in item]
        match item.split(" ", 1) if isinstance(item, str) and item[:1] == "@" else None:
            case ["@array", name]:
                return found[name]
            case ["@text", text]:
                return text
            case ["@int", digits]:
                return int(digits, 16)
            case ["@float", digits]:
                return struct.unpack(">d", bytes.fromhex(digits))[0]
            case None:
                return item
        raise ValueError(item)

    return value(json.loads(texts["handbrew.snapshot"])["tree"])


def idx(content):
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    lengths = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
    code = {8: "B", 9: "b", 11: "h", 12: "i", 13: "f", 14: "d"}[kind]
    items = struct.unpack(f">{math.prod(lengths)}{code}", content[4 + 4 * axes :])
    assert zero == 0
    return np.array(items, code).reshape(lengths)


def npz_arrays(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: array.astype(array.dtype.newbyteorder("=")) for name, array in file.items()}


def npz_weights(content):
    found = npz_arrays(content)
    text = found.pop("handbrew", None)
    return [found, None if text is None else str(text)]


def npz(content):
    found = npz_arrays(content)
    pairs = (
        ("X", "y"),
        ("x", "y"),
        ("X_train", "y_train"),
        ("x_train", "y_train"),
        ("images", "labels"),
        ("data", "target"),
    )
    X, y = next((found[X], found[y]) for X, y in pairs if X in found and y in found)
    if y.dtype.kind == "U":
        y, classes = learnt(y.ravel().tolist())
    else:
        classes = found["classes"].tolist() if "classes" in found and y.dtype.kind != "f" else None
        y = y.astype(np.int64) if y.dtype.kind in "biu" else y
    return {"X": X, "y": y, "classes": classes}


NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number(cell):
    if not NUMBER.fullmatch(cell.strip()):
        raise ValueError(f"{cell[:40]!r} is no number")
    if not math.isfinite(float(cell)):
        raise ValueError(f"{cell[:40]!r} is no finite number")
    return float(cell)


def is_number(cell):
    try:
        number(cell)
    except ValueError:
        return False
    return True


def learnt(cells):
    """The target column: labels and their names, or numbers."""
    cells = [cell.strip() for cell in cells]
    if any(cell.lower() in ("", "?", "na", "n/a", "nan", "null") for cell in cells):
        raise ValueError("missing value")
    if any(is_number(cell) and not number(cell).is_integer() for cell in cells):
        return np.array([[number(cell)] for cell in cells], np.float32), None
    if all(map(is_number, cells)):
        values = [int(number(cell)) for cell in cells]
        classes = sorted(set(values))
        return np.array([classes.index(value) for value in values]), list(map(str, classes))
    classes = sorted(set(cells))
    return np.array([classes.index(cell) for cell in cells]), classes


def csv(content):
    text = content.decode("utf-8-sig")
    first = re.sub('"[^"]*"', "", io.StringIO(text, newline="").readline())
    separator = max(",;\t", key=first.count)
    names, *rows = (row for row in csv_module.reader(io.StringIO(text, newline=""), delimiter=separator) if row)
    names = [name.strip() for name in names]
    assert all(len(row) == len(names) == len(set(names)) for row in rows)
    lowered = [name.casefold() for name in names]
    target = next(
        (lowered.index(usual) for usual in ("label", "target", "class", "y") if usual in lowered), len(names) - 1
    )
    X = np.array([[number(cell) for i, cell in enumerate(row) if i != target] for row in rows])
    y, classes = learnt([row[target] for row in rows])
    return {"X": X, "y": y, "classes": classes}
