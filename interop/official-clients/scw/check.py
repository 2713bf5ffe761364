"""Drives the emulator with the official command-line program, `scw`, unmodified.

check.py write FOLDER | check.py open FOLDER, with the program in the variable SCW
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from checks import AAD, PLAINTEXT, check, finish

KEY_ID = os.environ["SCW_KM_KEY_ID"]
BASE64 = "[A-Za-z0-9+/]+=*"
AGO = r"(?:now|\d+ \w+ ago|\d+ \w+ from now|in \d+ \w+)"


def run(*words):
    """Runs `scw`; returns its exit code, standard output and standard error."""
    command = [os.environ["SCW"], *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def key(*words):
    code, out, err = run("keymanager", "key", *words)
    assert code == 0, err
    return out


def wants(pattern, text):
    assert re.fullmatch(pattern, text), text


def b64(data):
    return base64.b64encode(data).decode()


def write(folder):
    @check
    def the_commands_of_the_data_key_page_give_their_columns():
        out = key("generate-data-key", f"key-id={KEY_ID}", "algorithm=aes_256_gcm")
        wants(
            rf"KeyID       {KEY_ID}\n"
            r"Algorithm   aes_256_gcm\n"
            rf"Ciphertext  {BASE64}\n"
            rf"Plaintext   {BASE64}\n"
            rf"CreatedAt   {AGO}\n",
            out,
        )
        columns = dict(line.split(maxsplit=1) for line in out.splitlines())
        out = key("decrypt", f"key-id={KEY_ID}", f"ciphertext={columns['Ciphertext']}")
        # The page's shell recipe takes the second column of the line `Plaintext`.
        assert out == f"KeyID      {KEY_ID}\nPlaintext  {columns['Plaintext']}\n", out
        assert len(base64.b64decode(columns["Plaintext"])) == 32

        out = key("generate-data-key", KEY_ID, "without-plaintext=true")
        wants(
            rf"KeyID       {KEY_ID}\nAlgorithm   aes_256_gcm\nCiphertext  {BASE64}\n"
            rf"CreatedAt   {AGO}\n",
            out,
        )

    @check
    def a_data_key_is_one_line_of_json():
        wants(
            rf'{{"key_id":"{KEY_ID}","algorithm":"aes_256_gcm","ciphertext":"{BASE64}",'
            rf'"plaintext":"{BASE64}","created_at":"\d{{4}}-\d\d-\d\dT[\d:.]+Z"}}\n',
            key("generate-data-key", KEY_ID, "-o", "json"),
        )

    @check
    def encrypt_and_decrypt_take_files_and_associated_data():
        message = folder / "scw.plaintext.b64"
        message.write_text(b64(PLAINTEXT) + "\n")
        out = key("encrypt", KEY_ID, f"plaintext=@{message}", f"associated-data={AAD.decode()}")
        message.unlink()
        wants(rf"KeyID       {KEY_ID}\nCiphertext  {BASE64}\n", out)
        sealed = out.split()[-1]
        (folder / "scw.kms").write_bytes(base64.b64decode(sealed))
        words = [KEY_ID, f"ciphertext={sealed}", f"associated-data={AAD.decode()}"]
        out = key("decrypt", *words, "-o", "json")
        wanted = {"key_id": KEY_ID, "plaintext": b64(PLAINTEXT), "ciphertext": None}
        assert json.loads(out) == wanted, out
        code, _, err = run("keymanager", "key", "decrypt", KEY_ID, f"ciphertext={sealed}")
        assert code == 1 and "Cipher: message authentication failed" in err, err

    @check
    def a_key_lives_its_whole_life():
        name = "my-kek"
        words = ["usage.symmetric-encryption=aes_256_gcm", "tags.0=prod", "tags.1=db"]
        policy = "rotation-policy.rotation-period=720h"
        out = key("create", f"name={name}", *words, "description=root kek", policy)
        fields = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines())
        expected = {
            "Name": name,
            "Usage.SymmetricEncryption": "aes_256_gcm",
            "State": "enabled",
            "RotationCount": "1",
            "Protected": "true",
            "Locked": "false",
            "Description": "root kek",
            "Tags.0": "prod",
            "Tags.1": "db",
            "RotationPolicy.RotationPeriod": "30 days",
            "Origin": "scaleway_kms",
            "Region": "fr-par",
            "Srn": f"srn://key-manager.scw.eu/regions/fr-par/keys/{fields['ID']}",
            "ProjectID": os.environ["SCW_DEFAULT_PROJECT_ID"],
        }
        assert {name: fields.get(name) for name in expected} == expected, out
        key_id = fields["ID"]
        code, _, err = run("keymanager", "key", "delete", key_id)
        assert code == 1 and "recondition" in err, err
        assert "Protected                      false" in key("unprotect", key_id)
        sealed = key("encrypt", key_id, f"plaintext={b64(PLAINTEXT)}").split()[-1]
        assert "RotationCount                  2\n" in key("rotate", key_id)
        out = key("decrypt", key_id, f"ciphertext={sealed}")
        text = re.escape(b64(PLAINTEXT))
        pattern = rf"KeyID       {key_id}\nPlaintext   {text}\nCiphertext  {BASE64}\n"
        wants(pattern, out)
        assert "State                          disabled" in key("disable", key_id)
        assert "State                          enabled" in key("enable", key_id)
        listed = key("list", f"name={name}", "-o", "json")
        assert [item["id"] for item in json.loads(listed)] == [key_id], listed
        everywhere = key("list", f"name={name}", "region=all", "-o", "json")
        assert [item["id"] for item in json.loads(everywhere)] == [key_id], everywhere
        assert key("delete", key_id) == "✅ Key has been successfully deleted.\n"

    @check
    def material_is_imported_and_deleted():
        words = ["usage.symmetric-encryption=aes_256_gcm", "origin=external", "unprotected=true"]
        made = json.loads(key("create", "name=imported", *words, "-o", "json"))
        material = f"key-material={b64(bytes(range(32)))}"
        out = key("import-key-material", made["id"], material, "salt=pepper", "-o", "json")
        assert json.loads(out)["state"] == "enabled", out
        assert key("delete-key-material", made["id"]) == "✅ Success.\n"

    @check
    def a_rate_limit_is_waited_for():
        script = b'[{"fault":"rate-limited","operation":"get-key","times":2}]'
        request = urllib.request.Request(
            os.environ["SCW_API_URL"] + "/emulator/faults",
            data=script,
            headers={"X-Auth-Token": os.environ["SCW_SECRET_KEY"]},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(request, timeout=20).status == 204
        since = time.monotonic()
        assert key("get", KEY_ID).startswith("ID ")
        assert time.monotonic() - since > 1.5

    @check
    def an_unknown_key_is_named_in_the_error():
        unknown = "11111111-2222-4333-8444-555555555555"
        code, out, err = run("keymanager", "key", "get", unknown)
        assert (code, out) == (1, "")
        assert f"Cannot find resource 'key' with ID '{unknown}'" in err, err


def open_all(folder):
    for path in sorted(folder.glob("*.kms")):

        def opens():
            words = [f"ciphertext={b64(path.read_bytes())}", f"associated-data={AAD.decode()}"]
            out = key("decrypt", KEY_ID, *words)
            assert re.search(rf"^Plaintext +{re.escape(b64(PLAINTEXT))}$", out, re.M), out

        check(opens, f"opens {path.name}")


if __name__ == "__main__":
    {"write": write, "open": open_all}[sys.argv[1]](pathlib.Path(sys.argv[2]))
    finish()
