package compile

import (
	"math"

	commonfaultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// FaultFilter delays and aborts requests as the route says.
const FaultFilter = "envoy.filters.http.fault"

// fault is the filter's configuration for one route.
func fault(f model.Fault) *faultv3.HTTPFault {
	out := &faultv3.HTTPFault{}
	if f.Delay > 0 && f.DelayPercent > 0 {
		out.Delay = &commonfaultv3.FaultDelay{
			FaultDelaySecifier: &commonfaultv3.FaultDelay_FixedDelay{FixedDelay: durationpb.New(f.Delay)},
			Percentage:         fraction(f.DelayPercent),
		}
	}
	switch {
	case f.AbortPercent <= 0:
	case f.AbortGRPC != nil:
		out.Abort = &faultv3.FaultAbort{ErrorType: &faultv3.FaultAbort_GrpcStatus{GrpcStatus: *f.AbortGRPC}, Percentage: fraction(f.AbortPercent)}
	case f.AbortStatus >= 200 && f.AbortStatus < 600:
		out.Abort = &faultv3.FaultAbort{ErrorType: &faultv3.FaultAbort_HttpStatus{HttpStatus: f.AbortStatus}, Percentage: fraction(f.AbortPercent)}
	}
	return out
}

// fraction is a percentage to four decimals.
func fraction(percent float64) *typev3.FractionalPercent {
	percent = min(max(percent, 0), 100)
	return &typev3.FractionalPercent{
		Numerator:   uint32(math.Round(percent * 10_000)),
		Denominator: typev3.FractionalPercent_MILLION,
	}
}
