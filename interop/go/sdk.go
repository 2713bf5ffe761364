//go:build !scwkms

package main

import (
	"strings"

	km "github.com/scaleway/scaleway-sdk-go/api/key_manager/v1alpha1"
	"github.com/scaleway/scaleway-sdk-go/scw"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"
)

func newKeyManager() (registry.KMSClient, error) {
	client, err := scw.NewClient(scw.WithEnv())
	if err != nil {
		return nil, err
	}
	return keyManager{km.NewAPI(client)}, nil
}

// keyManager is Scaleway's own SDK, as Tink wants a KMS. It stands for the official extension where
// the registry does not serve that.
type keyManager struct{ api *km.API }

func (k keyManager) Supported(uri string) bool { return strings.HasPrefix(uri, scheme) }

func (k keyManager) GetAEAD(uri string) (tink.AEAD, error) {
	return managedKey{k.api, strings.TrimPrefix(uri, scheme)}, nil
}

type managedKey struct {
	api *km.API
	id  string
}

func (k managedKey) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	answer, err := k.api.Encrypt(&km.EncryptRequest{
		KeyID: k.id, Plaintext: plaintext, AssociatedData: &associatedData,
	})
	if err != nil {
		return nil, err
	}
	return answer.Ciphertext, nil
}

func (k managedKey) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	answer, err := k.api.Decrypt(&km.DecryptRequest{
		KeyID: k.id, Ciphertext: ciphertext, AssociatedData: &associatedData,
	})
	if err != nil {
		return nil, err
	}
	return answer.Plaintext, nil
}
