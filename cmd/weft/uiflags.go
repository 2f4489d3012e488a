package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// uiFlags are where people sign in to the pages, and how.
type uiFlags struct {
	address, certificate, key string
	url                       string // that people open
	issuer, client            string // of OpenID Connect
	secret, ca                string // files
	nameClaim, groupsClaim    string
	scopes                    []string
	prefix                    string // of names in a cluster
}

func (f *uiFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.address, "ui", "", "host:port where people sign in to the web UI; none: by weft ui alone (docs/guides/ui.md)")
	c.Flags().StringVar(&f.certificate, "ui-certificate", "", "with --ui: file with the certificate for TLS; none: on loopback, or something before it ends TLS")
	c.Flags().StringVar(&f.key, "ui-key", "", "with --ui: file with the certificate's key")
	c.Flags().StringVar(&f.url, "ui-url", "", "with --ui: URL that people open, such as https://weft.example.com/mesh, where something is before it or people come by OpenID Connect")
	c.Flags().StringVar(&f.prefix, "ui-prefix", "sso:", "with --ui and --kube: what the names and groups of people who sign in begin with in the cluster, so that none is the cluster's own")
	c.Flags().StringVar(&f.issuer, "oidc-issuer", "", "with --ui: URL of the OpenID Connect provider that knows people; none: they sign in by weft user token")
	c.Flags().StringVar(&f.client, "oidc-client", "", "with --oidc-issuer: id of weft there")
	c.Flags().StringVar(&f.secret, "oidc-secret", "", "with --oidc-issuer: file with weft's secret there; none: it has none")
	c.Flags().StringVar(&f.ca, "oidc-ca", "", "with --oidc-issuer: file with the certificates that its own is signed by; none: the system's")
	c.Flags().StringVar(&f.nameClaim, "oidc-name", "email", "with --oidc-issuer: claim that says who somebody is")
	c.Flags().StringVar(&f.groupsClaim, "oidc-groups", "groups", "with --oidc-issuer: claim that lists their groups, which roles name")
	c.Flags().StringSliceVar(&f.scopes, "oidc-scope", []string{"profile", "email"}, "with --oidc-issuer: scope that is asked for, beside openid (repeatable)")
}

func (f *uiFlags) check(flags serveFlags) error {
	at, err := url.Parse(f.url)
	switch {
	case f.address == "" && (f.certificate+f.key+f.url+f.issuer != ""):
		return errors.New("--ui-certificate, --ui-key, --ui-url and --oidc-issuer are for the port of --ui: give that, too")
	case f.address == "":
		return nil
	case (f.certificate == "") != (f.key == ""):
		return errors.New("--ui-certificate and --ui-key go together: give both, or none behind something that ends TLS")
	case f.url != "" && (err != nil || at.Host == "" || at.Scheme != "https" && !isLoopback(at.Host) || at.RawQuery+at.Fragment != ""):
		return fmt.Errorf("--ui-url %s: want what people open, https://HOST/PATH", f.url)
	case f.certificate == "" && !isHTTPS(f.url) && !isLoopback(f.address):
		return fmt.Errorf("--ui %s: sign-in without TLS is for loopback alone: give --ui-certificate and --ui-key, or the --ui-url of what ends TLS before it", f.address)
	case (f.issuer == "") != (f.client == ""):
		return errors.New("--oidc-issuer and --oidc-client go together: give both, or none")
	case f.issuer != "" && (f.url == "" || !isHTTPS(f.issuer)):
		return errors.New("--oidc-issuer: want an https URL, and --ui-url, to which the provider sends people back")
	case flags.kube:
		return checkPrefix(f.prefix)
	}
	return nil
}

// serve lets people sign in until ctx ends.
func (f *uiFlags) serve(ctx context.Context, gate gate, book book) error {
	at, err := url.Parse(f.url)
	if err != nil {
		return err // it was checked
	}
	s := newSignIn(ctx, gate, book, at)
	if f.issuer != "" {
		if s.provider, err = f.provider(ctx); err != nil {
			return err
		}
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("--ui %s: %w; choose another one", f.address, err)
	}
	if f.certificate != "" {
		listener = tls.NewListener(listener, renewedTLS(f.certificate, f.key))
	}
	go func() { _ = every(ctx, bookFor, s.sessions.sweep) }() // which ends with ctx alone
	return serveHTTP(ctx, listener, handler)
}

func (f *uiFlags) provider(ctx context.Context) (*oidcProvider, error) {
	secret, err := readFlag("--oidc-secret", f.secret)
	if err != nil {
		return nil, err
	}
	pem, err := readFlag("--oidc-ca", f.ca)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if f.ca != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(pem)) {
			return nil, fmt.Errorf("--oidc-ca %s: it has no certificate in PEM", f.ca)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	return newOIDCProvider(ctx, *f, strings.TrimSpace(secret), &http.Client{Transport: transport, Timeout: providerTime})
}

func readFlag(name, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(text), nil
}
