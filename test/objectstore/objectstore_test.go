package objectstore_test

import (
	"net/http"
	"testing"

	"weft.dev/test/objectstore"
)

func TestStart(t *testing.T) {
	answer, err := http.Get(objectstore.Start(t) + "/" + objectstore.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the bucket: %s", answer.Status)
	}
}
