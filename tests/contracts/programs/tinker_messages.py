"""Prints the protobuf messages of the installed `tinker` package, field by field."""

import json
import sys

from tinker.proto import tinker_public_pb2

told = {
    name: {
        str(field.number): [field.name, field.type, field.is_repeated] for field in message.fields
    }
    for name, message in tinker_public_pb2.DESCRIPTOR.message_types_by_name.items()
}
sys.stdout.write(json.dumps(told))
