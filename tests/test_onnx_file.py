"""Reading ONNX from its bytes: metadata found, files that reach for other files refused."""

import hashlib

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, external_data_helper, helper

from thermoseg.onnx_file import read_content, with_metadata


def tensor(name: str = "weights") -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [2], b"\1\2\3\4\5\6\7\1", raw=True)


def external(name: str = "weights") -> TensorProto:
    outside = tensor(name)
    external_data_helper.set_external_data(outside, "/etc/passwd")
    outside.ClearField("raw_data")
    return outside


def model(*initializers: TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> onnx.ModelProto:
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 4, 4])
    graph = helper.make_graph(nodes, "graph", [picture], [picture], list(initializers))
    return helper.make_model(graph)


def nested(levels: int, inside: TensorProto) -> onnx.ModelProto:
    graph = helper.make_graph([], "deep", [], [], [inside])
    for _ in range(levels):
        graph = helper.make_graph([helper.make_node("If", [], [], then=graph)], "deep", [], [])
    return helper.make_model(graph)


def test_metadata_written_by_the_onnx_library_are_found() -> None:
    written = model(tensor())
    helper.set_model_props(written, {"licence": "GPL", "name": "Größe"})

    assert read_content(written.SerializeToString()).metadata == {"licence": "GPL", "name": "Größe"}


def test_metadata_added_here_are_found_by_the_onnx_library() -> None:
    content = model(tensor()).SerializeToString()

    changed = with_metadata(content, "thermoseg", "ü" * 300)

    found = onnx.load_model_from_string(changed)
    onnx.checker.check_model(found)
    assert [(entry.key, entry.value) for entry in found.metadata_props] == [
        ("thermoseg", "ü" * 300)
    ]
    assert found.graph == onnx.load_model_from_string(content).graph


def test_the_rest_is_summed_up_without_the_metadata() -> None:
    content = model(tensor()).SerializeToString()

    assert read_content(content).rest_sha256 == hashlib.sha256(content).hexdigest()
    assert read_content(with_metadata(content, "a", "b")).rest_sha256 == (
        hashlib.sha256(content).hexdigest()
    )
    other = content.replace(b"\1\2\3\4\5\6\7\1", b"\1\2\3\4\5\6\7\2")
    assert read_content(other).rest_sha256 != read_content(content).rest_sha256


@pytest.mark.parametrize(
    "hostile",
    [
        model(external()),
        model(tensor(), external("more")),
        model(nodes=(helper.make_node("Constant", [], ["c"], value=external()),)),
        nested(3, external()),
    ],
    ids=["initializer", "second", "constant", "subgraph"],
)
def test_weights_in_other_files_are_refused(hostile: onnx.ModelProto) -> None:
    with pytest.raises(ValueError, match="its weights lie in other files"):
        read_content(hostile.SerializeToString())


def test_weights_in_other_files_are_refused_in_functions_and_sparse_tensors() -> None:
    within = model()
    within.functions.append(
        helper.make_function(
            "own",
            "f",
            [],
            ["c"],
            [helper.make_node("Constant", [], ["c"], value=external())],
            [helper.make_opsetid("", 20)],
        )
    )
    sparse = model()
    sparse.graph.sparse_initializer.add().values.CopyFrom(external())

    for hostile in (within, sparse):
        with pytest.raises(ValueError, match="its weights lie in other files"):
            read_content(hostile.SerializeToString())


def test_weights_that_say_they_are_inside_are_accepted() -> None:
    inside = tensor()
    inside.data_location = TensorProto.DEFAULT

    assert read_content(model(inside).SerializeToString()).metadata == {}


def test_endless_nesting_is_refused() -> None:
    assert read_content(nested(10, tensor()).SerializeToString()).metadata == {}
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        read_content(nested(25, tensor()).SerializeToString())


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff" * 30, b"\0" * 30, b"\x3a\xff\xff\xff\xff\x7f"],
    ids=["empty", "png", "ones", "zeros", "longer than itself"],
)
def test_what_is_no_onnx_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="ONNX"):
        read_content(content)


def test_metadata_that_are_no_text_are_refused() -> None:
    content = model(tensor()).SerializeToString() + b"\x72\x03\x0a\x01\xff"

    with pytest.raises(ValueError, match="not text"):
        read_content(content)


@given(st.data())
def test_damage_is_refused_or_changes_the_sum(data: st.DataObject) -> None:
    content = bytearray(with_metadata(model(tensor()).SerializeToString(), "thermoseg", "header"))
    before = read_content(bytes(content))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))

    try:
        after = read_content(bytes(content))
    except ValueError:
        return
    assert after != before


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    try:
        read_content(b"\x3a\0" + content)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - any other exception fails the test
