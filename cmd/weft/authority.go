package main

import (
	"time"

	"weft.dev/identity"
)

// openAuthority reads the certificate authority and the join tokens, or founds them.
func openAuthority(dir, trust string) (identity.Authority, error) {
	return openAuthorityIn(identity.Dir(dir), trust)
}

func openAuthorityIn(files identity.Files, trust string) (identity.Authority, error) {
	ca, err := identity.OpenCA(files, trust, time.Now)
	if err != nil {
		return identity.Authority{}, err
	}
	tokens, err := identity.OpenTokens(files, time.Now)
	if err != nil {
		return identity.Authority{}, err
	}
	previews, err := identity.OpenPreviews(files, time.Now)
	return identity.Authority{CA: ca, Tokens: tokens, Previews: previews}, err
}
