"""Answers the lab's requests with the official PyPI packages. See ../README.md."""

import base64
import importlib.metadata
import io
import itertools
import json
import os
import pathlib
import platform
import sys

from scaleway_tink.integration.scwkms import client as scwkms
import tink
from tink import aead
from tink import daead
from tink import json_proto_keyset_format
from tink import mac
from tink import prf
from tink import proto_keyset_format
from tink import secret_key_access
from tink import streaming_aead
from tink.proto import tink_pb2
from tink.testing import fake_kms

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
    if "no_secret" in keyset:
        return at("load", form.parse_without_secret, data)
    if "kek" not in keyset:
        return at("load", form.parse, data, TOKEN)
    return at("load", form.parse_encrypted, data, kek(keyset), unb64(keyset["associated_data"]))


def kek(keyset):
    handle = at("kek", proto_keyset_format.parse, unb64(keyset["kek"]), TOKEN)
    return at("kek", handle.primitive, aead.Aead)


def store(handle, target):
    form = FORMATS[target["format"]]
    if "no_secret" in target:
        data = at("write", form.serialize_without_secret, handle)
    elif "kek" not in target:
        data = at("write", form.serialize, handle, TOKEN)
    else:
        associated_data = unb64(target["associated_data"])
        data = at("write", form.serialize_encrypted, handle, kek(target), associated_data)
    # The binary serializer gives bytes, the JSON one text.
    return data.encode("utf-8") if isinstance(data, str) else data


class Sealed:
    """Encrypts and decrypts with associated data."""

    def __init__(self, primitive, produce, consume):
        self._produce = getattr(primitive, produce)
        self._consume = getattr(primitive, consume)

    def produce(self, message):
        return self._produce(binary(message["input"]), unb64(message["associated_data"]))

    def consume(self, message):
        return self._consume(binary(message["output"]), unb64(message["associated_data"]))


class Kept(io.BytesIO):
    """Keeps what was written when the stream closes it."""

    def close(self):
        pass


class Streaming:
    """Encrypts and decrypts streams."""

    def __init__(self, primitive):
        self._primitive = primitive

    def produce(self, message):
        out = Kept()
        associated_data = unb64(message["associated_data"])
        with self._primitive.new_encrypting_stream(out, associated_data) as stream:
            stream.write(binary(message["input"]))
        return out.getvalue()

    def consume(self, message):
        source = io.BytesIO(binary(message["output"]))
        associated_data = unb64(message["associated_data"])
        with self._primitive.new_decrypting_stream(source, associated_data) as stream:
            return stream.read()


class Mac:
    """Computes and verifies tags."""

    def __init__(self, primitive):
        self._primitive = primitive

    def produce(self, message):
        return self._primitive.compute_mac(binary(message["input"]))

    def consume(self, message):
        data = binary(message["input"])
        self._primitive.verify_mac(binary(message["output"]), data)
        return data


class PrfSet:
    """Computes as many bytes as asked for; takes what any key of the set computes."""

    def __init__(self, primitive):
        self._primitive = primitive

    def produce(self, message):
        return self._primitive.primary().compute(binary(message["input"]), length(message))

    def consume(self, message):
        data, output = binary(message["input"]), binary(message["output"])
        for one in self._primitive.all().values():
            try:
                if one.compute(data, length(message)) == output:
                    return data
            except tink.TinkError:  # this key of the set has no outputs of that length
                continue
        raise ValueError("no key of the set computes this")


def length(message):
    return message.get("length", 16)


def aead_of(handle):
    return Sealed(handle.primitive(aead.Aead), "encrypt", "decrypt")


# For each primitive: its module, the templates there, and how it is made of a keyset.
PRIMITIVES = {
    "aead": (aead, aead.aead_key_templates, aead_of),
    "kms": (aead, aead.aead_key_templates, aead_of),
    "envelope": (aead, aead.aead_key_templates, aead_of),
    "daead": (
        daead,
        daead.deterministic_aead_key_templates,
        lambda handle: Sealed(
            handle.primitive(daead.DeterministicAead),
            "encrypt_deterministically",
            "decrypt_deterministically",
        ),
    ),
    "streaming": (
        streaming_aead,
        streaming_aead.streaming_aead_key_templates,
        lambda handle: Streaming(handle.primitive(streaming_aead.StreamingAead)),
    ),
    "mac": (mac, mac.mac_key_templates, lambda handle: Mac(handle.primitive(mac.Mac))),
    "prf": (prf, prf.prf_key_templates, lambda handle: PrfSet(handle.primitive(prf.PrfSet))),
}


def info(_request):
    return {
        "name": "tink-py (C++ core)",
        "version": importlib.metadata.version("tink"),
        "with": [
            f"{name} {importlib.metadata.version(name)}" for name in ("scaleway-tink", "scaleway")
        ],
        "runtime": f"{platform.python_implementation()} {platform.python_version()}",
        "primitives": sorted(PRIMITIVES),
    }


def template(request):
    _, templates, _ = PRIMITIVES.get(request["primitive"], (None, None, None))
    found = getattr(templates, request["name"], None)
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


def opened(request):
    # A primitive that the package does not have is refused like a key type that it does not have.
    _, _, make = at("primitive", PRIMITIVES.__getitem__, request["primitive"])
    return at("primitive", make, load(request["keyset"]))


def produce(request):
    primitive = opened(request)
    outputs = [member(at("use", primitive.produce, message)) for message in request["messages"]]
    return {"outputs": outputs}


def consume(request):
    primitive = opened(request)
    inputs = []
    for message in request["messages"]:
        try:
            inputs.append(member(at("use", primitive.consume, message)))
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
    for module, _, _ in PRIMITIVES.values():
        module.register()
    fake_kms.register_client()
    if "SCW_SECRET_KEY" in os.environ:
        scwkms.ScwKmsClient.register_client(None, None)
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
