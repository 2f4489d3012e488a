package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// defaultRegion is what a signature names where nobody names another.
const defaultRegion = "us-east-1"

// finder asks the machine's own services for credentials, which answer at once
// where there are any.
var finder = &http.Client{Timeout: 5 * time.Second}

// s3 is a web server that wants its requests signed, and that lists files.
type s3 struct {
	web
	target string // as people write it
	bucket *url.URL
	prefix string // of the names of all files: "", or it ends with a slash
	region string
	keys   *credentials.Credentials
}

// openS3 finds the credentials where Amazon's tools find them: environment, files,
// and the services of EC2, ECS and EKS. Without any the requests are not signed.
func openS3(target *url.URL, endpoint string) (Writer, error) {
	s := &s3{
		target: target.Redacted(), prefix: strings.TrimPrefix(strings.Trim(target.Path, "/")+"/", "/"),
		region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), defaultRegion),
		keys:   credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}}),
	}
	var err error
	endpoint = cmp.Or(endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	if s.bucket, err = url.Parse(bucketURL(target.Host, endpoint, s.region)); err != nil || s.bucket.Host == "" {
		return nil, fmt.Errorf("endpoint %q: want http(s)://HOST", endpoint)
	}
	s.web = web{base: s.bucket.JoinPath(s.prefix), sign: s.signed}
	return s, nil
}

// bucketURL has the bucket in its path where it cannot be in the name of a host:
// other servers have no such names, and no certificate is for a name with more dots.
func bucketURL(bucket, endpoint, region string) string {
	if endpoint == "" && !strings.Contains(bucket, ".") {
		return fmt.Sprintf("https://%s.s3.%s.amazonaws.com", bucket, region)
	}
	return strings.TrimSuffix(cmp.Or(endpoint, "https://s3."+region+".amazonaws.com"), "/") + "/" + bucket
}

func (s *s3) String() string { return s.target }

func (s *s3) signed(r *http.Request, body []byte) (*http.Request, error) {
	keys, err := s.keys.GetWithContext(&credentials.CredContext{Client: finder, Context: r.Context()})
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", s, err)
	}
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	return signer.SignV4(*r, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, s.region), nil
}

// listing is a page of ListObjectsV2.
type listing struct {
	Contents []struct {
		Key          string
		LastModified time.Time
	}
	NextContinuationToken string
}

// maxListing is how long a page may be, bytes: it has at most a thousand names.
const maxListing = 4 << 20

func (s *s3) List(ctx context.Context, folder string) (all []Entry, err error) {
	query := url.Values{"list-type": {"2"}, "prefix": {s.prefix + folder}}
	for {
		page, err := s.page(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list of %s: %w", s, err)
		}
		for _, one := range page.Contents {
			all = append(all, Entry{strings.TrimPrefix(one.Key, s.prefix), one.LastModified})
		}
		if page.NextContinuationToken == "" {
			return all, nil
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}

func (s *s3) page(ctx context.Context, query url.Values) (page listing, err error) {
	at := *s.bucket
	at.RawQuery = query.Encode()
	answer, err := s.do(ctx, http.MethodGet, &at, http.Header{}, nil)
	if err != nil {
		return page, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return page, refusal(answer)
	}
	data, err := readAll(answer.Body, maxListing)
	if err != nil {
		return page, err
	}
	return page, xml.Unmarshal(data, &page)
}

func (s *s3) Remove(ctx context.Context, name string) error {
	answer, err := s.do(ctx, http.MethodDelete, s.base.JoinPath(name), http.Header{}, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK, http.StatusNoContent, http.StatusNotFound:
		return nil
	}
	return refusal(answer)
}
