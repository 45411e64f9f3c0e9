"""The protobuf messages of the Tinker protocol, as one table: what a client sends, what it reads.

Built when imported, in a pool of our own: a process that also has the `tinker` package, which
registers messages of the same names, is not disturbed. Field numbers and types are the wire's.
"""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "tinker_public"
_SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    # What an enum is on the wire, without its names.
    "enum": FieldDescriptorProto.TYPE_INT32,
}
#: By message: `number: "[repeated |optional |oneof:GROUP ]TYPE name"`.
MESSAGES: dict[str, dict[int, str]] = {
    "ForwardBackwardRequest": {
        1: "string model_id",
        2: "int32 seq_id",
        3: "repeated Datum data",
        4: "string loss_fn",
        5: "map:double loss_fn_config",
        6: "bool forward_only",
        7: "map:LossConfigValue loss_fn_config_v2",
    },
    "LossConfigValue": {1: "oneof:value double number", 2: "oneof:value string text"},
    "Datum": {1: "repeated Chunk model_input", 2: "map:Tensor loss_fn_inputs"},
    "Chunk": {
        1: "oneof:kind EncodedTextChunk encoded_text",
        2: "oneof:kind ImageChunk image",
        3: "oneof:kind DmelChunk dmel",
    },
    "EncodedTextChunk": {1: "bytes tokens"},
    "ImageChunk": {1: "bytes data"},
    "DmelChunk": {1: "bytes dmel"},
    "Tensor": {
        1: "oneof:encoding bytes dense",
        2: "oneof:encoding SparseCsr sparse_csr",
        3: "enum dtype",
        4: "repeated int64 shape",
    },
    "SparseCsr": {1: "bytes values", 2: "bytes crow_indices", 3: "bytes col_indices"},
    "ForwardBackwardOutput": {
        1: "string loss_fn_output_type",
        2: "repeated ArrayRecord loss_fn_outputs",
        3: "map:double metrics",
    },
    "ArrayRecord": {1: "string type_tag", 2: "map:BatchedTensor fields", 3: "int64 num_datums"},
    "BatchedTensor": {
        1: "bytes data",
        2: "bytes offsets",
        3: "enum dtype",
        4: "repeated int64 trailing_shape",
    },
    "SampleResponse": {
        1: "repeated SampledSequence sequences",
        2: "optional bytes prompt_logprobs",
        3: "TopkLogprobs topk_prompt_logprobs",
        4: "int32 prompt_cache_hit_tokens",
        5: "Tensor target_prompt_logprobs",
        6: "PromptAltTokens prompt_alt_tokens",
    },
    "PromptAltTokens": {1: "Tensor tokens", 2: "Tensor logprobs"},
    "SampledSequence": {
        1: "enum stop_reason",
        2: "bytes tokens",
        3: "optional bytes logprobs",
        4: "TopkLogprobs topk_sampled_logprobs",
    },
    "TopkLogprobs": {1: "bytes token_ids", 2: "bytes logprobs", 3: "uint32 k", 4: "uint32 length"},
}


def _describe() -> FileDescriptorProto:
    file = FileDescriptorProto(
        name="twinkle_jupyter/wire/tinker.proto", package=_PACKAGE, syntax="proto3"
    )
    for message_name, fields in MESSAGES.items():
        message = file.message_type.add(name=message_name)
        groups: list[str] = []
        for number, text in fields.items():
            *rule, kind, name = text.split(" ")
            field = message.field.add(name=name, number=number)
            field.label = FieldDescriptorProto.LABEL_OPTIONAL
            if kind.startswith("map:"):
                entry = message.nested_type.add(name=f"{_camel(name)}Entry")
                entry.options.map_entry = True
                for place, (part, part_kind) in enumerate(
                    (("key", "string"), ("value", kind.removeprefix("map:"))), start=1
                ):
                    inner = entry.field.add(name=part, number=place)
                    inner.label = FieldDescriptorProto.LABEL_OPTIONAL
                    _set_type(inner, part_kind)
                field.label = FieldDescriptorProto.LABEL_REPEATED
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{message_name}.{entry.name}"
                continue
            _set_type(field, kind)
            match rule:
                case ["repeated"]:
                    field.label = FieldDescriptorProto.LABEL_REPEATED
                case ["optional"]:
                    field.proto3_optional = True
                    field.oneof_index = len(groups)
                    groups.append(f"_{name}")
                case [group]:
                    if group not in groups:
                        groups.append(group)
                    field.oneof_index = groups.index(group)
        for group in groups:
            message.oneof_decl.add(name=group.removeprefix("oneof:"))
    return file


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_POOL = DescriptorPool()
_POOL.Add(_describe())  # type: ignore[no-untyped-call,unused-ignore]


def new_message(name: str) -> Message:
    """Return an empty message of the table."""
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()
