package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	km "github.com/scaleway/scaleway-sdk-go/api/key_manager/v1alpha1"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// remote is a Tink AEAD over the SDK. It sends the associated data always, as Scaleway's own
// extension does.
type remote struct{ api *km.API }

var _ tink.AEAD = remote{}

func (r remote) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	answer, err := r.api.Encrypt(&km.EncryptRequest{
		KeyID:          keyID,
		Plaintext:      plaintext,
		AssociatedData: &associatedData,
	})
	if err != nil {
		return nil, err
	}
	return answer.Ciphertext, nil
}

func (r remote) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	answer, err := r.api.Decrypt(&km.DecryptRequest{
		KeyID:          keyID,
		Ciphertext:     ciphertext,
		AssociatedData: &associatedData,
	})
	if err != nil {
		return nil, err
	}
	return answer.Plaintext, nil
}

// The template of an envelope's data key is the last word of its file's name.
func template(name string) *tinkpb.KeyTemplate {
	switch {
	case strings.HasSuffix(name, "-ctr.envelope"):
		return aead.AES128CTRHMACSHA256KeyTemplate()
	case strings.HasSuffix(name, "-xchacha.envelope"):
		return aead.XChaCha20Poly1305KeyTemplate()
	default:
		return aead.AES256GCMKeyTemplate()
	}
}

func leave(api *km.API, folder string) {
	kek := remote{api}
	check("ciphertexts are left for the other clients", func() error {
		sealed, err := kek.Encrypt(plaintext, aad)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "go.kms"), sealed, 0o600); err != nil {
			return err
		}
		for _, name := range []string{"go.envelope", "go-ctr.envelope", "go-xchacha.envelope"} {
			sealed, err := aead.NewKMSEnvelopeAEAD2(template(name), kek).Encrypt(plaintext, aad)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, name), sealed, 0o600); err != nil {
				return err
			}
		}
		return leaveKeyset(kek, folder)
	})
}

func leaveKeyset(kek tink.AEAD, folder string) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	var sealed bytes.Buffer
	writer := keyset.NewBinaryWriter(&sealed)
	if err := handle.WriteWithAssociatedData(writer, kek, aad); err != nil {
		return err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return err
	}
	message, err := primitive.Encrypt(plaintext, aad)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, "go.keyset")
	if err := os.WriteFile(path, sealed.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".message", message, 0o600)
}

func open(api *km.API, folder string) {
	kek := remote{api}
	paths, _ := filepath.Glob(filepath.Join(folder, "*.*"))
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".message") {
			continue
		}
		check("opens "+name, func() error {
			sealed, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var opened []byte
			switch filepath.Ext(name) {
			case ".kms":
				opened, err = kek.Decrypt(sealed, aad)
			case ".envelope":
				opened, err = aead.NewKMSEnvelopeAEAD2(template(name), kek).Decrypt(sealed, aad)
			case ".keyset":
				opened, err = openKeyset(kek, path, sealed)
			}
			if err != nil {
				return err
			}
			return want(bytes.Equal(opened, plaintext), "opened as %q", opened)
		})
	}
}

func openKeyset(kek tink.AEAD, path string, sealed []byte) ([]byte, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(sealed))
	handle, err := keyset.ReadWithAssociatedData(reader, kek, aad)
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	message, err := os.ReadFile(path + ".message")
	if err != nil {
		return nil, err
	}
	return primitive.Decrypt(message, aad)
}
