"""Decrypts a sealed stream with the official Tink: sealed_stream.py KEK.json ASSOCIATED_DATA < IN > OUT"""

import shutil
import sys

import tink
from tink import aead, json_proto_keyset_format, proto_keyset_format, secret_key_access, streaming_aead

aead.register()
streaming_aead.register()
with open(sys.argv[1]) as file:
    kek = json_proto_keyset_format.parse(file.read(), secret_key_access.TOKEN).primitive(aead.Aead)
sealed = sys.stdin.buffer
assert sealed.read(8) == b"keyseal\x01", "this is no sealed stream"
encrypted = sealed.read(int.from_bytes(sealed.read(4), "big"))
keyset = proto_keyset_format.parse_encrypted(encrypted, kek, b"keyseal sealed stream 1")
stream = keyset.primitive(streaming_aead.StreamingAead)
with stream.new_decrypting_stream(sealed, sys.argv[2].encode()) as plaintext:
    shutil.copyfileobj(plaintext, sys.stdout.buffer)
