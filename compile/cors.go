package compile

import (
	"strconv"
	"strings"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

// CORSFilter says which pages of other sites may read answers, as the route says.
const CORSFilter = "envoy.filters.http.cors"

// cors is the filter's configuration for one route. An origin pattern that
// Envoy would refuse allows nobody.
func cors(c model.CORS) *corsv3.CorsPolicy {
	out := &corsv3.CorsPolicy{
		AllowMethods:     strings.Join(c.Methods, ","),
		AllowHeaders:     strings.Join(c.Headers, ","),
		ExposeHeaders:    strings.Join(c.ExposeHeaders, ","),
		AllowCredentials: wrapperspb.Bool(c.Credentials),

		ForwardNotMatchingPreflights: wrapperspb.Bool(!c.Stops),
	}
	if c.MaxAge > 0 {
		out.MaxAge = strconv.Itoa(int(c.MaxAge.Seconds()))
	}
	for _, origin := range c.Origins {
		if origin.IsZero() {
			continue
		}
		if m, err := stringMatcher(origin); err == nil {
			out.AllowOriginStringMatch = append(out.AllowOriginStringMatch, m)
		}
	}
	return out
}
