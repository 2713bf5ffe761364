// Answers the lab's requests with the official Go module tink-go. See ../README.md.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

type keyTemplate struct {
	TypeURL string `json:"type_url"`
	Value   []byte `json:"value"`
	Prefix  string `json:"prefix"`
}

// form is a way to write a keyset down; Data is the keyset, where there is one already.
type form struct {
	Format         string `json:"format"`
	Data           []byte `json:"data"`
	KEK            []byte `json:"kek"`
	AssociatedData []byte `json:"associated_data"`
	NoSecret       bool   `json:"no_secret"`
}

type message struct {
	Input          binary `json:"input"`
	Output         binary `json:"output"`
	AssociatedData []byte `json:"associated_data"`
	Length         uint32 `json:"length"`
}

// UnmarshalJSON has an output of a PRF be 16 bytes where the message does not say its length.
func (m *message) UnmarshalJSON(text []byte) error {
	type plain message
	m.Length = 16
	return json.Unmarshal(text, (*plain)(m))
}

type request struct {
	Op        string      `json:"op"`
	Name      string      `json:"name"`
	Template  keyTemplate `json:"template"`
	Keyset    form        `json:"keyset"`
	Target    form        `json:"target"`
	Primitive string      `json:"primitive"`
	Messages  []message   `json:"messages"`
}

type answer map[string]any

// refused says that the library said no; stage is where.
type refused struct {
	stage string
	cause error
}

func (r refused) Error() string { return r.stage + ": " + r.cause.Error() }

func at(stage string, err error) error {
	if err == nil {
		return nil
	}
	return refused{stage, err}
}

// binary is data that comes as base64 or, if it is long, in a file.
type binary []byte

const inLine = 65_536

func (b *binary) UnmarshalJSON(text []byte) error {
	var file struct {
		File string `json:"file"`
	}
	if text[0] != '{' {
		return json.Unmarshal(text, (*[]byte)(b))
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	data, err := os.ReadFile(file.File)
	*b = data
	return err
}

var written int

func member(data []byte) (any, error) {
	if len(data) <= inLine {
		return base64.StdEncoding.EncodeToString(data), nil
	}
	written++
	path := filepath.Join(os.Args[1], strconv.Itoa(written))
	return map[string]string{"file": path}, os.WriteFile(path, data, 0o600)
}

// primitive makes outputs, and takes them.
type primitive struct {
	produce func(message) ([]byte, error)
	consume func(message) ([]byte, error)
}

func openAEAD(handle *keyset.Handle) (primitive, error) {
	made, err := aead.New(handle)
	return primitive{
		func(m message) ([]byte, error) { return made.Encrypt(m.Input, m.AssociatedData) },
		func(m message) ([]byte, error) { return made.Decrypt(m.Output, m.AssociatedData) },
	}, err
}

var primitives = map[string]func(*keyset.Handle) (primitive, error){
	"aead":     openAEAD,
	"kms":      openAEAD,
	"envelope": openAEAD,
	"daead": func(handle *keyset.Handle) (primitive, error) {
		made, err := daead.New(handle)
		return primitive{
			func(m message) ([]byte, error) {
				return made.EncryptDeterministically(m.Input, m.AssociatedData)
			},
			func(m message) ([]byte, error) {
				return made.DecryptDeterministically(m.Output, m.AssociatedData)
			},
		}, err
	},
	"streaming": func(handle *keyset.Handle) (primitive, error) {
		made, err := streamingaead.New(handle)
		return primitive{
			func(m message) ([]byte, error) {
				var out bytes.Buffer
				writer, err := made.NewEncryptingWriter(&out, m.AssociatedData)
				if err != nil {
					return nil, err
				}
				if _, err := writer.Write(m.Input); err != nil {
					return nil, err
				}
				err = writer.Close()
				return out.Bytes(), err
			},
			func(m message) ([]byte, error) {
				source := bytes.NewReader(m.Output)
				reader, err := made.NewDecryptingReader(source, m.AssociatedData)
				if err != nil {
					return nil, err
				}
				return io.ReadAll(reader)
			},
		}, err
	},
	"mac": func(handle *keyset.Handle) (primitive, error) {
		made, err := mac.New(handle)
		return primitive{
			func(m message) ([]byte, error) { return made.ComputeMAC(m.Input) },
			func(m message) ([]byte, error) { return m.Input, made.VerifyMAC(m.Output, m.Input) },
		}, err
	},
	// As many bytes as asked for; what any key of the set computes is taken.
	"prf": func(handle *keyset.Handle) (primitive, error) {
		made, err := prf.NewPRFSet(handle)
		return primitive{
			func(m message) ([]byte, error) { return made.ComputePrimaryPRF(m.Input, m.Length) },
			func(m message) ([]byte, error) {
				for _, one := range made.PRFs {
					output, err := one.ComputePRF(m.Input, m.Length)
					if err == nil && bytes.Equal(output, m.Output) {
						return m.Input, nil
					}
				}
				return nil, errors.New("no key of the set computes this")
			},
		}, err
	},
	// The derived keyset; it is taken if it is the same when it is derived again.
	"deriver": func(handle *keyset.Handle) (primitive, error) {
		made, err := keyderivation.New(handle)
		derive := func(m message) ([]byte, error) {
			derived, err := made.DeriveKeyset(m.Input)
			if err != nil {
				return nil, err
			}
			return store(derived, form{Format: "binary"})
		}
		return primitive{derive, func(m message) ([]byte, error) {
			derived, err := derive(m)
			if err != nil {
				return nil, err
			}
			given, err := load(form{Format: "binary", Data: m.Output})
			if err != nil {
				return nil, err
			}
			again, err := store(given, form{Format: "binary"})
			if err == nil && !bytes.Equal(derived, again) {
				err = errors.New("another keyset")
			}
			return m.Input, err
		}}, err
	},
}

// templates are those that the module exports under the names that Tinkey has too.
var templates = map[string]func() *tinkpb.KeyTemplate{
	"AES128_GCM_RAW":                       aead.AES128GCMNoPrefixKeyTemplate,
	"AES128_GCM":                           aead.AES128GCMKeyTemplate,
	"AES256_GCM":                           aead.AES256GCMKeyTemplate,
	"AES256_GCM_RAW":                       aead.AES256GCMNoPrefixKeyTemplate,
	"AES128_GCM_SIV":                       aead.AES128GCMSIVKeyTemplate,
	"AES256_GCM_SIV":                       aead.AES256GCMSIVKeyTemplate,
	"AES256_GCM_SIV_RAW":                   aead.AES256GCMSIVNoPrefixKeyTemplate,
	"AES128_CTR_HMAC_SHA256":               aead.AES128CTRHMACSHA256KeyTemplate,
	"AES256_CTR_HMAC_SHA256":               aead.AES256CTRHMACSHA256KeyTemplate,
	"CHACHA20_POLY1305":                    aead.ChaCha20Poly1305KeyTemplate,
	"XCHACHA20_POLY1305":                   aead.XChaCha20Poly1305KeyTemplate,
	"XAES_256_GCM_192_BIT_NONCE":           aead.XAES256GCM192BitNonceKeyTemplate,
	"XAES_256_GCM_192_BIT_NONCE_NO_PREFIX": aead.XAES256GCM192BitNonceNoPrefixKeyTemplate,
	"XAES_256_GCM_160_BIT_NONCE_NO_PREFIX": aead.XAES256GCM160BitNonceNoPrefixKeyTemplate,
	"AES256_SIV":                           daead.AESSIVKeyTemplate,
	"AES128_GCM_HKDF_4KB":                  streamingaead.AES128GCMHKDF4KBKeyTemplate,
	"AES128_GCM_HKDF_1MB":                  streamingaead.AES128GCMHKDF1MBKeyTemplate,
	"AES256_GCM_HKDF_4KB":                  streamingaead.AES256GCMHKDF4KBKeyTemplate,
	"AES256_GCM_HKDF_1MB":                  streamingaead.AES256GCMHKDF1MBKeyTemplate,
	"AES128_CTR_HMAC_SHA256_4KB":           streamingaead.AES128CTRHMACSHA256Segment4KBKeyTemplate,
	"AES128_CTR_HMAC_SHA256_1MB":           streamingaead.AES128CTRHMACSHA256Segment1MBKeyTemplate,
	"AES256_CTR_HMAC_SHA256_4KB":           streamingaead.AES256CTRHMACSHA256Segment4KBKeyTemplate,
	"AES256_CTR_HMAC_SHA256_1MB":           streamingaead.AES256CTRHMACSHA256Segment1MBKeyTemplate,
	"HMAC_SHA256_128BITTAG":                mac.HMACSHA256Tag128KeyTemplate,
	"HMAC_SHA256_256BITTAG":                mac.HMACSHA256Tag256KeyTemplate,
	"HMAC_SHA512_256BITTAG":                mac.HMACSHA512Tag256KeyTemplate,
	"HMAC_SHA512_512BITTAG":                mac.HMACSHA512Tag512KeyTemplate,
	"AES256_CMAC":                          mac.AESCMACTag128KeyTemplate,
	"HKDF_SHA256":                          prf.HKDFSHA256PRFKeyTemplate,
	"HMAC_SHA256_PRF":                      prf.HMACSHA256PRFKeyTemplate,
	"HMAC_SHA512_PRF":                      prf.HMACSHA512PRFKeyTemplate,
	"AES_CMAC_PRF":                         prf.AESCMACPRFKeyTemplate,
}

func info(request) (answer, error) {
	version := "unknown"
	with := []string{}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/tink-crypto/tink-go/v2" {
				version = module.Version
			}
			if strings.HasPrefix(module.Path, "github.com/scaleway/") {
				with = append(with, path.Base(module.Path)+" "+module.Version)
			}
		}
	}
	names := []string{}
	for name := range primitives {
		names = append(names, name)
	}
	sort.Strings(names)
	return answer{
		"name": "tink-go", "version": version, "with": with,
		"runtime": runtime.Version(), "primitives": names,
	}, nil
}

func template(r request) (answer, error) {
	found, ok := templates[r.Name]
	if !ok {
		return answer{"template": nil}, nil
	}
	made := found()
	value := made.GetValue()
	if value == nil {
		value = []byte{}
	}
	return answer{"template": keyTemplate{
		made.GetTypeUrl(), value, made.GetOutputPrefixType().String(),
	}}, nil
}

func generate(r request) (answer, error) {
	handle, err := keyset.NewHandle(&tinkpb.KeyTemplate{
		TypeUrl:          r.Template.TypeURL,
		Value:            r.Template.Value,
		OutputPrefixType: tinkpb.OutputPrefixType(tinkpb.OutputPrefixType_value[r.Template.Prefix]),
	})
	if err != nil {
		return nil, at("generate", err)
	}
	data, err := store(handle, form{Format: "binary"})
	return answer{"keyset": data}, err
}

func write(r request) (answer, error) {
	handle, err := load(r.Keyset)
	if err != nil {
		return nil, err
	}
	data, err := store(handle, r.Target)
	return answer{"keyset": data}, err
}

func produce(r request) (answer, error) {
	made, err := open(r)
	if err != nil {
		return nil, err
	}
	outputs := []any{}
	for _, m := range r.Messages {
		output, err := made.produce(m)
		if err != nil {
			return nil, at("use", err)
		}
		text, err := member(output)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, text)
	}
	return answer{"outputs": outputs}, nil
}

func consume(r request) (answer, error) {
	made, err := open(r)
	if err != nil {
		return nil, err
	}
	inputs := []any{}
	for _, m := range r.Messages {
		input, err := made.consume(m)
		if err != nil {
			inputs = append(inputs, nil)
			continue
		}
		text, err := member(input)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, text)
	}
	return answer{"inputs": inputs}, nil
}

func open(r request) (primitive, error) {
	handle, err := load(r.Keyset)
	if err != nil {
		return primitive{}, err
	}
	made, err := primitives[r.Primitive](handle)
	return made, at("primitive", err)
}

func load(from form) (*keyset.Handle, error) {
	var reader keyset.Reader = keyset.NewBinaryReader(bytes.NewReader(from.Data))
	if from.Format == "json" {
		reader = keyset.NewJSONReader(bytes.NewReader(from.Data))
	}
	if from.NoSecret {
		handle, err := keyset.ReadWithNoSecrets(reader)
		return handle, at("load", err)
	}
	if from.KEK == nil {
		handle, err := insecurecleartextkeyset.Read(reader)
		return handle, at("load", err)
	}
	encryptor, err := kek(from)
	if err != nil {
		return nil, err
	}
	handle, err := keyset.ReadWithAssociatedData(reader, encryptor, from.AssociatedData)
	return handle, at("load", err)
}

func store(handle *keyset.Handle, to form) ([]byte, error) {
	var data bytes.Buffer
	var writer keyset.Writer = keyset.NewBinaryWriter(&data)
	if to.Format == "json" {
		writer = keyset.NewJSONWriter(&data)
	}
	if to.NoSecret {
		err := handle.WriteWithNoSecrets(writer)
		return data.Bytes(), at("write", err)
	}
	if to.KEK == nil {
		err := insecurecleartextkeyset.Write(handle, writer)
		return data.Bytes(), at("write", err)
	}
	encryptor, err := kek(to)
	if err != nil {
		return nil, err
	}
	err = handle.WriteWithAssociatedData(writer, encryptor, to.AssociatedData)
	return data.Bytes(), at("write", err)
}

func kek(of form) (tink.AEAD, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(of.KEK))
	handle, err := insecurecleartextkeyset.Read(reader)
	if err != nil {
		return nil, at("kek", err)
	}
	made, err := aead.New(handle)
	return made, at("kek", err)
}

var operations = map[string]func(request) (answer, error){
	"info":     info,
	"template": template,
	"generate": generate,
	"write":    write,
	"produce":  produce,
	"consume":  consume,
}

func run() error {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		operation, ok := operations[r.Op]
		if !ok {
			return fmt.Errorf("no operation %q", r.Op)
		}
		done, err := operation(r)
		if no, ok := err.(refused); ok {
			done = answer{"refused": no.cause.Error(), "stage": no.stage}
		} else if err != nil {
			return err
		}
		if err := out.Encode(done); err != nil {
			return err
		}
	}
}

func main() {
	if err := registerKMS(); err != nil {
		fmt.Fprintln(os.Stderr, "the Go peer:", err)
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "the Go peer:", err)
		os.Exit(1)
	}
}
