"""Opens and seals objects of the encrypted store with the official Tink.

    tink_object.py open KEK.json ASSOCIATED_DATA_HEX < OBJECT > PLAINTEXT
    tink_object.py seal KEK.json ASSOCIATED_DATA_HEX < PLAINTEXT > OBJECT
"""

import io
import shutil
import sys

import tink
from tink import aead, json_proto_keyset_format, proto_keyset_format, secret_key_access, streaming_aead

MAGIC = b"keyseal\x01"
HEADER_ASSOCIATED_DATA = b"keyseal sealed stream 1"


def open_object(kek, associated_data, sealed, out):
    assert sealed.read(8) == MAGIC, "this is no sealed stream"
    encrypted = sealed.read(int.from_bytes(sealed.read(4), "big"))
    keyset = proto_keyset_format.parse_encrypted(encrypted, kek, HEADER_ASSOCIATED_DATA)
    stream = keyset.primitive(streaming_aead.StreamingAead)
    with stream.new_decrypting_stream(sealed, associated_data) as plaintext:
        shutil.copyfileobj(plaintext, out)


def seal_object(kek, associated_data, plaintext, out):
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    keyset = tink.new_keyset_handle(template)
    encrypted = proto_keyset_format.serialize_encrypted(keyset, kek, HEADER_ASSOCIATED_DATA)
    stream = io.BytesIO()
    sealing = keyset.primitive(streaming_aead.StreamingAead).new_encrypting_stream(stream, associated_data)
    with sealing:
        shutil.copyfileobj(plaintext, sealing)
        sealing.flush()
        # Closing it closes the buffer.
        stream.close = lambda: None
    out.write(MAGIC + len(encrypted).to_bytes(4, "big") + encrypted + stream.getvalue())


aead.register()
streaming_aead.register()
command, kek_file, associated_data = sys.argv[1:]
with open(kek_file) as file:
    kek = json_proto_keyset_format.parse(file.read(), secret_key_access.TOKEN).primitive(aead.Aead)
run = {"open": open_object, "seal": seal_object}[command]
run(kek, bytes.fromhex(associated_data), sys.stdin.buffer, sys.stdout.buffer)
