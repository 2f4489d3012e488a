package store_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weft.dev/snapshot/store"
)

// notary lets through what is signed as "Signature Version 4" of Amazon's
// documentation says, and nothing that is not: moto takes every signature. It is
// written from that text, and not with the library that signs.
type notary struct {
	secret, session string
	next            http.Handler
}

func (n notary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if why := n.fault(r, body); err != nil || why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	n.next.ServeHTTP(w, r)
}

// fault is what is wrong with the signature of a request; "": nothing.
func (n notary) fault(r *http.Request, body []byte) string {
	field := map[string]string{} // of the header Authorization
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[name] = value
	}
	sum := sha256.Sum256(body)
	names := strings.Split(field["SignedHeaders"], ";")
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(names, name) {
			return "nobody signed " + name
		}
	}
	_, scope, _ := strings.Cut(field["Credential"], "/")
	switch {
	case !strings.HasSuffix(scope, "/us-east-1/s3/aws4_request"):
		return "it is signed for elsewhere: " + scope
	case r.Header.Get("X-Amz-Security-Token") != n.session:
		return "of another session"
	case !slices.Contains(names, "host"):
		return "nobody signed host"
	case r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]):
		return "another body was signed"
	case n.signature(r, names, scope) != field["Signature"]:
		return "SignatureDoesNotMatch"
	}
	return ""
}

// signature of the request, with these headers, in a scope: DAY/REGION/s3/aws4_request.
func (n notary) signature(r *http.Request, names []string, scope string) string {
	var pairs, headers []string
	for name, values := range r.URL.Query() {
		pairs = append(pairs, strictly(name)+"="+strictly(values[0]))
	}
	slices.Sort(pairs)
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers = append(headers, name+":"+strings.TrimSpace(value)+"\n")
	}
	path := strings.ReplaceAll(strictly(r.URL.Path), "%2F", "/")
	request := sha256.Sum256([]byte(strings.Join([]string{
		r.Method, path, strings.Join(pairs, "&"), strings.Join(headers, ""), strings.Join(names, ";"), r.Header.Get("X-Amz-Content-Sha256"),
	}, "\n")))
	key := []byte("AWS4" + n.secret)
	for word := range strings.SplitSeq(scope, "/") {
		key = digest(key, word)
	}
	return hex.EncodeToString(digest(key, fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", r.Header.Get("X-Amz-Date"), scope, request)))
}

func digest(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// strictly escapes all but what RFC 3986 leaves alone everywhere.
func strictly(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// The example of Amazon's documentation, "GET Object".
func TestNotary(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://examplebucket.s3.amazonaws.com/test.txt", nil)
	r.Header.Set("Range", "bytes=0-9")
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	r.Header.Set("X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"+
		"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
	n := notary{secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	if why := n.fault(r, nil); why != "" {
		t.Error(why)
	}
	for name, change := range map[string]func(){
		"another body was signed": func() { r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) },
		"nobody signed x-amz-acl": func() { r.Header.Set("X-Amz-Acl", "public-read") },
	} {
		whole := r.Header.Clone()
		if change(); n.fault(r, nil) != name {
			t.Errorf("%q, want %q", n.fault(r, nil), name)
		}
		r.Header = whole
	}
}

// everything is there, and each folder is empty.
var everything = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"1"`)
	_, _ = io.WriteString(w, "<ListBucketResult/>")
})

// Whatever is asked of an S3 store is signed so that Amazon's would take it.
func TestSignature(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, session := range []string{"", "a session/+="} {
		t.Setenv("AWS_SESSION_TOKEN", session)
		for _, secret := range []string{"secret", "another"} {
			server := httptest.NewServer(notary{secret, session, everything})
			s, err := store.OpenWriter("s3://bucket/a prefix+=é!", server.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, list := s.(store.Lister).List(t.Context(), "views/a b")
			_, _, read := s.Read(t.Context(), "index", "", 100)
			for what, err := range map[string]error{
				"swap": s.Swap(t.Context(), "index", "", []byte("one")), "put": s.Put(t.Context(), "views/1", []byte("x")),
				"list": list, "read": read, "remove": s.(store.Lister).Remove(t.Context(), "views/1"),
			} {
				if refused := err != nil && strings.Contains(err.Error(), "SignatureDoesNotMatch"); refused != (secret != "secret") || err != nil && !refused {
					t.Errorf("%s with the session token %q, signed as %q: %v", what, session, secret, err)
				}
			}
			server.Close()
		}
	}
}
