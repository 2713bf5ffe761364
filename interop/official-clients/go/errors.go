package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	km "github.com/scaleway/scaleway-sdk-go/api/key_manager/v1alpha1"
	"github.com/scaleway/scaleway-sdk-go/scw"
)

func typedErrors(api *km.API) error {
	var notFound *scw.ResourceNotFoundError
	if _, err := api.GetKey(&km.GetKeyRequest{
		KeyID: unknown,
	}); !errors.As(err, &notFound) || notFound.Resource != "key" {
		return fmt.Errorf("an unknown key: %w", err)
	}
	var invalid *scw.InvalidArgumentsError
	if _, err := api.Encrypt(&km.EncryptRequest{
		KeyID: keyID,
	}); !errors.As(err, &invalid) || invalid.Details[0].ArgumentName != "plaintext" {
		return fmt.Errorf("no plaintext: %w", err)
	}
	_, err := api.Decrypt(&km.DecryptRequest{KeyID: keyID, Ciphertext: bytes.Repeat([]byte{2}, 64)})
	text := "scaleway-sdk-go: invalid argument(s): ciphertext does not respect constraint, " +
		"cipher: message authentication failed"
	if err == nil || err.Error() != text {
		return fmt.Errorf("a forged ciphertext: %w", err)
	}
	stranger, err := scw.NewClient(scw.WithEnv(), scw.WithAuth("SCWAAAAAAAAAAAAAAAAA", unknown))
	if err != nil {
		return err
	}
	var denied *scw.DeniedAuthenticationError
	if _, err = km.NewAPI(stranger).GetKey(&km.GetKeyRequest{
		KeyID: keyID,
	}); !errors.As(err, &denied) || denied.Reason != "not_found" {
		return fmt.Errorf("a stranger: %w", err)
	}
	key, err := create(api, "locked", nil)
	if err != nil {
		return err
	}
	if err := control("keys/"+key.ID+"/lock", ""); err != nil {
		return err
	}
	var locked *scw.ResourceLockedError
	if _, err = api.RotateKey(&km.RotateKeyRequest{KeyID: key.ID}); !errors.As(err, &locked) {
		return fmt.Errorf("a locked key: %w", err)
	}
	if err := once("permissions-denied"); err != nil {
		return err
	}
	var permissions *scw.PermissionsDeniedError
	if _, err = api.GetKey(&km.GetKeyRequest{KeyID: keyID}); !errors.As(err, &permissions) {
		return fmt.Errorf("no permission: %w", err)
	}
	if err := once("rate-limited"); err != nil {
		return err
	}
	var response *scw.ResponseError
	if _, err = api.GetKey(&km.GetKeyRequest{
		KeyID: keyID,
	}); !errors.As(err, &response) || response.StatusCode != 429 {
		return fmt.Errorf("an empty 429: %w", err)
	}
	return nil
}

func notOffered(api *km.API) error {
	var invalid *scw.InvalidArgumentsError
	dsa, kem := km.KeyAlgorithmAsymmetricSigningMlDsa65, km.KeyAlgorithmKeyEncapsulationMlKem768
	for _, usage := range []*km.KeyUsage{{AsymmetricSigning: &dsa}, {KeyEncapsulation: &kem}} {
		_, err := create(api, "post-quantum", func(request *km.CreateKeyRequest) {
			request.Usage = usage
		})
		if !errors.As(err, &invalid) {
			return fmt.Errorf("%+v: %w", usage, err)
		}
	}
	if _, err := api.WrapKey(&km.WrapKeyRequest{
		KeyID:     keyID,
		Plaintext: plaintext,
	}); !errors.As(err, &invalid) {
		return fmt.Errorf("wrap: %w", err)
	}
	return nil
}

// once injects a fault into the next get-key.
func once(fault string) error {
	return control("faults", fmt.Sprintf(`[{"fault":%q,"operation":"get-key","times":1}]`, fault))
}

func control(path, body string) error {
	url := os.Getenv("SCW_API_URL") + "/emulator/" + path
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("X-Auth-Token", os.Getenv("SCW_SECRET_KEY"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return want(answer.StatusCode < 300, "control: %s", answer.Status)
}
