package explain_test

import (
	"math/rand/v2"
	"strings"

	"weft.dev/explain"
	"weft.dev/model"
)

// odd is what stands in paths of those who try whether two readers read alike.
var odd = []string{
	".", "..", "%2e", "%2E%2e", "%61", "%2F", "%5c", `\`, "%", "%zz", "%25", "%2", "~", "%7e", "a;b", "a%20b", "%00", "...", "a%2", "%2561", "+", "a=b", "%c3%a4",
	"..;", ".;", ";", ";..", "..;a=b", ".;a/..", "%2e%2e;", "%2e;x", "..%3b", "%3b", "..;;", ".;.", "a;/..", ";/", "..%00", "..%20", "..%09", ". .", "%2e%2e%2f", "%252e%252e", "..\\", "%%32%65", ":", "@", "*", "!", "'", "\"", "|", "^", "{}", "[]", "<", "`", "..?", "%0a", "%7f", "%80", "%ff", "-", "_", "%5B", "%5d", "%5F", "%3F", "%3A", "%26", "&", ",",
}

var queries = []string{"q=1", "q=2&p=on", "q", "q=", "p=1on&q=1&q=2", "q=%31", "a+b=1", "a%20b=2", "q=1;p=1", "q=%zz", "q=1/../b", "&&q=on", "q=1?q=2", "Q=1", "", "q=1&", "=1", "q==1", "%71=1"}

func randomPath(r *rand.Rand) (path string) {
	for range r.IntN(4) {
		path += "/" + one(r, segments...)
		if chance(r, 8) {
			path += one(r, odd...)
		}
		if chance(r, 10) {
			path += "/" + one(r, odd...)
		}
	}
	if chance(r, 3) {
		path += "?" + one(r, queries...)
	}
	return strings.ReplaceAll(path, " ", "%20")
}

func withParameter(url, name, value string) string {
	if strings.Contains(url, "?") {
		return url + "&" + name + "=" + value
	}
	return url + "?" + name + "=" + value
}

// randomRequest is one to a service, or to a port of a gateway.
func randomRequest(r *rand.Rand, ports []string) explain.Request {
	scheme, authority := "http", serviceHost(r.IntN(services))+one(r, "", "", ":80", ":81")
	if chance(r, 12) {
		authority = one(r, strings.ToUpper(serviceHost(1)), "nowhere.test", "s1.test.", "127.0.0.1", "[::1]", "s2.test") + one(r, "", ":80", ":82", ":080", ":443")
	}
	if len(ports) > 0 {
		var port string
		scheme, port, _ = strings.Cut(one(r, ports...), " ")
		authority = one(r, "a.test", "b.a.test", "c.a.test", "A.test", "x.b.a.test", "y.test", "shop.example.com", "a.test", "b.a.test", "c.a.test", "y.test", one(r, "nowhere", "a.test.", "test", "127.0.0.1")) + ":" + port
	}
	q := explain.Request{Method: one(r, "GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PATCH"), URL: scheme + "://" + authority + randomPath(r), Headers: map[string]string{}}
	for range r.IntN(3) {
		q.Headers[one(r, names[:len(names)-min(1, r.IntN(5))]...)] = one(r, append(values, "", "1,2", "1 2")...)
	}
	if chance(r, 5) {
		q.Headers[model.VersionHeader] = one(r, "s0=v2", "s3=v1,s0=v1", "s6=v2, s9=v2", "s0=v22", "xs0=v2")
	}
	if chance(r, 3) {
		q.Headers["origin"] = one(r, append(origins, "", "https://c.test")...)
		if chance(r, 2) {
			q.Method = "OPTIONS"
		}
		if chance(r, 2) {
			q.Headers["access-control-request-method"] = one(r, "GET", "PUT", "")
		}
	}
	if chance(r, 12) {
		q.Headers["content-type"] = one(r, "application/grpc", "application/grpc+proto", "application/grpc-web", "application/json")
	}
	if chance(r, 12) {
		q.Headers[wanted] = one(r, "500", "418", "404", "200", "429", "503")
	}
	if chance(r, 10) {
		q.Headers["x-limit"] = one(r, "0", "1", "2", "3")
	}
	if chance(r, 30) {
		q.Headers["x-forwarded-proto"] = one(r, "http", "https")
	}
	if chance(r, 40) {
		q.Headers["x-weft-fallback"] = serviceHost(r.IntN(services))
	}
	return q
}
