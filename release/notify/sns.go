package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SNS publishes to a topic of AWS.
type SNS struct {
	Client      *http.Client
	Topic       string // its ARN
	URL         string // of the API; "": that of the topic's region
	Credentials Credentials
	Now         func() time.Time
}

// Credentials of AWS. Session is empty for those that do not expire.
type Credentials struct{ ID, Secret, Session string }

// Edits is false.
func (SNS) Edits() bool { return false }

// maxSubject of SNS, in bytes.
const maxSubject = 99

// Send publishes.
func (s SNS) Send(ctx context.Context, m Message, _ string) (string, error) {
	region, err := regionOf(s.Topic)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {s.Topic},
		"Subject": {ascii(m.Title, maxSubject)}, "Message": {m.head() + "\n" + m.body()},
	}
	if strings.HasSuffix(s.Topic, ".fifo") {
		form.Set("MessageGroupId", m.About)
		form.Set("MessageDeduplicationId", hex.EncodeToString(digest([]byte(m.About+"/"+m.Occasion))))
	}
	to := s.URL
	if to == "" {
		to = "https://sns." + region + ".amazonaws.com/"
	}
	body := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%w: the url of SNS is none", ErrRefused)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	s.Credentials.sign(request, body, region, "sns", s.Now())
	_, err = post(s.Client, request)
	return "sent", err
}

// regionOf is that of an ARN: arn:aws:sns:REGION:ACCOUNT:NAME.
func regionOf(arn string) (string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[3] == "" {
		return "", fmt.Errorf("%w: topic %q is no ARN", ErrRefused, arn)
	}
	return parts[3], nil
}

// ascii is a subject that SNS takes.
func ascii(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '-'
		}
		return r
	}, text)
	return text[:min(len(text), limit)]
}

// sign adds AWS's signature, version 4, of a request without a query.
func (c Credentials) sign(request *http.Request, body, region, service string, now time.Time) {
	at := now.UTC().Format("20060102T150405Z")
	day := at[:8]
	request.Header.Set("X-Amz-Date", at)
	names, lines := "content-type;host;x-amz-date", fmt.Sprintf("content-type:%s\nhost:%s\nx-amz-date:%s\n", request.Header.Get("Content-Type"), request.URL.Host, at)
	if c.Session != "" {
		request.Header.Set("X-Amz-Security-Token", c.Session)
		names, lines = names+";x-amz-security-token", lines+"x-amz-security-token:"+c.Session+"\n"
	}
	path := request.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	canonical := strings.Join([]string{request.Method, path, "", lines, names, hex.EncodeToString(digest([]byte(body)))}, "\n")
	scope := strings.Join([]string{day, region, service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", at, scope, hex.EncodeToString(digest([]byte(canonical)))}, "\n")
	key := []byte("AWS4" + c.Secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = keyed(key, part)
	}
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", c.ID, scope, names, hex.EncodeToString(keyed(key, text))))
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func keyed(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
