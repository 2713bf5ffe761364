// Drives the emulator with Scaleway's Go SDK, unmodified, and tink-go over it.
//
//	sdk write FOLDER   checks the API, and leaves ciphertexts for the other clients
//	sdk open FOLDER    opens what every client left
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	km "github.com/scaleway/scaleway-sdk-go/api/key_manager/v1alpha1"
	"github.com/scaleway/scaleway-sdk-go/scw"
)

const unknown = "11111111-2222-4333-8444-555555555555"

var (
	aad       = []byte("handoff")
	plaintext = []byte("one client writes, another reads")
	keyID     = os.Getenv("SCW_KM_KEY_ID")
	passed    int
	failed    int
)

func main() {
	client, err := scw.NewClient(scw.WithEnv())
	if err != nil {
		fmt.Println("FAILED to make a client:", err)
		os.Exit(1)
	}
	api := km.NewAPI(client)
	switch folder := os.Args[2]; os.Args[1] {
	case "write":
		write(api)
		leave(api, folder)
	case "open":
		open(api, folder)
	}
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
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

func want(holds bool, format string, values ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, values...)
}

func write(api *km.API) {
	check("a key lives its whole life", func() error { return wholeLife(api) })
	check("lists walk all pages", func() error { return lists(api) })
	check("the nine pairs of spellings of no associated data are one", func() error {
		return spellings(api)
	})
	check("old ciphertexts come back under the newest rotation", func() error {
		return rewrap(api)
	})
	check("data keys come with and without plaintext", func() error { return dataKeys(api) })
	check("material is imported, listed by rotation, and deleted", func() error {
		return material(api)
	})
	check("signatures and public keys are Go's", func() error { return signatures(api) })
	check("RSA-OAEP is Go's", func() error { return oaep(api) })
	check("errors are typed", func() error { return typedErrors(api) })
	check("what is not offered is refused", func() error { return notOffered(api) })
}

func create(api *km.API, name string, more func(*km.CreateKeyRequest)) (*km.Key, error) {
	aes := km.KeyAlgorithmSymmetricEncryptionAes256Gcm
	request := &km.CreateKeyRequest{
		Name:        &name,
		Usage:       &km.KeyUsage{SymmetricEncryption: &aes},
		Unprotected: true,
	}
	if more != nil {
		more(request)
	}
	return api.CreateKey(request)
}

func wholeLife(api *km.API) error {
	key, err := create(api, "go", func(request *km.CreateKeyRequest) {
		request.RotationPolicy = &km.KeyRotationPolicy{
			RotationPeriod: scw.NewDurationFromTimeDuration(30 * 24 * time.Hour),
		}
	})
	if err != nil {
		return err
	}
	srn := "srn://key-manager.scw.eu/regions/fr-par/keys/" + key.ID
	due := key.RotationPolicy.NextRotationAt.Sub(*key.CreatedAt)
	if err := want(key.Srn == srn && key.RotationCount == 1 && !key.Protected &&
		due == 30*24*time.Hour &&
		key.ProtectionLevel == km.KeyProtectionLevelSoftware, "created %+v", key); err != nil {
		return err
	}
	name, later := "other", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	policy := &km.KeyRotationPolicy{
		RotationPeriod: scw.NewDurationFromTimeDuration(24 * time.Hour),
		NextRotationAt: &later,
	}
	update := &km.UpdateKeyRequest{KeyID: key.ID, Name: &name, RotationPolicy: policy}
	if key, err = api.UpdateKey(update); err != nil {
		return err
	}
	if err := want(key.Name == name &&
		key.RotationPolicy.NextRotationAt.Equal(later), "updated %+v", key); err != nil {
		return err
	}
	if key, err = api.RotateKey(&km.RotateKeyRequest{
		KeyID: key.ID,
	}); err != nil || key.RotationCount != 2 {
		return fmt.Errorf("rotated %+v: %w", key, err)
	}
	if key, err = api.ProtectKey(&km.ProtectKeyRequest{
		KeyID: key.ID,
	}); err != nil || !key.Protected {
		return fmt.Errorf("protected %+v: %w", key, err)
	}
	var precondition *scw.PreconditionFailedError
	if err := api.DeleteKey(&km.DeleteKeyRequest{KeyID: key.ID}); !errors.As(err, &precondition) {
		return fmt.Errorf("a protected key was deleted: %w", err)
	}
	if key, err = api.UnprotectKey(&km.UnprotectKeyRequest{
		KeyID: key.ID,
	}); err != nil || key.Protected {
		return fmt.Errorf("unprotected %+v: %w", key, err)
	}
	if key, err = api.DisableKey(&km.DisableKeyRequest{
		KeyID: key.ID,
	}); err != nil || key.State != km.KeyStateDisabled {
		return fmt.Errorf("disabled %+v: %w", key, err)
	}
	if _, err = api.Encrypt(&km.EncryptRequest{
		KeyID:     key.ID,
		Plaintext: plaintext,
	}); !errors.As(err, &precondition) {
		return fmt.Errorf("a disabled key was used: %w", err)
	}
	if key, err = api.EnableKey(&km.EnableKeyRequest{
		KeyID: key.ID,
	}); err != nil || key.State != km.KeyStateEnabled {
		return fmt.Errorf("enabled %+v: %w", key, err)
	}
	if err := api.DeleteKey(&km.DeleteKeyRequest{KeyID: key.ID}); err != nil {
		return err
	}
	if key, err = api.GetKey(&km.GetKeyRequest{
		KeyID: key.ID,
	}); err != nil || key.State != km.KeyStateScheduledForDeletion {
		return fmt.Errorf("deleted %+v: %w", key, err)
	}
	key, err = api.RestoreKey(&km.RestoreKeyRequest{KeyID: key.ID})
	return errors.Join(err, want(err == nil &&
		key.State == km.KeyStateEnabled, "restored %+v", key))
}

func lists(api *km.API) error {
	for number := range 45 {
		_, err := create(api, fmt.Sprintf("go-%02d", number), func(request *km.CreateKeyRequest) {
			request.Tags = []string{"go-list"}
		})
		if err != nil {
			return err
		}
	}
	request := &km.ListKeysRequest{
		Tags:  []string{"go-list"},
		Usage: km.ListKeysRequestUsageSymmetricEncryption,
	}
	all, err := api.ListKeys(request, scw.WithAllPages())
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, key := range all.Keys {
		ids[key.ID] = true
		if err := api.DeleteKey(&km.DeleteKeyRequest{KeyID: key.ID}); err != nil {
			return err
		}
	}
	rest, err := api.ListKeys(&km.ListKeysRequest{Tags: []string{"go-list"}})
	if err != nil {
		return err
	}
	return want(len(ids) == 45 && all.TotalCount == 45 &&
		rest.TotalCount == 0, "%d keys, %d left", len(ids), rest.TotalCount)
}

func spellings(api *km.API) error {
	var none []byte
	for _, sealing := range []*[]byte{nil, &none, {}} {
		sealed, err := api.Encrypt(&km.EncryptRequest{
			KeyID:          keyID,
			Plaintext:      plaintext,
			AssociatedData: sealing,
		})
		if err != nil {
			return err
		}
		for _, opening := range []*[]byte{nil, &none, {}} {
			opened, err := api.Decrypt(&km.DecryptRequest{
				KeyID:          keyID,
				Ciphertext:     sealed.Ciphertext,
				AssociatedData: opening,
			})
			if err != nil || !bytes.Equal(opened.Plaintext, plaintext) || opened.Ciphertext != nil {
				return fmt.Errorf("opened %+v: %w", opened, err)
			}
		}
	}
	return nil
}

func rewrap(api *km.API) error {
	key, err := create(api, "rewrap", nil)
	if err != nil {
		return err
	}
	old, err := api.Encrypt(&km.EncryptRequest{
		KeyID:          key.ID,
		Plaintext:      plaintext,
		AssociatedData: &aad,
	})
	if err != nil {
		return err
	}
	if _, err = api.RotateKey(&km.RotateKeyRequest{KeyID: key.ID}); err != nil {
		return err
	}
	renewed, err := api.Decrypt(&km.DecryptRequest{
		KeyID:          key.ID,
		Ciphertext:     old.Ciphertext,
		AssociatedData: &aad,
	})
	if err != nil || renewed.Ciphertext == nil {
		return fmt.Errorf("renewed %+v: %w", renewed, err)
	}
	again, err := api.Decrypt(&km.DecryptRequest{
		KeyID:          key.ID,
		Ciphertext:     *renewed.Ciphertext,
		AssociatedData: &aad,
	})
	if err != nil {
		return err
	}
	return want(again.Ciphertext == nil &&
		bytes.Equal(again.Plaintext, plaintext), "again %+v", again)
}

func dataKeys(api *km.API) error {
	key, err := api.GenerateDataKey(&km.GenerateDataKeyRequest{KeyID: keyID})
	if err != nil {
		return err
	}
	opened, err := api.Decrypt(&km.DecryptRequest{KeyID: keyID, Ciphertext: key.Ciphertext})
	if err != nil {
		return err
	}
	if err := want(len(*key.Plaintext) == 32 && len(key.Ciphertext) == 65 &&
		bytes.Equal(opened.Plaintext, *key.Plaintext), "%+v", key); err != nil {
		return err
	}
	key, err = api.GenerateDataKey(&km.GenerateDataKeyRequest{
		KeyID:            keyID,
		WithoutPlaintext: true,
		Algorithm:        km.DataKeyAlgorithmSymmetricEncryptionAes256Gcm,
	})
	return errors.Join(err, want(err == nil && key.Plaintext == nil, "a plaintext came"))
}

func material(api *km.API) error {
	key, err := create(api, "imported", func(request *km.CreateKeyRequest) {
		request.Origin = km.KeyOriginExternal
	})
	if err != nil {
		return err
	}
	for round := range 3 {
		salt := bytes.Repeat([]byte{byte(round)}, 16)
		request := &km.ImportKeyMaterialRequest{
			KeyID:       key.ID,
			KeyMaterial: bytes.Repeat([]byte{7}, 32),
			Salt:        &salt,
		}
		if key, err = api.ImportKeyMaterial(request); err != nil {
			return err
		}
	}
	second := uint32(2)
	if err := api.DeleteKeyMaterial(&km.DeleteKeyMaterialRequest{
		KeyID:            key.ID,
		KeyRotationIndex: &second,
	}); err != nil {
		return err
	}
	if err := api.DeleteKeyMaterial(&km.DeleteKeyMaterialRequest{KeyID: key.ID}); err != nil {
		return err
	}
	all, err := api.ListKeyRotations(&km.ListKeyRotationsRequest{KeyID: key.ID}, scw.WithAllPages())
	if err != nil {
		return err
	}
	var fates []string
	for _, rotation := range all.Rotations {
		gone := rotation.DeletedAt != nil
		fates = append(fates, fmt.Sprintf("%d %s %v", rotation.Index, rotation.Status, gone))
	}
	return want(strings.Join(fates, ", ") == "1 enabled false, 2 deleted true, 3 deleted true",
		"%v", fates)
}

func signatures(api *km.API) error {
	digest := sha256.Sum256(plaintext)
	for _, name := range []km.KeyAlgorithmAsymmetricSigning{
		km.KeyAlgorithmAsymmetricSigningEcP256Sha256,
		km.KeyAlgorithmAsymmetricSigningRsaPss2048Sha256,
	} {
		key, err := create(api, "signer", func(request *km.CreateKeyRequest) {
			request.Usage = &km.KeyUsage{AsymmetricSigning: &name}
		})
		if err != nil {
			return err
		}
		signed, err := api.Sign(&km.SignRequest{KeyID: key.ID, Digest: digest[:]})
		if err != nil {
			return err
		}
		verified, err := api.Verify(&km.VerifyRequest{
			KeyID:     key.ID,
			Digest:    digest[:],
			Signature: signed.Signature,
		})
		if err != nil || !verified.Valid {
			return fmt.Errorf("%s does not verify: %w", name, err)
		}
		block, err := publicKey(api, key.ID)
		if err != nil {
			return err
		}
		switch block.Type {
		case "EC PUBLIC KEY":
			public, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil ||
				!ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], signed.Signature) {
				return fmt.Errorf("%s does not verify in Go: %w", name, err)
			}
		case "RSA PUBLIC KEY":
			public, err := x509.ParsePKCS1PublicKey(block.Bytes)
			if err != nil {
				return err
			}
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			err = rsa.VerifyPSS(public, crypto.SHA256, digest[:], signed.Signature, options)
			if err != nil {
				return err
			}
		default:
			return fmt.Errorf("a label %s", block.Type)
		}
	}
	return nil
}

func publicKey(api *km.API, id string) (*pem.Block, error) {
	public, err := api.GetPublicKey(&km.GetPublicKeyRequest{KeyID: id})
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode([]byte(public.Pem))
	return block, want(block != nil && len(rest) == 0, "no PEM: %s", public.Pem)
}

func oaep(api *km.API) error {
	name := km.KeyAlgorithmAsymmetricEncryptionRsaOaep2048Sha256
	key, err := create(api, "oaep", func(request *km.CreateKeyRequest) {
		request.Usage = &km.KeyUsage{AsymmetricEncryption: &name}
	})
	if err != nil {
		return err
	}
	block, err := publicKey(api, key.ID)
	if err != nil {
		return err
	}
	public, err := x509.ParsePKCS1PublicKey(block.Bytes)
	if err != nil {
		return err
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, plaintext, nil)
	if err != nil {
		return err
	}
	opened, err := api.Decrypt(&km.DecryptRequest{KeyID: key.ID, Ciphertext: sealed})
	return errors.Join(err, want(err == nil &&
		bytes.Equal(opened.Plaintext, plaintext), "opened %+v", opened))
}
