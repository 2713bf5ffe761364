"""Drives the emulator with Scaleway's Python SDK and Tink extension, both unmodified.

    check.py write FOLDER   checks the API, and leaves ciphertexts for the other clients
    check.py open FOLDER    opens what every client left
"""

import base64
import datetime
import os
import pathlib
import sys
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from checks import AAD, PLAINTEXT, check, finish

import tink
from requests.exceptions import JSONDecodeError
from scaleway import Client
from scaleway.key_manager.v1alpha1 import (
    KeyManagerV1Alpha1API,
    KeyOrigin,
    KeyRotationPolicy,
    KeyUsage,
)
from scaleway_core.api import ScalewayException
from scaleway_tink.integration.scwkms.client import ScwKmsClient
from tink import aead

KEY_ID = os.environ["SCW_KM_KEY_ID"]
AES = KeyUsage(symmetric_encryption="aes_256_gcm")

def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def refused(status, kind, call, **arguments):
    """Wants a typed refusal; returns its body."""
    try:
        call(**arguments)
    except ScalewayException as error:
        body = error.response.json()
        assert (error.status_code, body["type"]) == (status, kind), body
        return body
    raise AssertionError("nothing was refused")


def inject(script):
    request = urllib.request.Request(
        os.environ["SCW_API_URL"] + "/emulator/faults",
        data=script.encode(),
        headers={"X-Auth-Token": os.environ["SCW_SECRET_KEY"]},
        method="POST",
    )
    assert urllib.request.urlopen(request).status == 204


def write(folder):
    api = KeyManagerV1Alpha1API(Client.from_config_file_and_env())
    create = lambda **more: api.create_key(unprotected=True, usage=AES, **more)

    @check
    def a_key_lives_its_whole_life():
        policy = KeyRotationPolicy(rotation_period="2592000s")
        key = create(name="python", description="d", tags=["a"], rotation_policy=policy)
        assert (key.name, key.description, key.tags) == ("python", "d", ["a"])
        assert (key.state, key.rotation_count, key.protected) == ("enabled", 1, False)
        due = key.rotation_policy.next_rotation_at - key.created_at
        assert due == datetime.timedelta(days=30), due
        assert key.region == "fr-par" and key.origin == "scaleway_kms"
        assert api.get_key(key_id=key.id) == key
        later = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
        policy = KeyRotationPolicy(rotation_period="86400s", next_rotation_at=later)
        changed = api.update_key(key_id=key.id, name="other", rotation_policy=policy)
        assert changed.name == "other" and changed.tags == ["a"]
        assert changed.rotation_policy.next_rotation_at == later
        assert api.rotate_key(key_id=key.id).rotation_count == 2
        assert api.protect_key(key_id=key.id).protected
        refused(412, "precondition_failed", api.delete_key, key_id=key.id)
        assert not api.unprotect_key(key_id=key.id).protected
        assert api.disable_key(key_id=key.id).state == "disabled"
        plaintext = b64(PLAINTEXT)
        refused(412, "precondition_failed", api.encrypt, key_id=key.id, plaintext=plaintext)
        assert api.enable_key(key_id=key.id).state == "enabled"
        assert api.delete_key(key_id=key.id) is None
        assert api.get_key(key_id=key.id).state == "scheduled_for_deletion"
        assert api.restore_key(key_id=key.id).state == "enabled"

    @check
    def lists_end_and_filters_hold():
        names = {create(name=f"list-{number:02}", tags=["list"]).id for number in range(45)}
        listed = api.list_keys_all(scheduled_for_deletion=False, tags=["list"])
        assert [key.name for key in listed] == [f"list-{number:02}" for number in range(45)]
        assert {key.id for key in listed} == names
        page = api.list_keys(scheduled_for_deletion=False, tags=["list"], page=2, page_size=10)
        assert page.total_count == 45 and page.keys[0].name == "list-10"
        for key_id in names:
            api.delete_key(key_id=key_id)
        assert api.list_keys(scheduled_for_deletion=True, tags=["list"]).total_count == 45
        assert api.list_keys_all(scheduled_for_deletion=False, tags=["list"]) == []

    @check
    def associated_data_is_bound_and_all_spellings_of_none_are_one():
        plaintext = b64(PLAINTEXT)
        bound = api.encrypt(key_id=KEY_ID, plaintext=plaintext, associated_data=b64(AAD))
        opened = api.decrypt(
            key_id=KEY_ID, ciphertext=bound.ciphertext, associated_data=b64(AAD)
        )
        assert (opened.plaintext, opened.ciphertext) == (plaintext, None)
        body = refused(
            400, "invalid_arguments", api.decrypt, key_id=KEY_ID, ciphertext=bound.ciphertext
        )
        assert body["details"][0]["help_message"] == "cipher: message authentication failed"
        for sealing in [{}, {"associated_data": ""}]:
            sealed = api.encrypt(key_id=KEY_ID, plaintext=plaintext, **sealing)
            for opening in [{}, {"associated_data": ""}]:
                opened = api.decrypt(key_id=KEY_ID, ciphertext=sealed.ciphertext, **opening)
                assert opened.plaintext == plaintext

    @check
    def old_ciphertexts_come_back_under_the_newest_rotation():
        key = create(name="rewrap")
        old = api.encrypt(key_id=key.id, plaintext=b64(PLAINTEXT), associated_data=b64(AAD))
        api.rotate_key(key_id=key.id)
        arguments = {"key_id": key.id, "associated_data": b64(AAD)}
        renewed = api.decrypt(ciphertext=old.ciphertext, **arguments).ciphertext
        opened = api.decrypt(ciphertext=renewed, **arguments)
        assert (unb64(opened.plaintext), opened.ciphertext) == (PLAINTEXT, None)

    @check
    def data_keys_come_with_and_without_plaintext():
        key = api.generate_data_key(key_id=KEY_ID, without_plaintext=False)
        assert len(unb64(key.plaintext)) == 32 and len(unb64(key.ciphertext)) == 65
        assert api.decrypt(key_id=KEY_ID, ciphertext=key.ciphertext).plaintext == key.plaintext
        key = api.generate_data_key(
            key_id=KEY_ID, without_plaintext=True, algorithm="aes_256_gcm"
        )
        assert key.plaintext is None and len(unb64(key.ciphertext)) == 65

    @check
    def limits_are_those_of_the_documentation():
        for length, wanted in [(0, False), (1, True), (65_535, True), (65_536, False)]:
            arguments = {"key_id": KEY_ID, "plaintext": b64(bytes(length))}
            if wanted:
                sealed = api.encrypt(**arguments).ciphertext
                assert len(unb64(sealed)) == length + 33
                opened = api.decrypt(key_id=KEY_ID, ciphertext=sealed)
                assert unb64(opened.plaintext) == bytes(length)
            else:
                refused(400, "invalid_arguments", api.encrypt, **arguments)

    @check
    def material_is_imported_and_deleted():
        key = create(name="imported", origin=KeyOrigin.EXTERNAL)
        assert (key.state, key.rotation_count, key.rotated_at) == ("pending_key_material", 0, None)
        material = {"key_material": b64(bytes(32)), "salt": b64(bytes(16))}
        assert api.import_key_material(key_id=key.id, **material).state == "enabled"
        sealed = api.encrypt(key_id=key.id, plaintext=b64(PLAINTEXT)).ciphertext
        assert unb64(api.decrypt(key_id=key.id, ciphertext=sealed).plaintext) == PLAINTEXT
        assert api.delete_key_material(key_id=key.id) is None
        assert api.get_key(key_id=key.id).state == "pending_key_material"

    @check
    def signatures_verify_and_public_keys_are_pem():
        # The SDK sends the first member that is not None, so the defaults must go.
        usage = KeyUsage(
            symmetric_encryption=None,
            asymmetric_encryption=None,
            asymmetric_signing="ec_p256_sha256",
        )
        key = api.create_key(unprotected=True, name="signer", usage=usage)
        digest = b64(bytes(32))
        signature = api.sign(key_id=key.id, digest=digest).signature
        assert api.verify(key_id=key.id, digest=digest, signature=signature).valid
        assert not api.verify(key_id=key.id, digest=b64(b"\1" * 32), signature=signature).valid
        assert api.get_public_key(key_id=key.id).pem.startswith("-----BEGIN EC PUBLIC KEY-----")
        names = [algorithm.name for algorithm in api.list_algorithms().algorithms]
        assert "aes_256_gcm" in names and "ec_p256_sha256" in names

    @check
    def the_sdk_s_default_usage_is_refused_and_not_guessed():
        usage = KeyUsage(asymmetric_signing="ec_p256_sha256")
        refused(400, "invalid_arguments", api.create_key, unprotected=True, usage=usage)

    @check
    def errors_are_the_service_s():
        unknown = "11111111-2222-4333-8444-555555555555"
        body = refused(404, "not_found", api.get_key, key_id=unknown)
        assert body["resource"] == "key" and body["resource_id"] == unknown
        stranger = Client(
            access_key="SCWAAAAAAAAAAAAAAAAA",
            secret_key=unknown,
            default_project_id=unknown,
            default_organization_id=unknown,
            default_region="fr-par",
            api_url=os.environ["SCW_API_URL"],
        )
        stranger = KeyManagerV1Alpha1API(stranger)
        body = refused(401, "denied_authentication", stranger.get_key, key_id=KEY_ID)
        assert body["reason"] == "not_found"

    @check
    def an_empty_429_and_an_html_502_look_as_they_do_from_the_gateway():
        for script in [
            '[{"fault":"rate-limited","operation":"get-key","times":1}]',
            '[{"fault":"server-error","status":502,"operation":"get-key","times":1}]',
        ]:
            inject(script)
            try:
                api.get_key(key_id=KEY_ID)
            except JSONDecodeError:
                pass
            else:
                raise AssertionError("nothing went wrong")
            assert api.get_key(key_id=KEY_ID).id == KEY_ID

    remote = remote_aead()

    @check
    def the_tink_extension_encrypts_and_refuses():
        for associated_data in [b"", AAD]:
            sealed = remote.encrypt(PLAINTEXT, associated_data)
            assert remote.decrypt(sealed, associated_data) == PLAINTEXT
            for wrong in [b"x", associated_data + b"x"]:
                try:
                    remote.decrypt(sealed, wrong)
                except tink.TinkError:
                    continue
                raise AssertionError("wrong associated data was accepted")

    @check
    def ciphertexts_are_left_for_the_other_clients():
        (folder / "python.kms").write_bytes(remote.encrypt(PLAINTEXT, AAD))
        for name, template in [
            ("python", aead.aead_key_templates.AES256_GCM),
            ("python-ctr", aead.aead_key_templates.AES128_CTR_HMAC_SHA256),
            ("python-xchacha", aead.aead_key_templates.XCHACHA20_POLY1305),
        ]:
            envelope = aead.KmsEnvelopeAead(template, remote)
            sealed = envelope.encrypt(PLAINTEXT, AAD)
            assert envelope.decrypt(sealed, AAD) == PLAINTEXT
            (folder / f"{name}.envelope").write_bytes(sealed)
        handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        sealed = tink.proto_keyset_format.serialize_encrypted(handle, remote, AAD)
        (folder / "python.keyset").write_bytes(sealed)
        primitive = handle.primitive(aead.Aead)
        (folder / "python.keyset.message").write_bytes(primitive.encrypt(PLAINTEXT, AAD))


def open_all(folder):
    remote = remote_aead()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".kms":

            def opens():
                assert remote.decrypt(path.read_bytes(), AAD) == PLAINTEXT

        elif path.suffix == ".envelope":

            def opens():
                # The template of the data key is the last word of the file's name.
                template = {
                    "ctr": aead.aead_key_templates.AES128_CTR_HMAC_SHA256,
                    "xchacha": aead.aead_key_templates.XCHACHA20_POLY1305,
                }.get(path.stem.split("-")[-1], aead.aead_key_templates.AES256_GCM)
                envelope = aead.KmsEnvelopeAead(template, remote)
                assert envelope.decrypt(path.read_bytes(), AAD) == PLAINTEXT

        elif path.suffix == ".keyset":

            def opens():
                handle = tink.proto_keyset_format.parse_encrypted(path.read_bytes(), remote, AAD)
                message = pathlib.Path(f"{path}.message").read_bytes()
                assert handle.primitive(aead.Aead).decrypt(message, AAD) == PLAINTEXT

        else:
            continue
        check(opens, f"opens {path.name}")


def remote_aead():
    uri = f"scw-kms://{KEY_ID}"
    return ScwKmsClient(uri, "").get_aead(uri)


def main():
    aead.register()
    step, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    {"write": write, "open": open_all}[step](folder)
    finish()


if __name__ == "__main__":
    main()
