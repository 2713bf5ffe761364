"""Encrypts and decrypts a column's value with the official Tink.

    tink_column.py encrypt|decrypt aead|deterministic ADDITIONAL_DATA_HEX KEYSET_JSON < INPUT > OUTPUT

The keyset is one of a test: its keys protect nothing.
"""

import sys

from tink import aead, daead, json_proto_keyset_format, secret_key_access

aead.register()
daead.register()
command, kind, data, keyset = sys.argv[1:]
data = bytes.fromhex(data)
handle = json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
if kind == "aead":
    keys = handle.primitive(aead.Aead)
    run = {"encrypt": keys.encrypt, "decrypt": keys.decrypt}[command]
else:
    keys = handle.primitive(daead.DeterministicAead)
    run = {"encrypt": keys.encrypt_deterministically, "decrypt": keys.decrypt_deterministically}[command]
sys.stdout.buffer.write(run(sys.stdin.buffer.read(), data))
