package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "sigs.k8s.io/gateway-api/conformance/echo-basic/grpcechoserver"
)

// patience is how long one call may take.
const patience = 5 * time.Second

// headers are those of a flag that may be given several times, NAME:VALUE.
type headers http.Header

func (h headers) String() string { return fmt.Sprint(http.Header(h)) }

func (h headers) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("want NAME:VALUE")
	}
	http.Header(h).Add(name, value)
	return nil
}

// call prints what comes back of each call of the URL, an empty line between them.
func call(args []string) error {
	if len(args) == 0 {
		return errors.New("client URL [--method M] [-H NAME:VALUE] [--count N]")
	}
	target, err := url.Parse(args[0])
	if err != nil {
		return err
	}
	f := flag.NewFlagSet("client", flag.ContinueOnError)
	method, count, sent := f.String("method", http.MethodGet, ""), f.Int("count", 1, ""), headers{}
	f.Var(sent, "H", "")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	once := func() (string, error) { return request(target, *method, http.Header(sent)) }
	if target.Scheme == "grpc" {
		to, err := grpc.NewClient("passthrough:///"+target.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer to.Close()
		once = func() (string, error) { return rpc(to) }
	}
	for range *count {
		said, err := once()
		if err != nil {
			return err
		}
		fmt.Println(said)
	}
	return nil
}

func rpc(to *grpc.ClientConn) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply, err := pb.NewGrpcEchoClient(to).Echo(ctx, &pb.EchoRequest{})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("StatusCode=200\nHostname=%s\n", reply.GetAssertions().GetContext().GetPod()), nil
}

// request follows no redirect: the suite looks at them.
func request(target *url.URL, method string, sent http.Header) (string, error) {
	q, err := http.NewRequest(method, target.String(), nil)
	if err != nil {
		return "", err
	}
	q.Header, q.Host = sent.Clone(), sent.Get("Host")
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(q)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("StatusCode=%d\n", answer.StatusCode)
	for name, values := range answer.Header {
		said += fmt.Sprintf("ResponseHeader=%s:%s\n", name, strings.Join(values, ","))
	}
	return said + string(body), nil
}
