"""What protobuf says of a text that it does not take, in words that say what to do."""

from __future__ import annotations

import difflib
import re
from typing import Any

from .legacy_fields import V1_TYPES
from .own import FIELD
from .schema import messages

_UNKNOWN = re.compile(r'(?P<what>Message|Enum) type "(?P<owner>[\w.]+)" has no (?:field|value) named "?(?P<name>\w*)')
_BARE_TYPE = re.compile(r"\btype\s*:\s*([A-Za-z]\w*)")
_LONGEST_REASON = 2000  # characters
_TODAYS = {old: name for old, (_, name) in V1_TYPES.items() if name}
# Fields that NVCaffe adds; they say how it computes, not what.
_NVCAFFE = re.compile(
    r"(default_)?(forward|backward)_(type|math)|(default_)?(conv_algos|cudnn_math)_override"
    r"|global_grad_scale(_adaptive|_param)?|reduce_buckets|eltwise_mem_sharing"
)
_ADVICE = {
    ("LayerParameter", "blobs_lr"): "in a layer of today it is param { lr_mult: 1 }, one for each blob",
    ("LayerParameter", "weight_decay"): "in a layer of today it is param { decay_mult: 1 }, one for each blob",
    ("PoolingParameter", "ceil_mode"): "it is round_mode: FLOOR, or CEIL, which is the default",
}


def explain(error: Any, text: str) -> str:
    """What protobuf says, with the line in words, and for an unknown name the names that there are."""
    line = error.GetLine()
    reason = str(error).removeprefix(f"{line}:{error.GetColumn()} : ")
    if line:  # some reasons repeat the line, however long it is
        content = text.split("\n")[line - 1]
        reason = reason.removeprefix(f"'{content}': ") + _about_type(reason, content)
    unknown = _UNKNOWN.match(reason)
    if unknown:
        reason = describe_unknown(**unknown.groupdict())
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}…"
    return f"line {line}: {reason}" if line else reason


def _about_type(reason: str, line: str) -> str:
    """What to write in place of a layer's type without quotes, as only V1 layers have it."""
    found = _BARE_TYPE.search(line[:_LONGEST_REASON])
    if "Expected string" not in reason or found is None or f"'{found[1]}'" not in reason:
        return ""
    return f'; in a layer of today: type: "{_TODAYS.get(found[1].upper(), found[1])}", in quotes'


def describe_unknown(what: str, owner: str, name: str) -> str:
    """What to do about a name that a message, or an enumeration, does not have."""
    pool = messages().NetParameter.DESCRIPTOR.file.pool
    if what == "Enum":
        known = list(pool.FindEnumTypeByName(owner).values_by_name)
        what = "value"
    else:
        known = [field.name for field in pool.FindMessageTypeByName(owner).fields if field.name != FIELD]
        what = "field"
    owner = owner.removeprefix("caffe.")
    return f"Caffe 1.0 has no {what} {name[:100]!r} in {owner}; {_hint(owner, name, known)}"


def _hint(owner: str, name: str, known: list[str]) -> str:
    if (owner, name) in _ADVICE:
        return _ADVICE[owner, name]
    if owner in ("NetParameter", "LayerParameter", "SolverParameter") and _NVCAFFE.fullmatch(name):
        return "it is NVCaffe's, about precision and speed, and may be removed"
    if owner == "NetParameter" and name in messages().SolverParameter.DESCRIPTOR.fields_by_name:
        return "it is a solver's: this is no net; run it with `handbrew train --solver`, or load the net it names"
    if owner == "SolverParameter" and name in messages().NetParameter.DESCRIPTOR.fields_by_name:
        return "it is a net's: this is no solver; a solver names its net in `net`"
    if name in known:
        return f"write it without quotes: {name}"
    old = next((old for old, todays in _TODAYS.items() if todays == name), None)
    if owner == "V1LayerParameter.LayerType" and old is not None:
        return f"write {old}, without quotes, or layer {{ }} in place of layers {{ }}"
    near = difflib.get_close_matches(name[:100], known, 3)
    return f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}"
