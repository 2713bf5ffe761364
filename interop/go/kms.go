package main

import (
	"os"

	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
)

// scheme is all that comes before the id of a key: the URIs that Scaleway's extension for Python
// takes.
const scheme = "scw-kms://"

// registerKMS registers Tink's fake KMS and, where there are credentials, Key Manager.
func registerKMS() error {
	fake, err := fakekms.NewClient("fake-kms://")
	if err != nil {
		return err
	}
	registry.RegisterKMSClient(fake)
	if os.Getenv("SCW_SECRET_KEY") == "" {
		return nil
	}
	client, err := newKeyManager()
	if err != nil {
		return err
	}
	registry.RegisterKMSClient(client)
	return nil
}
