package explain

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"

	"weft.dev/compile"
)

func faultOf(r *routev3.Route) *faultv3.HTTPFault {
	f := &faultv3.HTTPFault{}
	if any, ok := r.TypedPerFilterConfig[compile.FaultFilter]; !ok || any.UnmarshalTo(f) != nil {
		return nil
	}
	return f
}

func faultText(f *faultv3.HTTPFault) string {
	var all []string
	if d := f.GetDelay(); d != nil {
		all = append(all, fmt.Sprintf("%s%% wait %s", number(percentOf(d.Percentage)), d.GetFixedDelay().AsDuration()))
	}
	if a := f.GetAbort(); a != nil {
		what := fmt.Sprint(a.GetHttpStatus())
		if a.GetHttpStatus() == 0 {
			what = fmt.Sprintf("gRPC status %d", a.GetGrpcStatus())
		}
		all = append(all, fmt.Sprintf("%s%% are answered with %s", number(percentOf(a.Percentage)), what))
	}
	return strings.Join(all, ", ")
}

// abort is what an aborted request is answered with. A status of gRPC stands in a header, whoever calls.
func abort(a *faultv3.FaultAbort, from []string) refusal {
	if a.GetHttpStatus() == 0 {
		return refusal{200, fmt.Sprintf("fault: gRPC status %d", a.GetGrpcStatus()), from}
	}
	return refusal{a.GetHttpStatus(), "fault", from}
}
