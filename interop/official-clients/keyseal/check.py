"""Our own program among the official clients: it opens what they leave, and they what it leaves.

    check.py write FOLDER   leaves ciphertexts for the other clients
    check.py open FOLDER    opens what every client left
"""

import os
import pathlib
import subprocess
import sys

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


def open_all(folder):
    for path in sorted(folder.iterdir()):
        if path.suffix == ".envelope":

            def opens():
                for uri in URIS:
                    assert keyseal("decrypt", path, *under(path, uri)) == PLAINTEXT
                anew = folder / "anew"
                keyseal("rewrap", path, "--kek", URIS[0], "--force", "-o", anew)
                assert anew.read_bytes() != path.read_bytes()
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
