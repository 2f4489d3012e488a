package istio

import (
	"slices"
	"strconv"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// grpcCodes are gRPC's status codes by their number.
var grpcCodes = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
	"DATA_LOSS", "UNAUTHENTICATED",
}

func fault(o *object.Object, at object.Path, f *networking.HTTPFaultInjection) *model.Fault {
	if f == nil {
		return nil
	}
	out := &model.Fault{}
	if d := f.GetDelay(); d.GetFixedDelay() != nil {
		place := at.Dot("delay")
		out.Delay = o.Duration(place.Dot("fixedDelay"), d.GetFixedDelay())
		out.DelayPercent = share(o, place, d.Percentage)
		if d.Percentage == nil && d.Percent > 0 { //nolint:staticcheck // old objects have it
			out.DelayPercent = o.Percent(place.Dot("percent"), float64(d.Percent)) //nolint:staticcheck
		}
	}
	if a := f.GetAbort(); a != nil {
		abort(o, at.Dot("abort"), a, out)
	}
	if out.Delay == 0 && out.AbortStatus == 0 && out.AbortGRPC == nil {
		return nil
	}
	return out
}

func abort(o *object.Object, at object.Path, a *networking.HTTPFaultInjection_Abort, out *model.Fault) {
	switch kind := a.ErrorType.(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		if kind.HttpStatus < 200 || kind.HttpStatus > 599 {
			o.Invalid(at.Dot("httpStatus"), "%d is no status of a response; write 200 to 599", kind.HttpStatus)
			return
		}
		out.AbortStatus = uint32(kind.HttpStatus)
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		code := slices.Index(grpcCodes, kind.GrpcStatus)
		if n, err := strconv.ParseUint(kind.GrpcStatus, 10, 8); err == nil && int(n) < len(grpcCodes) {
			code = int(n)
		}
		if code < 0 {
			o.Invalid(at.Dot("grpcStatus"), "%q is no gRPC status; write one such as UNAVAILABLE", kind.GrpcStatus)
			return
		}
		number := uint32(code)
		out.AbortGRPC = &number
	default:
		return
	}
	out.AbortPercent = share(o, at, a.Percentage)
}

func cors(o *object.Object, at object.Path, c *networking.CorsPolicy) *model.CORS {
	if c == nil {
		return nil
	}
	out := &model.CORS{
		Methods: c.AllowMethods, Headers: c.AllowHeaders, ExposeHeaders: c.ExposeHeaders,
		Credentials: c.AllowCredentials.GetValue(),
	}
	if c.MaxAge != nil {
		out.MaxAge = o.Duration(at.Dot("maxAge"), c.MaxAge)
	}
	for _, origin := range c.AllowOrigin { //nolint:staticcheck // old objects have it
		out.Origins = append(out.Origins, model.StringMatch{Exact: origin})
	}
	for i, origin := range c.AllowOrigins {
		if m, ok := stringMatch(o, at.Dot("allowOrigins").At(i), origin); ok {
			out.Origins = append(out.Origins, m)
		}
	}
	out.Stops = c.UnmatchedPreflights == networking.CorsPolicy_IGNORE
	return out
}
