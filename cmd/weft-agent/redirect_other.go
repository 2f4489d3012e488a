//go:build !linux

package main

import (
	"context"
	"errors"

	"weft.dev/agent"
)

var errNoRedirection = errors.New("redirection needs nftables, which Linux has; here applications reach their proxy by $HTTP_PROXY")

func redirectTraffic(context.Context, []string) (int, error) { return exitFailed, errNoRedirection }

func redirection(excludeFlags) (agent.Redirection, error) { return nil, errNoRedirection }
