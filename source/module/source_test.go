package module

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"weft.dev/dial"
	"weft.dev/model"
)

var loopback = dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Flag: "--modules-allow"}

func nobody(string) (model.PullSecret, bool) { return model.PullSecret{}, false }

const good = magic + "\x01\x00\x00\x00"

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Whatever a web server answers, it is a module, or an error that says what was wrong.
func TestFiles(t *testing.T) {
	mux := http.NewServeMux()
	say := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
	say("/good", good)
	say("/html", "<!doctype html><title>Sign in</title>")
	say("/huge", good+strings.Repeat("x", model.MaxModule))
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := asker{loopback.Client(), nobody}
	for _, c := range []struct{ path, digest, want string }{
		{"/good", "", ""}, {"/good", digestOf(good), ""},
		{"/good", digestOf("else"), "its SHA-256 is " + digestOf(good)},
		{"/html", "", "no module of WebAssembly"}, {"/huge", "", "more than 16777216 bytes"}, {"/gone", "", "answers with 404"},
		{"/metadata", "", "169.254.169.254:80 is not a public address"},
	} {
		code, err := ask.code(t.Context(), model.ModuleSource{URL: server.URL + c.path, Digest: c.digest})
		if c.want == "" && (err != nil || code != good) || c.want != "" && (code != "" || err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %q, %v; want %q", c.path, c.digest, code, err, c.want)
		}
	}
	if _, err := (asker{dial.Guard{Flag: "--modules-allow"}.Client(), nobody}).code(t.Context(), model.ModuleSource{URL: server.URL + "/good"}); err == nil || !strings.Contains(err.Error(), "--modules-allow") {
		t.Errorf("an address that nobody named: %v", err)
	}
}

// registry serves images as the registries of clouds do: who has no token is sent for one first.
type registry struct {
	blobs     map[string]string // by digest
	manifests map[string]string // by tag and digest
	types     map[string]string // of manifests
	url       string
	password  string // "": anybody gets a token
}

func (r *registry) put(text string) map[string]any {
	r.blobs["sha256:"+digestOf(text)] = text
	return map[string]any{"digest": "sha256:" + digestOf(text), "size": len(text)}
}

func (r *registry) layer(mediaType, text string) map[string]any {
	l := r.put(text)
	l["mediaType"] = mediaType
	return l
}

// tag is an image of one layer; it returns the digest of its manifest.
func (r *registry) tag(name string, layers ...map[string]any) string {
	config := r.put("{}")
	config["mediaType"] = "application/vnd.oci.image.config.v1+json"
	return r.manifest(name, "application/vnd.oci.image.manifest.v1+json", map[string]any{"schemaVersion": 2, "config": config, "layers": layers})
}

func (r *registry) manifest(name, mediaType string, what map[string]any) string {
	what["mediaType"] = mediaType
	text, _ := json.Marshal(what) // of a map of plain values
	digest := digestOf(string(text))
	for _, as := range []string{name, "sha256:" + digest} {
		r.manifests[as], r.types[as] = string(text), mediaType
	}
	return digest
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/token" {
		if _, password, _ := q.BasicAuth(); r.password != password {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"token":"anybody"}`)
		return
	}
	if q.Header.Get("Authorization") != "Bearer anybody" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="r",scope="repository:team/plugin:pull"`, r.url))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, last, _ := strings.Cut(q.URL.Path, "/v2/team/plugin/")
	kind, name, _ := strings.Cut(last, "/")
	text, ok := r.blobs[name]
	if kind == "manifests" {
		text, ok = r.manifests[name]
		w.Header().Set("Content-Type", r.types[name])
		w.Header().Set("Docker-Content-Digest", "sha256:"+digestOf(text))
	}
	if !ok {
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	if q.Method != http.MethodHead {
		fmt.Fprint(w, text)
	}
}

func packed(t *testing.T, name, content string) string {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	files := tar.NewWriter(zip)
	if err := files.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	_, err := files.Write([]byte(content))
	if err != nil || files.Close() != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A module comes from an image as people build them: a layer by itself, or a file of a layer.
func TestImages(t *testing.T) {
	const layer = "application/vnd.oci.image.layer.v1.tar+gzip"
	r := &registry{blobs: map[string]string{}, manifests: map[string]string{}, types: map[string]string{}}
	server := httptest.NewServer(r)
	defer server.Close()
	r.url = server.URL
	bareDigest := r.tag("bare", r.layer("application/vnd.module.wasm.content.layer.v1+wasm", good))
	r.tag("file", r.layer(layer, packed(t, "etc/x", "x")), r.layer(layer, packed(t, "./plugin.wasm", good)))
	r.tag("nofile", r.layer(layer, packed(t, "other.wasm", good)))
	r.tag("notwasm", r.layer("application/wasm", "#!/bin/sh"))
	r.tag("nolayer")
	huge := r.layer("application/wasm", good)
	huge["size"] = model.MaxModule + 1
	r.tag("huge", huge)
	forged := map[string]any{"digest": "sha256:" + digestOf("else"), "size": len(good), "mediaType": "application/wasm"}
	r.blobs[forged["digest"].(string)] = good
	r.tag("forged", forged)
	r.manifest("index", "application/vnd.oci.image.index.v1+json", map[string]any{"schemaVersion": 2, "manifests": []any{
		map[string]any{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + bareDigest, "size": len(r.manifests["bare"])},
	}})
	at := "oci://" + strings.TrimPrefix(server.URL, "http://") + "/team/plugin"
	ask := asker{loopback.Client(), nobody}
	for _, c := range []struct{ ref, digest, want string }{
		{":bare", "", ""}, {":file", "", ""}, {":index", "", ""}, {"@sha256:" + bareDigest, bareDigest, ""},
		{":bare", digestOf("else"), "its SHA-256 is " + bareDigest},
		{":nofile", "", "no plugin.wasm"}, {":notwasm", "", "no module of WebAssembly"}, {":nolayer", "", "no layer"},
		{":huge", "", "more than 16777216 bytes"}, {":forged", "", "digest"}, {":gone", "", "not found"}, {":b a d", "", "names no image"},
	} {
		code, err := ask.code(t.Context(), model.ModuleSource{URL: at + c.ref, Digest: c.digest})
		if c.want == "" && (err != nil || code != good) || c.want != "" && (code != "" || err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %q, %v; want %q", c.ref, c.digest, code, err, c.want)
		}
	}
}

// A registry that wants to know who asks is asked by the plugin's own Secret.
func TestPullSecrets(t *testing.T) {
	r := &registry{blobs: map[string]string{}, manifests: map[string]string{}, types: map[string]string{}, password: "sesame"}
	server := httptest.NewServer(r)
	defer server.Close()
	r.url = server.URL
	r.tag("v1", r.layer("application/wasm", good))
	host := strings.TrimPrefix(server.URL, "http://")
	config := func(password string) string {
		return fmt.Sprintf(`{"auths":{%q:{"username":"u","password":%q,"auth":%q}}}`, host, password, base64.StdEncoding.EncodeToString([]byte("u:"+password)))
	}
	secrets := map[string]string{"shop/right": config("sesame"), "shop/wrong": config("else"), "shop/broken": "{"}
	ask := asker{loopback.Client(), func(name string) (model.PullSecret, bool) {
		text, ok := secrets[name]
		return model.PullSecret{Name: name, Config: []byte(text)}, ok
	}}
	for secret, want := range map[string]string{"shop/right": "", "": "401", "shop/wrong": "401", "shop/gone": "there is no Secret shop/gone", "shop/broken": "cannot be read"} {
		code, err := ask.code(t.Context(), model.ModuleSource{URL: "oci://" + host + "/team/plugin:v1", Pull: secret})
		if want == "" && (err != nil || code != good) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %q, %v; want %q", secret, code, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: the error tells: %v", secret, err)
		}
	}
}
