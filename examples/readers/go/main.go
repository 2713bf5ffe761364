// Decrypts a sealed stream with the official Tink: main KEK.json ASSOCIATED_DATA < IN > OUT
package main

import (
	"encoding/binary"
	"io"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	kek := must(aead.New(must(insecurecleartextkeyset.Read(keyset.NewJSONReader(must(os.Open(os.Args[1])))))))
	start := make([]byte, 12)
	must(io.ReadFull(os.Stdin, start))
	if string(start[:8]) != "keyseal\x01" {
		panic("this is no sealed stream")
	}
	encrypted := keyset.NewBinaryReader(io.LimitReader(os.Stdin, int64(binary.BigEndian.Uint32(start[8:]))))
	handle := must(keyset.ReadWithAssociatedData(encrypted, kek, []byte("keyseal sealed stream 1")))
	stream := must(streamingaead.New(handle))
	must(io.Copy(os.Stdout, must(stream.NewDecryptingReader(os.Stdin, []byte(os.Args[2])))))
}
