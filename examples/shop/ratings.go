package main

import (
	"context"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const starsMethod = "/shop.Ratings/Stars"

// ratingsService is written by hand so that the example needs no code
// generator: one call, from a product's id to its stars.
var ratingsService = grpc.ServiceDesc{
	ServiceName: "shop.Ratings",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Stars", Handler: stars}},
}

func stars(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var id wrapperspb.StringValue
	if err := decode(&id); err != nil {
		return nil, err
	}
	return wrapperspb.Int32(5), nil
}

func serveRatings(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	server.RegisterService(&ratingsService, nil)
	return server.Serve(listener)
}

// ratingsClient calls ratings by gRPC.
type ratingsClient struct{ conn *grpc.ClientConn }

// newRatings connects when it is first used.
func newRatings() ratingsClient {
	conn, err := grpc.NewClient("ratings:9090", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err) // the target is a constant
	}
	return ratingsClient{conn}
}

func (c ratingsClient) of(in *http.Request, id string) (int32, error) {
	ctx := in.Context()
	for _, name := range propagated {
		if value := in.Header.Get(name); value != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(name), value)
		}
	}
	var n wrapperspb.Int32Value
	err := c.conn.Invoke(ctx, starsMethod, wrapperspb.String(id), &n)
	return n.Value, err
}
