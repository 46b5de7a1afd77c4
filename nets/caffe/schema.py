"""``messages``: classes for Caffe's protobuf messages, made when first asked for."""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace
from typing import Any

from .fields import ARRAYS, COMPUTE, DATA, NET, SOLVER
from .legacy_fields import LEGACY

_FIELD = re.compile(r"(\w+)=(\d+):(\w+)(?:\{(.*?)\})?([*+]?)(?:=(\S+))?")


@cache
def messages() -> Any:
    """Return protobuf's classes for the messages of Caffe 1.0, as attributes: ``messages().NetParameter``, ….

    Fields have the names, numbers and defaults of Caffe's own schema, and ``HasField`` tells what a file has set.
    They live in a pool of their own, beside any other schema of the same names.

    Raises
    ------
    ImportError
        Without protobuf, saying how to get it.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise ImportError('Caffe\'s files need protobuf: pip install "handbrew[caffe]"') from error

    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    _add_enum(file.enum_type.add(name="Phase"), "TRAIN,TEST")
    table = {**ARRAYS, **NET, **COMPUTE, **DATA, **SOLVER, **LEGACY}
    for name, fields in table.items():
        _add_fields(file.message_type.add(name=name), fields, table)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return SimpleNamespace(
        **{name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in table}
    )


def _add_fields(message: Any, fields: str, table: dict[str, str]) -> None:
    for text in fields.split():
        match = _FIELD.fullmatch(text)
        assert match, text
        name, number, kind, values, repeated, default = match.groups()
        field = message.field.add(name=name, number=int(number))
        field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        if values:
            _add_enum(message.enum_type.add(name=kind), values)
            field.type, field.type_name = field.TYPE_ENUM, f".caffe.{message.name}.{kind}"
        elif kind == "Phase":
            field.type, field.type_name = field.TYPE_ENUM, ".caffe.Phase"
        elif kind in table:
            field.type, field.type_name = field.TYPE_MESSAGE, f".caffe.{kind}"
        else:
            field.type = getattr(field, f"TYPE_{kind.upper()}")
        if repeated == "+":
            field.options.packed = True
        if default:
            field.default_value = default


def _add_enum(enum: Any, values: str) -> None:
    for position, text in enumerate(values.split(",")):
        name, _, number = text.partition("=")
        enum.value.add(name=name, number=int(number or position))


def copy_field(message: Any, name: str, value: Any) -> None:
    """Set a field, repeated or not, to the value that it has in another message."""
    if hasattr(value, "extend"):
        getattr(message, name).extend(value)
    elif hasattr(value, "CopyFrom"):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)
