// Serves the suite's own services for Go, without the clients of other clouds' KMS.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	pb "github.com/tink-crypto/tink-cross-lang-tests/go/protos/testing_api_go_grpc"
	"github.com/tink-crypto/tink-cross-lang-tests/go/services"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	"google.golang.org/grpc"
)

func main() {
	port := flag.Int("port", 10000, "the port to listen on")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	client, err := fakekms.NewClient("fake-kms://")
	if err != nil {
		log.Fatal(err)
	}
	registry.RegisterKMSClient(client)
	server := grpc.NewServer()
	pb.RegisterMetadataServer(server, &services.MetadataService{})
	pb.RegisterKeysetServer(server, &services.KeysetService{})
	pb.RegisterAeadServer(server, &services.AEADService{})
	pb.RegisterDeterministicAeadServer(server, &services.DeterministicAEADService{})
	pb.RegisterHybridServer(server, &services.HybridService{})
	pb.RegisterJwtServer(server, &services.JWTService{})
	pb.RegisterKeysetDeriverServer(server, &services.KeysetDeriverService{})
	pb.RegisterMacServer(server, &services.MacService{})
	pb.RegisterPrfSetServer(server, &services.PrfSetService{})
	pb.RegisterSignatureServer(server, &services.SignatureService{})
	pb.RegisterStreamingAeadServer(server, &services.StreamingAEADService{})
	log.Fatal(server.Serve(listener))
}
