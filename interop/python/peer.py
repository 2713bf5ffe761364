"""Answers the lab's requests with the official PyPI package `tink`. See ../README.md."""

import base64
import importlib.metadata
import itertools
import json
import pathlib
import platform
import sys

import tink
from tink import aead
from tink import json_proto_keyset_format
from tink import proto_keyset_format
from tink import secret_key_access
from tink.proto import tink_pb2

TOKEN = secret_key_access.TOKEN
FORMATS = {"binary": proto_keyset_format, "json": json_proto_keyset_format}


class Refused(Exception):
    """The library said no; `stage` is where."""

    def __init__(self, stage, cause):
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.stage = stage


def at(stage, call, *arguments):
    """Calls the library; every exception of its own is a refusal."""
    try:
        return call(*arguments)
    except Exception as error:  # the library documents no complete list
        raise Refused(stage, error) from error


# Longer binary data goes through files of the folder that is the first argument.
IN_LINE = 65_536


def unb64(text):
    return base64.b64decode(text, validate=True)


def b64(data):
    return base64.b64encode(data).decode("ascii")


def binary(member):
    return unb64(member) if isinstance(member, str) else pathlib.Path(member["file"]).read_bytes()


def member(data, written=itertools.count()):
    if len(data) <= IN_LINE:
        return b64(data)
    path = pathlib.Path(sys.argv[1], str(next(written)))
    path.write_bytes(data)
    return {"file": str(path)}


def load(keyset):
    form = FORMATS[keyset["format"]]
    data = unb64(keyset["data"])
    if "kek" not in keyset:
        return at("load", form.parse, data, TOKEN)
    return at("load", form.parse_encrypted, data, kek(keyset), unb64(keyset["associated_data"]))


def kek(keyset):
    handle = at("kek", proto_keyset_format.parse, unb64(keyset["kek"]), TOKEN)
    return at("kek", handle.primitive, aead.Aead)


def store(handle, target):
    form = FORMATS[target["format"]]
    if "kek" not in target:
        data = at("write", form.serialize, handle, TOKEN)
    else:
        associated_data = unb64(target["associated_data"])
        data = at("write", form.serialize_encrypted, handle, kek(target), associated_data)
    # The binary serializer gives bytes, the JSON one text.
    return data.encode("utf-8") if isinstance(data, str) else data


class Sealed:
    """What encrypts and decrypts with associated data."""

    def __init__(self, primitive, produce, consume):
        self._primitive = primitive
        self._produce = produce
        self._consume = consume

    def open(self, handle):
        primitive = at("primitive", handle.primitive, self._primitive)
        return getattr(primitive, self._produce), getattr(primitive, self._consume)


PRIMITIVES = {
    "aead": Sealed(aead.Aead, "encrypt", "decrypt"),
}


def info(_request):
    return {
        "name": "tink-py (C++ core)",
        "version": importlib.metadata.version("tink"),
        "runtime": f"{platform.python_implementation()} {platform.python_version()}",
        "primitives": sorted(PRIMITIVES),
    }


def template(request):
    found = getattr(aead.aead_key_templates, request["name"], None)
    if found is None:
        return {"template": None}
    prefix = tink_pb2.OutputPrefixType.Name(found.output_prefix_type)
    return {
        "template": {"type_url": found.type_url, "value": b64(found.value), "prefix": prefix},
    }


def generate(request):
    wanted = request["template"]
    key_template = tink_pb2.KeyTemplate(
        type_url=wanted["type_url"],
        value=unb64(wanted["value"]),
        output_prefix_type=tink_pb2.OutputPrefixType.Value(wanted["prefix"]),
    )
    handle = at("generate", tink.new_keyset_handle, key_template)
    return {"keyset": b64(store(handle, {"format": "binary"}))}


def write(request):
    return {"keyset": b64(store(load(request["keyset"]), request["target"]))}


def produce(request):
    encrypt, _ = PRIMITIVES[request["primitive"]].open(load(request["keyset"]))
    outputs = []
    for message in request["messages"]:
        arguments = binary(message["input"]), unb64(message["associated_data"])
        outputs.append(member(at("use", encrypt, *arguments)))
    return {"outputs": outputs}


def consume(request):
    _, decrypt = PRIMITIVES[request["primitive"]].open(load(request["keyset"]))
    inputs = []
    for message in request["messages"]:
        arguments = binary(message["output"]), unb64(message["associated_data"])
        try:
            inputs.append(member(at("use", decrypt, *arguments)))
        except Refused:
            inputs.append(None)
    return {"inputs": inputs}


OPERATIONS = {
    "info": info,
    "template": template,
    "generate": generate,
    "write": write,
    "produce": produce,
    "consume": consume,
}


def main():
    aead.register()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = OPERATIONS[request["op"]](request)
        except Refused as refused:
            answer = {"refused": str(refused), "stage": refused.stage}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
