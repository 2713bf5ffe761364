"""Drives the emulator with curl, as Scaleway's page on data keys does by hand.

check.py write FOLDER | check.py open FOLDER
"""

import base64
import json
import os
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from checks import AAD, PLAINTEXT, check, finish

KEY_ID = os.environ["SCW_KM_KEY_ID"]
REGION = os.environ["SCW_DEFAULT_REGION"]
KEYS = f"{os.environ['SCW_API_URL']}/key-manager/v1alpha1/regions/{REGION}/keys"


def curl(method, path, body=None, *more):
    """Returns the status, the content type and the body."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--request", method]
    command += ["--config", "-", "--write-out", "\n%{http_code} %{content_type}", *more]
    if body is not None:
        command += ["--data", body]
    # The token goes in by standard input: arguments can be seen by other users.
    token = f'header = "X-Auth-Token: {os.environ["SCW_SECRET_KEY"]}"'
    output = subprocess.run(
        [*command, KEYS + path], input=token, capture_output=True, text=True, check=True
    ).stdout
    text, _, last = output.rpartition("\n")
    status, _, content_type = last.partition(" ")
    return int(status), content_type, json.loads(text) if text else None


def b64(data):
    return base64.b64encode(data).decode()


def write(folder):
    json_type = ("--header", "Content-Type: application/json")

    @check
    def a_data_key_is_generated_and_decrypted_as_on_the_page():
        body = '{"algorithm":"aes_256_gcm","without_plaintext":false}'
        status, kind, key = curl("POST", f"/{KEY_ID}/generate-data-key", body, *json_type)
        assert (status, kind) == (200, "application/json")
        members = ["key_id", "algorithm", "ciphertext", "plaintext", "created_at"]
        assert list(key) == members and key["key_id"] == KEY_ID
        body = json.dumps({"ciphertext": key["ciphertext"]})
        status, kind, opened = curl("POST", f"/{KEY_ID}/decrypt", body, *json_type)
        assert (status, kind) == (200, "application/json")
        assert opened == {"key_id": KEY_ID, "plaintext": key["plaintext"], "ciphertext": None}

    @check
    def the_quick_start_s_bodies_are_understood():
        # A form's content type, and a key id in the body that is in the path too.
        project = os.environ["SCW_DEFAULT_PROJECT_ID"]
        usage = {"symmetric_encryption": "aes_256_gcm"}
        members = {"project_id": project, "name": "curl", "usage": usage, "unprotected": True}
        status, _, key = curl("POST", "", json.dumps(members))
        assert status == 200, key
        body = json.dumps({"key_id": key["id"], "plaintext": b64(PLAINTEXT)})
        status, _, sealed = curl("POST", f"/{key['id']}/encrypt", body)
        assert status == 200, sealed
        status, _, rotated = curl("POST", f"/{key['id']}/rotate")
        assert (status, rotated["rotation_count"]) == (200, 2)
        status, _, renewed = curl(
            "POST", f"/{key['id']}/decrypt", json.dumps({"ciphertext": sealed["ciphertext"]})
        )
        assert status == 200 and renewed["plaintext"] == b64(PLAINTEXT)
        assert renewed["ciphertext"] is not None
        assert curl("DELETE", f"/{key['id']}") == (204, "application/json", None)

    @check
    def a_ciphertext_is_left_for_the_other_clients():
        body = json.dumps({"plaintext": b64(PLAINTEXT), "associated_data": b64(AAD)})
        _, _, sealed = curl("POST", f"/{KEY_ID}/encrypt", body, *json_type)
        (folder / "curl.kms").write_bytes(base64.b64decode(sealed["ciphertext"]))


def open_all(folder):
    for path in sorted(folder.glob("*.kms")):

        def opens():
            members = {"ciphertext": b64(path.read_bytes()), "associated_data": b64(AAD)}
            status, _, opened = curl("POST", f"/{KEY_ID}/decrypt", json.dumps(members))
            assert status == 200 and opened["plaintext"] == b64(PLAINTEXT), opened

        check(opens, f"opens {path.name}")


if __name__ == "__main__":
    {"write": write, "open": open_all}[sys.argv[1]](pathlib.Path(sys.argv[2]))
    finish()
