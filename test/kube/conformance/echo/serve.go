package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	pb "sigs.k8s.io/gateway-api/conformance/echo-basic/grpcechoserver"
)

// ports are those of a flag that may be given several times.
type ports []int

func (p *ports) String() string { return fmt.Sprint(*p) }

func (p *ports) Set(text string) error {
	port, err := strconv.Atoi(text)
	*p = append(*p, port)
	return err
}

// serve listens on the ports of the flags until one of them fails.
func serve(args []string) error {
	var web, overTLS, calls, raw ports
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	f.Var(&web, "port", "for HTTP")
	f.Var(&overTLS, "tls", "those for HTTP that take TLS")
	f.Var(&calls, "grpc", "for gRPC")
	f.Var(&raw, "tcp", "for bytes, which come back")
	f.String("crt", "", "ignored: a certificate is made")
	f.String("key", "", "ignored")
	if err := f.Parse(args); err != nil {
		return err
	}
	failed := make(chan error)
	listen := func(port int, on func(net.Listener) error) {
		go func() {
			l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
			failed <- cmp.Or(err, ended(l, on))
		}()
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	for _, port := range web {
		listen(port, func(l net.Listener) error {
			if slices.Contains(overTLS, port) {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})
			}
			return webServer(port).Serve(l)
		})
	}
	for _, port := range calls {
		listen(port, func(l net.Listener) error {
			s := grpc.NewServer()
			pb.RegisterGrpcEchoServer(s, answers{})
			return s.Serve(l)
		})
	}
	for _, port := range raw {
		listen(port, sendBack)
	}
	return <-failed
}

func ended(l net.Listener, on func(net.Listener) error) error {
	if l == nil {
		return nil
	}
	return on(l)
}

// webServer takes HTTP/1 and, with knowledge beforehand, HTTP/2.
func webServer(port int) *http.Server {
	s := &http.Server{ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hostname=%s\nServicePort=%d\nMethod=%s\nProto=%s\nHost=%s\nURL=%s\n", hostname(), port, r.Method, r.Proto, r.Host, r.URL)
		for name, values := range r.Header {
			for _, value := range values {
				fmt.Fprintf(w, "RequestHeader=%s:%s\n", name, value)
			}
		}
	})}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return err.Error()
	}
	return name
}

// answers say which pod was reached.
type answers struct {
	pb.UnimplementedGrpcEchoServer
}

func (answers) Echo(context.Context, *pb.EchoRequest) (*pb.EchoResponse, error) {
	return &pb.EchoResponse{Assertions: &pb.Assertions{Context: &pb.Context{Pod: hostname()}}}, nil
}

func sendBack(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c) // until the caller goes
		}()
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0), DNSNames: []string{"echo"}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
