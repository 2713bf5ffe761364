// Drives the emulator with Scaleway's Tink extension for Go, unmodified.
//
//	tink write FOLDER   checks it, and leaves ciphertexts for the other clients
//	tink open FOLDER    opens what every client left
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scaleway/scaleway-sdk-go/scw"
	"github.com/scaleway/tink-go-scwkms/integration/scwkms"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	aad       = []byte("handoff")
	plaintext = []byte("one client writes, another reads")
	passed    int
	failed    int
)

func main() {
	folder := os.Args[2]
	kek, err := extension("scw-kms://")
	if err != nil {
		fmt.Println("FAILED to make a client:", err)
		os.Exit(1)
	}
	switch os.Args[1] {
	case "write":
		write(kek, folder)
	case "open":
		open(kek, folder)
	}
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// extension makes the AEAD of the key behind a prefix: the rest of the URI is the key id.
func extension(prefix string) (tink.AEAD, error) {
	client, err := scwkms.NewClientWithOptions(prefix, scw.WithEnv())
	if err != nil {
		return nil, err
	}
	return client.GetAEAD(prefix + os.Getenv("SCW_KM_KEY_ID"))
}

func check(name string, action func() error) {
	if err := action(); err != nil {
		failed++
		fmt.Printf("FAILED %s\n%v\n", name, err)
		return
	}
	passed++
	fmt.Println("ok", name)
}

func write(kek tink.AEAD, folder string) {
	check("no associated data is one thing, other associated data is another", func() error {
		for _, sealing := range [][]byte{nil, {}} {
			sealed, err := kek.Encrypt(plaintext, sealing)
			if err != nil {
				return err
			}
			for _, opening := range [][]byte{nil, {}} {
				opened, err := kek.Decrypt(sealed, opening)
				if err != nil || !bytes.Equal(opened, plaintext) {
					return fmt.Errorf("opened as %q: %w", opened, err)
				}
			}
			if _, err := kek.Decrypt(sealed, aad); err == nil {
				return fmt.Errorf("other associated data was accepted")
			}
		}
		return nil
	})
	check("both forms of the key URI name the same key", func() error {
		other, err := extension("scw-kms://regions/fr-par/keys/")
		if err != nil {
			return err
		}
		sealed, err := other.Encrypt(plaintext, aad)
		if err != nil {
			return err
		}
		_, err = kek.Decrypt(sealed, aad)
		return err
	})
	check("a full URI behind the short prefix is not found", func() error {
		client, err := scwkms.NewClientWithOptions("scw-kms://", scw.WithEnv())
		if err != nil {
			return err
		}
		wrong, err := client.GetAEAD("scw-kms://regions/fr-par/keys/" + os.Getenv("SCW_KM_KEY_ID"))
		if err != nil {
			return err
		}
		if _, err := wrong.Encrypt(plaintext, nil); err == nil {
			return fmt.Errorf("it was found")
		}
		return nil
	})
	check("ciphertexts are left for the other clients", func() error { return leave(kek, folder) })
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

func leave(kek tink.AEAD, folder string) error {
	for _, name := range []string{
		"gotink.kms", "gotink.envelope", "gotink-ctr.envelope", "gotink-xchacha.envelope",
	} {
		var primitive tink.AEAD = aead.NewKMSEnvelopeAEAD2(template(name), kek)
		if strings.HasSuffix(name, ".kms") {
			primitive = kek
		}
		sealed, err := primitive.Encrypt(plaintext, aad)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), sealed, 0o600); err != nil {
			return err
		}
	}
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
	path := filepath.Join(folder, "gotink.keyset")
	if err := os.WriteFile(path, sealed.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".message", message, 0o600)
}

func open(kek tink.AEAD, folder string) {
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
			if err == nil && !bytes.Equal(opened, plaintext) {
				err = fmt.Errorf("opened as %q", opened)
			}
			return err
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
