package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// unpacked are the files of an archive.
func unpacked(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(header.Name, "weft-bug-report/")] = string(content)
	}
}

// What is not to be had says why, what is too much is cut, and both are said to be there.
func TestReportIsBounded(t *testing.T) {
	var packed, said bytes.Buffer
	big := bytes.Repeat([]byte("a"), maxReported+1000)
	parts := []part{
		{"a.txt", func() ([]byte, error) { return []byte("well"), nil }},
		{"b.txt", func() ([]byte, error) { return nil, errors.New("no, by token=PLANTED") }},
	}
	for range maxReport/maxReported + 2 {
		parts = append(parts, part{"big.txt", func() ([]byte, error) { return bytes.Clone(big), nil }})
	}
	if err := writeReport(&packed, parts, &said); err != nil {
		t.Fatal(err)
	}
	files := unpacked(t, packed.Bytes())
	if files["a.txt"] != "well" || !strings.HasPrefix(files["b.txt.missing"], "no, by token=") || strings.Contains(files["b.txt.missing"], "PLANTED") {
		t.Errorf("%q, %q", files["a.txt"], files["b.txt.missing"])
	}
	if size := len(files["big.txt"]); size > 100 { // the last of them, for which there is no room
		t.Errorf("the last file has %d bytes: the whole is not bounded", size)
	}
	if strings.Count(said.String(), "big.txt") != maxReport/maxReported+2 || !strings.Contains(said.String(), "b.txt.missing") {
		t.Errorf("said\n%s", &said)
	}
}

func TestLogTail(t *testing.T) {
	var tail logTail
	for range 100_000 {
		_, _ = tail.Write([]byte("a line of the log\n"))
	}
	if text := tail.String(); len(text) > maxTail || len(text) < maxTail/2 || !strings.HasPrefix(text, "a line") {
		t.Errorf("%d bytes, beginning with %.20q", len(text), text)
	}
}
