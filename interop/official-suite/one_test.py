"""Runs one module of the official suite with the servers of KEYSEAL_SERVERS.

The suite knows four languages by name, and what each of them has. Here it is told which servers
there are, and what keyseal has, before its tests are made of that.
"""

import ast
import collections
import importlib
import itertools
import os
import re
import sys
import unittest

import portpicker
from absl import flags

SERVERS = ast.literal_eval(os.environ["KEYSEAL_SERVERS"])
LANGUAGES = list(SERVERS)

# What keyseal has of the suite's primitives and key types.
PRIMITIVES = ("aead", "daead", "streaming_aead", "mac", "prf", "keyset_deriver")
KEY_TYPES = (
    "AesEaxKey",
    "AesGcmKey",
    "AesGcmSivKey",
    "AesCtrHmacAeadKey",
    "ChaCha20Poly1305Key",
    "XChaCha20Poly1305Key",
    "XAesGcmKey",
    "KmsAeadKey",
    "KmsEnvelopeAeadKey",
    "AesSivKey",
    "AesCtrHmacStreamingKey",
    "AesGcmHkdfStreamingKey",
    "AesCmacKey",
    "HmacKey",
    "AesCmacPrfKey",
    "HmacPrfKey",
    "HkdfPrfKey",
)


# Tests that cannot hold: their module, a pattern of their name, what they fail with, and why.
KNOWN = [
    (
        "keyderivation.key_derivation_test",
        r"test_derive_keyset.*(ECDSA|ML_DSA)",
        "no supported language for",
        "no served language derives keys of this asymmetric type",
    ),
]
if "go" in LANGUAGES:
    KNOWN += [
        (
            "json_keyset.json_keyset_parsing_test",
            r"parse_valid_keys_with_the_same_id in go",
            "keyset contains duplicate key ID",
            "tink-go refuses two keys of one id since this test was written",
        ),
    ]
UNSERVED = [
    ("", "", f"KeyError: '{name}'", f"it asks for `{name}`, which is not served")
    for name in ("python", "go", "java")
    if name not in LANGUAGES
]


def among(languages, ours):
    """The languages of a list of the suite that are served, with keyseal if it has the thing."""
    has = languages + (["rust"] if ours else [])
    # In one order everywhere: the suite compares such lists.
    return [name for name in LANGUAGES if name in has]


def introduce():
    """Tells the suite of the servers, and of keyseal."""
    from cross_language.tink_config import _helpers, _key_types

    _key_types.ALL_LANGUAGES[:] = LANGUAGES
    for key_type, languages in _key_types.SUPPORTED_LANGUAGES.items():
        languages[:] = among(languages, key_type in KEY_TYPES)
    _helpers.all_tested_languages = lambda: LANGUAGES
    from cross_language import tink_config

    tink_config.all_tested_languages = lambda: LANGUAGES

    from cross_language.util import testing_servers, utilities

    utilities.ALL_LANGUAGES[:] = LANGUAGES
    testing_servers.LANGUAGES[:] = LANGUAGES
    for primitive, languages in testing_servers.SUPPORTED_LANGUAGES_BY_PRIMITIVE.items():
        languages[:] = among(languages, primitive in PRIMITIVES)
    # Some tests have keys made by `cc`: the Python package is a shell around the same library.
    stub = testing_servers._TestingServers.keyset_stub
    testing_servers._TestingServers.keyset_stub = lambda servers, lang: stub(
        servers, lang if lang in LANGUAGES else "python"
    )
    # Modules run side by side, and one that picks at random may pick what another is about to use.
    first = int(os.environ["KEYSEAL_FIRST_PORT"])
    ports = filter(portpicker.is_port_free, itertools.count(first))
    portpicker.pick_unused_port = lambda: next(ports)
    testing_servers._server_cmd = lambda lang, port: [*SERVERS[lang], "--port", str(port)]


def main():
    introduce()
    name = sys.argv[1]
    flags.FLAGS([sys.argv[0]])
    module = importlib.import_module(f"cross_language.{name}")
    # A list within one module: which languages have KMS keys with a prefix.
    if name == "aead_test":
        for _, languages in module._ADDITIONAL_KEY_TEMPLATES.values():
            if "rust" not in languages:
                languages[:] = among(languages, True)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=1).run(suite)
    failed = 0
    left_out = collections.Counter(reason for _, reason in result.skipped)
    for test, trace in result.failures + result.errors:
        label = str(test).splitlines()[0]
        cause = next(line for line in reversed(trace.splitlines()) if "Error" in line)
        reasons = [
            why
            for module, pattern, what, why in KNOWN + UNSERVED
            if module in ("", name) and re.search(pattern, label) and what in cause
        ]
        if reasons:
            left_out[reasons[0]] += 1
        else:
            failed += 1
            print(f"FAILED {name}: {label}: {cause}"[:400])
    for module, _, _, reason in KNOWN:
        if module == name and reason not in left_out:
            failed += 1
            print(f"FAILED {name}: what is left out holds now: {reason}")
    if result.testsRun == 0:
        failed += 1
        print(f"FAILED {name}: it has no test")
    for reason, count in left_out.items():
        print(f"LEFT OUT {name}: {count} because {reason}")
    passed = max(result.testsRun - failed - left_out.total(), 0)
    print(f"RESULT {passed} passed, {failed} failed, {left_out.total()} left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
