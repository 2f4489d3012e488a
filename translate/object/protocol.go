package object

import (
	"strings"

	"weft.dev/model"
)

// protocols are the words by which ports name what they speak.
var protocols = map[string]model.Protocol{
	"http": model.HTTP, "http2": model.HTTP2, "grpc": model.HTTP2, "grpc-web": model.HTTP, "kubernetes.io/h2c": model.HTTP2,
	"h2c": model.HTTP2, "kubernetes.io/ws": model.HTTP, "https": model.TLS, "kubernetes.io/wss": model.TLS, "tls": model.TLS,
	"tcp": model.TCP, "mysql": model.TCP, "mongo": model.TCP, "redis": model.TCP,
}

// Protocol reads what a port says it speaks: a word or, if that is empty, the
// prefix of the port's name ("http-web"). It is TCP where nothing says more, and
// false where the word is none that weft knows.
func Protocol(word, name string) (model.Protocol, bool) {
	if word != "" {
		p, ok := protocols[strings.ToLower(word)]
		if !ok {
			return model.TCP, false
		}
		return p, true
	}
	name = strings.ToLower(name)
	if name == "grpc-web" || strings.HasPrefix(name, "grpc-web-") {
		return model.HTTP, true
	}
	prefix, _, _ := strings.Cut(name, "-")
	if p, ok := protocols[prefix]; ok {
		return p, true
	}
	return model.TCP, true
}
