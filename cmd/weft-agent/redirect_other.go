//go:build !linux

package main

import (
	"context"
	"errors"
)

func redirectTraffic(context.Context, []string) (int, error) {
	return exitFailed, errors.New("redirection needs nftables, which Linux has; here applications reach their proxy by $HTTP_PROXY")
}
