"""Times the official PyPI package, which is Tink for C++ behind a binding, as interop/bench asks.

The protocol is that of rust/src/main.rs.
"""

import base64
import importlib.metadata
import io
import json
import platform
import sys
import time

import tink
from tink import aead, daead, mac, prf, proto_keyset_format, json_proto_keyset_format
from tink import secret_key_access, streaming_aead

TOKEN = secret_key_access.TOKEN
DATA = bytes([7]) * 16


class Hole(Exception):
    """It has no such call."""


def load(file):
    return proto_keyset_format.parse(file, TOKEN)


def prepare(asked):
    if asked["threads"] > 1:
        raise Hole("the interpreter runs one thread at a time")
    file = base64.b64decode(asked.get("keyset", ""))
    writer = base64.b64decode(asked.get("writer", "")) or file
    message = bytes([0x5A]) * asked["size"]
    what, direction = asked["what"], asked["direction"]
    if what == "aead":
        made = load(file).primitive(aead.Aead)
        return both(made, load(writer).primitive(aead.Aead), message, direction)
    if what == "envelope":
        kek = load(file).primitive(aead.Aead)
        made = aead.KmsEnvelopeAead(aead.aead_key_templates.AES256_GCM, kek)
        return both(made, made, message, direction)
    if what == "daead":
        made = load(file).primitive(daead.DeterministicAead)
        sealed = made.encrypt_deterministically(message, DATA)
        if direction == "encrypt":
            return lambda: made.encrypt_deterministically(message, DATA)
        return lambda: made.decrypt_deterministically(sealed, DATA)
    if what == "mac":
        made = load(file).primitive(mac.Mac)
        tag = made.compute_mac(message)
        if direction == "compute":
            return lambda: made.compute_mac(message)
        return lambda: made.verify_mac(tag, message)
    if what == "prf":
        made = load(file).primitive(prf.PrfSet).primary()
        return lambda: made.compute(message, 16)
    if what == "stream":
        return stream(load(file).primitive(streaming_aead.StreamingAead), message, direction)
    if what == "make":
        keyset = load(file)
        return lambda: keyset.primitive(aead.Aead)
    if what == "load" and direction == "json":
        text = json_proto_keyset_format.serialize(load(file), TOKEN)
        return lambda: json_proto_keyset_format.parse(text, TOKEN)
    if what == "load":
        return lambda: load(file)
    if what == "create":
        return lambda: tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    raise Hole("it has none")


def both(made, writer, message, direction):
    sealed = writer.encrypt(message, DATA)
    if direction == "encrypt":
        return lambda: made.encrypt(message, DATA)
    if direction == "decrypt":
        return lambda: made.decrypt(sealed, DATA)

    def refuse():
        try:
            made.decrypt(sealed, b"other")
        except tink.TinkError:
            return
        raise AssertionError("it was not refused")

    return refuse


class Kept(io.BytesIO):
    """A sink whose bytes are there after it is closed."""

    def close(self):
        self.kept = self.getvalue()
        super().close()


def stream(made, message, direction):
    def seal():
        sink = Kept()
        with made.new_encrypting_stream(sink, DATA) as writer:
            writer.write(message)
        return sink.kept

    if direction == "encrypt":
        return seal
    if direction != "decrypt":
        raise Hole("it has none")
    sealed = seal()

    def opened():
        with made.new_decrypting_stream(io.BytesIO(sealed), DATA) as reader:
            return reader.read()

    return opened


def round_of(call, seconds, one):
    """Returns the seconds of one call; it goes unmeasured for a fifth of the time first."""
    count = max(1, int(seconds / max(one, 1e-9)))
    calls = range(count)
    for _ in range(count // 5):
        call()
    start = time.perf_counter()
    for _ in calls:
        call()
    return (time.perf_counter() - start) / count


def main():
    for module in [aead, daead, mac, prf, streaming_aead]:
        module.register()
    prepared = []
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {}
        if asked["op"] == "info":
            version = importlib.metadata.version("tink")
            answer = {
                "subjects": ["Tink for C++ through Python"],
                "versions": {"tink (PyPI)": version, "python": platform.python_version()},
            }
        elif asked["op"] == "prepare":
            try:
                call = prepare(asked)
                call()
                prepared.append([call, round_of(call, 0, 1)])
                answer = {"id": len(prepared) - 1}
            except (Hole, tink.TinkError) as hole:
                answer = {"hole": str(hole)}
        elif asked["op"] == "round":
            timed = prepared[asked["id"]]
            timed[1] = round_of(timed[0], asked["seconds"], timed[1])
            answer = {"ns": timed[1] * 1e9}
        elif asked["op"] == "forget":
            prepared.clear()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
