//go:build scwkms

package main

import (
	"github.com/scaleway/scaleway-sdk-go/scw"
	"github.com/scaleway/tink-go-scwkms/integration/scwkms"
	"github.com/tink-crypto/tink-go/v2/core/registry"
)

// newKeyManager is the official extension. It sends what follows its prefix as the id of a key.
func newKeyManager() (registry.KMSClient, error) {
	return scwkms.NewClientWithOptions(scheme, scw.WithEnv())
}
