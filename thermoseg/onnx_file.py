"""What an ONNX file says of itself, read from its bytes before anything else may touch them.

ONNX is a protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).  Only as much
of it is understood here as is needed to find its metadata and to refuse files that would make
their reader open other files.  Nothing but the standard library is needed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

DEEPEST: Final = 64
"""Levels of graphs within graphs; our own files have one."""

_GRAPH: Final = 7
"""Number of the field `graph` of a model."""
_METADATA: Final = 14
"""Number of the field `metadata_props` of a model: entries of key (1) and value (2)."""
_EXTERNAL_FIELDS: Final = frozenset({13, 14})
"""Numbers of the fields `external_data` and `data_location` of a tensor."""

_PARTS: Final[dict[str, dict[int, str]]] = {
    "model": {_GRAPH: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {},
}
"""Numbers and kinds of the fields in which a tensor may lie, by kind of message."""


@dataclass(frozen=True, slots=True)
class OnnxContent:
    """Findings in an ONNX file."""

    metadata: dict[str, str]
    rest_sha256: str
    """Hex digest of everything but the metadata: graph, weights and versions."""


def read_content(content: bytes) -> OnnxContent:
    """Find the metadata of an ONNX file and sum up the rest.

    Raises
    ------
    ValueError
        If the bytes are no ONNX model, or the weights of one lie in other files.
    """
    digest, metadata, graphs = hashlib.sha256(), dict[str, str](), 0
    view = memoryview(content)
    for number, whole, payload in _fields(view):
        if number == _METADATA:
            entry = {key: bytes(value) for key, _, value in _fields(payload)}
            try:
                metadata[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
            except UnicodeDecodeError as error:
                raise ValueError("its metadata are not text") from error
            continue
        digest.update(whole)
        graphs += number == _GRAPH
        kind = _PARTS["model"].get(number)
        if kind is not None:
            _refuse_external(payload, kind, 1)
    if graphs != 1:
        raise ValueError("it holds no ONNX graph")
    return OnnxContent(metadata, digest.hexdigest())


def with_metadata(content: bytes, key: str, value: str) -> bytes:
    """Return the ONNX model with one more entry of metadata; all else stays the same."""
    entry = _delimited(1, key.encode()) + _delimited(2, value.encode())
    return content + _delimited(_METADATA, entry)


def _refuse_external(message: memoryview, kind: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"its graphs are nested more than {DEEPEST} deep")
    parts = _PARTS[kind]
    for number, _, payload in _fields(message):
        if kind == "tensor" and number in _EXTERNAL_FIELDS and bytes(payload) != b"\0":
            raise ValueError("its weights lie in other files")
        if number in parts:
            _refuse_external(payload, parts[number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield number, all bytes and payload of each field of a message."""
    place = 0
    while place < len(message):
        begin = place
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        payload_begin = place
        match wire:
            case 0:  # integer
                _, place = _varint(message, place)
            case 1:  # eight bytes
                place += 8
            case 2:  # text, bytes or a message
                size, payload_begin = _varint(message, place)
                place = payload_begin + size
            case 5:  # four bytes
                place += 4
            case _:
                raise ValueError("it is no ONNX file")
        if place > len(message) or number == 0:
            raise ValueError("it is cut off or no ONNX file")
        yield number, message[begin:place], message[payload_begin:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Read an integer of seven bits a byte; return it and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("it is cut off or no ONNX file")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("it is no ONNX file")


def _delimited(number: int, payload: bytes) -> bytes:
    return _packed(number << 3 | 2) + _packed(len(payload)) + payload


def _packed(value: int) -> bytes:
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])
