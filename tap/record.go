package tap

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	alsv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"weft.dev/model"
)

const maxText = 256 // bytes that are kept of what a caller chose

// Record is one request, as one proxy saw it end.
type Record struct {
	Time     time.Time `json:"time"`           // when it began
	Proxy    string    `json:"proxy"`          // NAMESPACE/NAME of the workload whose proxy saw it
	Side     string    `json:"side"`           // in: it came to the workload; out: the workload made it, or it came to a gateway
	From     string    `json:"from,omitempty"` // the workload that made it; of one that came, who its certificate says made it
	To       string    `json:"to"`             // the service's host; where none is known what was asked for
	Version  string    `json:"version,omitempty"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"`              // without its query
	Status   uint32    `json:"status"`            // 0: there was no answer
	Ms       float64   `json:"ms"`                // until its last byte
	Attempts uint32    `json:"attempts"`          // 0: it was sent to nobody
	Flags    []string  `json:"flags,omitempty"`   // what went wrong, in Envoy's words
	Details  string    `json:"details,omitempty"` // how it ended, in Envoy's word
	Failure  string    `json:"failure,omitempty"` // of the connection
	Route    string    `json:"route,omitempty"`
	Because  []string  `json:"because,omitempty"` // objects that caused the route, with file and line where known
	Cluster  string    `json:"cluster,omitempty"`
	Endpoint string    `json:"endpoint,omitempty"`
	ID       string    `json:"id,omitempty"` // x-request-id
}

// Failed says whether the caller saw a failure.
func (r Record) Failed() bool { return r.Status == 0 || r.Status >= 500 }

// records are those of a batch, in its order. What cannot be read has none.
func records(proxy string, batch []byte) (all []Record) {
	m := &alsv3.StreamAccessLogsMessage{}
	if proto.Unmarshal(batch, m) != nil {
		return nil
	}
	for _, e := range m.GetHttpLogs().GetLogEntry() {
		all = append(all, record(proxy, e))
	}
	return all
}

func record(proxy string, e *datav3.HTTPAccessLogEntry) Record {
	c, q := e.GetCommonProperties(), e.GetRequest()
	path, _, _ := strings.Cut(q.GetPath(), "?")
	r := Record{
		Time: c.GetStartTime().AsTime(), Proxy: proxy, Side: c.GetCustomTags()[model.TapSide],
		Method: q.GetRequestMethod().String(), Host: cut(q.GetAuthority()), Path: cut(path),
		Status: e.GetResponse().GetResponseCode().GetValue(), Ms: float64(c.GetDuration().AsDuration().Microseconds()) / 1000,
		Attempts: c.GetUpstreamRequestAttemptCount(), Flags: flags(c.GetResponseFlags()), Details: e.GetResponse().GetResponseCodeDetails(),
		Failure: c.GetUpstreamTransportFailureReason(), Route: c.GetRouteName(), Cluster: c.GetUpstreamCluster(),
		Endpoint: addressText(c.GetUpstreamRemoteAddress()), ID: cut(q.GetRequestId()), To: cut(q.GetAuthority()),
	}
	_ = json.Unmarshal([]byte(c.GetCustomTags()[model.TapFrom]), &r.Because) // of no route there is none
	switch to, ok := model.ParseDestination(r.Cluster); {
	case r.Side == model.TapIn:
		r.From, r.To = caller(c), proxy
	case ok:
		r.From, r.To, r.Version = proxy, to.Host, to.Version
	default:
		r.From = proxy
	}
	return r
}

// cut bounds what is kept of a text that a caller chose, and makes it one that a terminal only shows.
func cut(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text[:min(len(text), maxText)])
}

// caller is who the certificate of a connection names; without one its address.
func caller(c *datav3.AccessLogCommon) string {
	for _, name := range c.GetTlsProperties().GetPeerCertificateProperties().GetSubjectAltName() {
		if id, err := url.Parse(name.GetUri()); err == nil && id.Scheme == "spiffe" {
			if parts := strings.Split(id.Path, "/"); len(parts) == 5 && parts[1] == "ns" && parts[3] == "sa" {
				return parts[2] + "/" + parts[4]
			}
		}
	}
	return c.GetDownstreamDirectRemoteAddress().GetSocketAddress().GetAddress()
}

func addressText(a *corev3.Address) string {
	if s := a.GetSocketAddress(); s != nil {
		return fmt.Sprintf("%s:%d", s.GetAddress(), s.GetPortValue())
	}
	return ""
}

// flags are the names of what is set.
func flags(f *datav3.ResponseFlags) (all []string) {
	f.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		all = append(all, strings.ReplaceAll(string(field.Name()), "_", " "))
		return true
	})
	return all
}
