package folder

import (
	"testing"

	"weft.dev/test/gitserver"
)

// What is pushed is what the traffic of an Envoy does; while the repository is away, also
// over a restart, it does what was pushed last. No request fails meanwhile.
func TestGit(t *testing.T) {
	s := emptySite(t)
	repository := gitserver.New(t)
	for _, name := range []string{"a", "b"} {
		repository.Write("deploy/"+name+".yaml", service(name, s.backend(name)))
	}
	repository.Write("deploy/web.yaml", route("a"))
	first := repository.Push()
	s.from = []string{"--git", repository.URL, "--git-dir", "deploy", "--git-interval", "1s"}
	s.serve()
	envoy := s.envoy("shop/web", "DELTA_GRPC", s.xds)
	envoy.call("http://a.example.com/", "a")
	envoy.call("http://b.example.com/", "b")
	load := envoy.load("http://b.example.com/")
	s.says("status", "0 problems, commit "+first)
	s.says("explain shop/web GET http://a.example.com/", "(deploy/web.yaml:7)")

	repository.Write("deploy/web.yaml", route("b"))
	second := repository.Push()
	envoy.call("http://a.example.com/", "b")
	s.says("status", "0 problems, commit "+second)

	repository.Away.Store(true)
	s.says("status", "1 problems, commit "+second)
	s.server.kill()
	s.begin()
	s.says("status", "1 of 1 proxies current, 1 problems, commit "+second)
	s.first(envoy.client, "http://a.example.com/", "b")

	repository.Git("reset", "--quiet", "--hard", first)
	repository.Push()
	repository.Away.Store(false)
	envoy.call("http://a.example.com/", "a")
	s.says("status", "0 problems, commit "+first)
	if good := load(); good == 0 {
		t.Error("no request was made: nothing was proved")
	}
}
