"""Our own program among the official clients: it opens what they leave, and they what it leaves.

    check.py write FOLDER   leaves ciphertexts for the other clients
    check.py open FOLDER    opens what every client left
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from checks import AAD, PLAINTEXT, check, finish

URIS = [
    f"scw-kms://{os.environ['SCW_KM_KEY_ID']}",
    f"scw-kms://regions/fr-par/keys/{os.environ['SCW_KM_KEY_ID']}",
]
TEMPLATES = {"ctr": "AES128_CTR_HMAC_SHA256", "xchacha": "XCHACHA20_POLY1305"}


def keyseal(*words, given=None):
    command = [os.environ["KEYSEAL"], *map(str, words)]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def dek_cache(*words, given=None):
    """The example of a cache of data keys."""
    command = [os.environ["KEYSEAL_DEK_CACHE"], *map(str, words)]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode().strip()


def split(envelope):
    """The head of an envelope, and its payload."""
    end = 4 + int.from_bytes(envelope[:4], "big")
    return envelope[:end], envelope[end:]


def template(path):
    """The template of an envelope's data key is the last word of its file's name."""
    return TEMPLATES.get(path.stem.split("-")[-1], "AES256_GCM")


def under(path, uri):
    return ["--kek", uri, "--template", template(path), "--aad", AAD.decode()]


def write(folder):
    @check
    def envelopes_and_a_keyset_are_left_for_the_other_clients():
        for name in ["keyseal", "keyseal-ctr", "keyseal-xchacha"]:
            path = folder / f"{name}.envelope"
            keyseal("encrypt", "-o", path, *under(path, URIS[0]), given=PLAINTEXT)
        path = folder / "keyseal.keyset"
        options = ["--keyset-kek", URIS[1], "--keyset-aad", AAD.decode()]
        keyseal(
            *["keyset", "create", "--template", "AES256_GCM", "--format", "binary", "-o", path],
            *options,
        )
        sealed = keyseal(
            "encrypt", "--keyset", path, *options, "--aad", AAD.decode(), given=PLAINTEXT
        )
        pathlib.Path(f"{path}.message").write_bytes(sealed)


    @check
    def a_cache_leaves_five_envelopes_with_two_calls():
        words = ["encrypt", URIS[1], folder, "keyseal-cached", AAD.decode()]
        assert dek_cache(*words, given=PLAINTEXT) == "2 calls"
        paths = [folder / f"keyseal-cached-{number}.envelope" for number in range(1, 6)]
        heads = [split(path.read_bytes())[0] for path in paths]
        assert heads[0] == heads[1] == heads[2] != heads[3] == heads[4]


def needs_rewrap(path):
    """Whether a file is under the version of the key before its rotation."""
    return not path.name.startswith(("refreshed-", "rewrapped-"))


def open_all(folder):
    @check
    def newer_wrappings_are_stored_and_payloads_stay():
        # For the other clients, who open what is in the folder after us.
        with tempfile.TemporaryDirectory() as name:
            copies = pathlib.Path(name)
            originals = [
                path for path in folder.glob("*.envelope") if template(path) == "AES256_GCM"
            ]
            for path in originals:
                shutil.copy(path, copies / path.name)
            told = dek_cache("refresh", URIS[1], copies, AAD.decode())
            assert told.startswith(f"{len(originals)} newer"), told
            # The five of the cache have two keys.
            assert told.endswith(f"{len(originals) - 3} calls"), told
            assert dek_cache("refresh", URIS[1], copies, AAD.decode()).startswith("0 newer")
            for path in originals:
                before, after = path.read_bytes(), (copies / path.name).read_bytes()
                assert split(before)[0] != split(after)[0]
                assert split(before)[1] == split(after)[1]
                shutil.copy(copies / path.name, folder / f"refreshed-{path.name}")

    @check
    def the_program_re_wraps_the_head_alone():
        for path in folder.glob("*.envelope"):
            if needs_rewrap(path):
                after = folder / f"rewrapped-{path.name}"
                keyseal("rewrap", path, "--kek", URIS[0], "--force", "-o", after)
                assert split(path.read_bytes())[1] == split(after.read_bytes())[1]

    for path in sorted(folder.iterdir()):
        if path.suffix == ".envelope":

            def opens():
                for uri in URIS:
                    assert keyseal("decrypt", path, *under(path, uri)) == PLAINTEXT
                anew = folder / "anew"
                keyseal("rewrap", path, "--kek", URIS[0], "--force", "-o", anew)
                before, after = path.read_bytes(), anew.read_bytes()
                assert (split(before)[0] != split(after)[0]) == needs_rewrap(path)
                words = ["decrypt", anew, *under(path, URIS[1])]
                assert keyseal(*words) == PLAINTEXT

        elif path.suffix == ".keyset":

            def opens():
                options = ["--keyset-kek", URIS[0], "--keyset-aad", AAD.decode()]
                words = ["decrypt", f"{path}.message", "--keyset", path, *options]
                assert keyseal(*words, "--aad", AAD.decode()) == PLAINTEXT

        else:
            continue
        check(opens, f"opens {path.name}")


if __name__ == "__main__":
    {"write": write, "open": open_all}[sys.argv[1]](pathlib.Path(sys.argv[2]))
    finish()
