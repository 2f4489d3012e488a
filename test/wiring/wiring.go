// Package wiring leads what people write to the compiler, as cmd/weft does where every proxy knows all.
package wiring

import (
	"weft.dev/compile"
	"weft.dev/scope"
	"weft.dev/translate/join"
)

// Inputs are all rows that are translated.
func Inputs(rows *join.Mesh) compile.Inputs {
	return compile.Inputs{
		Services: rows.Services, Replicas: rows.Replicas, Cohorts: scope.Cohorts(rows.Replicas), RouteTables: rows.Routes, Policies: rows.Policies, Splits: rows.Splits,
		Concurrencies: rows.Concurrencies, Inbounds: rows.Inbounds, Gateways: rows.Gateways, Certificates: rows.Certificates, EnvoyFilters: rows.EnvoyFilters, RateLimits: rows.RateLimits, Telemetries: rows.Telemetries,
		PeerAuths: rows.PeerAuths, Authorizations: rows.Authorizations, RequestAuths: rows.RequestAuths, Authorizers: rows.Authorizers, Plugins: rows.Plugins,
	}
}
