// Times the official Go module tink-go with Go's own benchmarks, as interop/bench asks. The
// protocol is that of ../rust/src/main.rs.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
)

type request struct {
	Op        string  `json:"op"`
	ID        int     `json:"id"`
	Seconds   float64 `json:"seconds"`
	What      string  `json:"what"`
	Template  string  `json:"template"`
	Direction string  `json:"direction"`
	Size      int     `json:"size"`
	Threads   int     `json:"threads"`
	Keyset    []byte  `json:"keyset"`
	Writer    []byte  `json:"writer"`
}

type answer map[string]any

// timed is a call, and the threads that make it.
type timed struct {
	call    func() error
	threads int
}

var data = bytes.Repeat([]byte{7}, 16)

var errNone = errors.New("it has none")

func main() {
	testing.Init()
	flag.Parse()
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	var prepared []timed
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			return err
		}
		result := answer{}
		switch asked.Op {
		case "info":
			result["subjects"] = []string{"tink-go"}
			result["versions"] = versions()
		case "prepare":
			call, err := prepare(asked)
			if err == nil {
				err = call()
			}
			if err != nil {
				result["hole"] = err.Error()
				break
			}
			prepared = append(prepared, timed{call, asked.Threads})
			result["id"] = len(prepared) - 1
		case "round":
			nanoseconds, err := round(prepared[asked.ID], asked.Seconds)
			if err != nil {
				return err
			}
			result["ns"] = nanoseconds
		case "forget":
			prepared = nil
			runtime.GC()
		default:
			return fmt.Errorf("an unknown request: %s", line)
		}
		text, err := json.Marshal(result)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
}

func versions() answer {
	found := answer{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/tink-crypto/tink-go/v2" {
				found["tink-go"] = module.Version
			}
		}
	}
	return found
}

// round returns nanoseconds of wall time for each call, of all threads together.
func round(of timed, seconds float64) (float64, error) {
	if err := flag.Set("test.benchtime", fmt.Sprintf("%dns", int64(seconds*1e9))); err != nil {
		return 0, err
	}
	runtime.GOMAXPROCS(max(of.threads, 1))
	result := testing.Benchmark(func(b *testing.B) {
		if of.threads == 1 {
			for range b.N {
				of.call()
			}
			return
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				of.call()
			}
		})
	})
	return float64(result.T.Nanoseconds()) / float64(result.N), nil
}

func load(file []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(file)))
}

func prepare(asked request) (func() error, error) {
	if asked.What == "create" {
		if asked.Template != "AES256_GCM" {
			return nil, errNone
		}
		return func() error {
			_, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
			return err
		}, nil
	}
	handle, err := load(asked.Keyset)
	if err != nil {
		return nil, err
	}
	message := bytes.Repeat([]byte{0x5a}, asked.Size)
	switch asked.What {
	case "aead":
		return prepareAEAD(asked, handle, message)
	case "daead":
		return prepareDAEAD(asked, handle, message)
	case "mac":
		return prepareMAC(asked, handle, message)
	case "prf":
		set, err := prf.NewPRFSet(handle)
		if err != nil {
			return nil, err
		}
		return func() error {
			_, err := set.ComputePrimaryPRF(message, 16)
			return err
		}, nil
	case "stream":
		return prepareStream(asked, handle, message)
	case "envelope":
		return prepareEnvelope(asked, handle, message)
	case "make":
		return func() error {
			_, err := aead.New(handle)
			return err
		}, nil
	case "load":
		return prepareLoad(asked, handle)
	case "derive":
		deriver, err := keyderivation.New(handle)
		if err != nil {
			return nil, err
		}
		return func() error {
			_, err := deriver.DeriveKeyset(data)
			return err
		}, nil
	}
	return nil, errNone
}

func prepareLoad(asked request, handle *keyset.Handle) (func() error, error) {
	if asked.Direction != "json" {
		return func() error {
			_, err := load(asked.Keyset)
			return err
		}, nil
	}
	var file bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&file)); err != nil {
		return nil, err
	}
	return func() error {
		_, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Bytes())))
		return err
	}, nil
}

func prepareAEAD(asked request, handle *keyset.Handle, message []byte) (func() error, error) {
	made, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	writer := made
	if len(asked.Writer) > 0 {
		old, err := load(asked.Writer)
		if err != nil {
			return nil, err
		}
		if writer, err = aead.New(old); err != nil {
			return nil, err
		}
	}
	ciphertext, err := writer.Encrypt(message, data)
	if err != nil {
		return nil, err
	}
	switch asked.Direction {
	case "encrypt":
		return func() error {
			_, err := made.Encrypt(message, data)
			return err
		}, nil
	case "decrypt":
		return func() error {
			_, err := made.Decrypt(ciphertext, data)
			return err
		}, nil
	case "refuse":
		return func() error {
			if _, err := made.Decrypt(ciphertext, []byte("other")); err == nil {
				return errors.New("it was not refused")
			}
			return nil
		}, nil
	}
	return nil, errNone
}

func prepareDAEAD(asked request, handle *keyset.Handle, message []byte) (func() error, error) {
	made, err := daead.New(handle)
	if err != nil {
		return nil, err
	}
	ciphertext, err := made.EncryptDeterministically(message, data)
	if err != nil {
		return nil, err
	}
	if asked.Direction == "decrypt" {
		return func() error {
			_, err := made.DecryptDeterministically(ciphertext, data)
			return err
		}, nil
	}
	return func() error {
		_, err := made.EncryptDeterministically(message, data)
		return err
	}, nil
}

func prepareMAC(asked request, handle *keyset.Handle, message []byte) (func() error, error) {
	made, err := mac.New(handle)
	if err != nil {
		return nil, err
	}
	tag, err := made.ComputeMAC(message)
	if err != nil {
		return nil, err
	}
	if asked.Direction == "verify" {
		return func() error { return made.VerifyMAC(tag, message) }, nil
	}
	return func() error {
		_, err := made.ComputeMAC(message)
		return err
	}, nil
}

func prepareStream(asked request, handle *keyset.Handle, message []byte) (func() error, error) {
	made, err := streamingaead.New(handle)
	if err != nil {
		return nil, err
	}
	seal := func() ([]byte, error) {
		out := bytes.NewBuffer(make([]byte, 0, len(message)+len(message)/100+4096))
		writer, err := made.NewEncryptingWriter(out, data)
		if err != nil {
			return nil, err
		}
		if _, err := writer.Write(message); err != nil {
			return nil, err
		}
		// The end of the stream is written by Close.
		err = writer.Close()
		return out.Bytes(), err
	}
	stream, err := seal()
	if err != nil {
		return nil, err
	}
	switch asked.Direction {
	case "encrypt":
		return func() error {
			_, err := seal()
			return err
		}, nil
	case "decrypt":
		return func() error {
			reader, err := made.NewDecryptingReader(bytes.NewReader(stream), data)
			if err != nil {
				return err
			}
			_, err = io.ReadFull(reader, make([]byte, len(message)))
			return err
		}, nil
	}
	return nil, errNone
}

func prepareEnvelope(asked request, handle *keyset.Handle, message []byte) (func() error, error) {
	if asked.Template != "AES256_GCM" {
		return nil, errNone
	}
	kek, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	made := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), kek)
	ciphertext, err := made.Encrypt(message, data)
	if err != nil {
		return nil, err
	}
	if asked.Direction == "decrypt" {
		return func() error {
			_, err := made.Decrypt(ciphertext, data)
			return err
		}, nil
	}
	return func() error {
		_, err := made.Encrypt(message, data)
		return err
	}, nil
}
