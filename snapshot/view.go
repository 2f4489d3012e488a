package snapshot

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"weft.dev/model"
)

// ErrDamaged is of data that cannot be what it should be, whoever made it. To
// fetch it again may help.
var ErrDamaged = errors.New("damaged")

// MaxView is how long a view may be, bytes, compressed or not.
const MaxView = 64 << 20

// viewMagic begins a view, within its compression.
const viewMagic = "weft view 1\n"

// Digest names a view: the SHA-256 of its bytes as they are stored, in hex.
type Digest string

// DigestOf is the digest of a view's bytes.
func DigestOf(view []byte) Digest {
	sum := sha256.Sum256(view)
	return Digest(hex.EncodeToString(sum[:]))
}

// ViewFolder is where views are, beside the index.
const ViewFolder = "views/"

// Path is where the view is, from where the index is.
func (d Digest) Path() string { return ViewFolder + string(d) }

func (d Digest) valid() bool {
	return len(d) == 2*sha256.Size && strings.Trim(string(d), "0123456789abcdef") == ""
}

// EncodeView is a view as it is stored: type, name, aliases, needs and body of each
// resource, in the order in which Envoy is to have them, then by name. Equal resources give
// equal bytes. Two of one type and name are a mistake of the caller, and panic.
func EncodeView(resources []*model.Resource) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // a header without time or name
	_, _ = w.Write(encode(resources))
	_ = w.Close() // a Buffer takes everything
	return b.Bytes()
}

func encode(resources []*model.Resource) []byte {
	all := slices.SortedFunc(slices.Values(resources), compare)
	data := []byte(viewMagic)
	for i, r := range all {
		if i > 0 && compare(all[i-1], r) == 0 {
			panic(fmt.Sprintf("snapshot: two resources %v %q", r.Type, r.Name))
		}
		data = append(data, byte(r.Type))
		data = appendBytes(data, r.Name)
		data = appendTexts(data, r.Aliases)
		data = appendTexts(data, r.Needs)
		data = appendBytes(data, r.Body)
	}
	return data
}

func compare(a, b *model.Resource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

func appendBytes[T string | []byte](to []byte, value T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(value))), value...)
}

func appendTexts(to []byte, texts []string) []byte {
	to = binary.AppendUvarint(to, uint64(len(texts)))
	for _, text := range texts {
		to = appendBytes(to, text)
	}
	return to
}

// DecodeView is the inverse of EncodeView, without From, which is for people. What
// is not a view gives ErrDamaged.
func DecodeView(data []byte) ([]*model.Resource, error) {
	plain, err := unzip(data)
	if err != nil {
		return nil, fmt.Errorf("view: %w: %w", ErrDamaged, err)
	}
	rest, ok := bytes.CutPrefix(plain, []byte(viewMagic))
	if !ok {
		return nil, fmt.Errorf("view: %w: it does not begin with %q; an agent that is older than the publisher does not know what does", ErrDamaged, viewMagic)
	}
	var all []*model.Resource
	for d := (decoder{rest: rest}); len(d.rest) > 0; {
		r := d.resource()
		switch {
		case d.err != nil:
			return nil, fmt.Errorf("view: %w: resource %d: %w", ErrDamaged, len(all), d.err)
		case len(all) > 0 && compare(all[len(all)-1], r) >= 0:
			return nil, fmt.Errorf("view: %w: resource %d: %v %.100q is not in its place", ErrDamaged, len(all), r.Type, r.Name)
		}
		all = append(all, r)
	}
	return all, nil
}

// unzip takes one stream with nothing behind it.
func unzip(data []byte) ([]byte, error) {
	if len(data) > MaxView {
		return nil, fmt.Errorf("%d bytes, more than %d", len(data), MaxView)
	}
	from := bytes.NewReader(data)
	r, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	plain, err := io.ReadAll(io.LimitReader(r, MaxView+1))
	switch {
	case err != nil:
		return nil, err
	case len(plain) > MaxView:
		return nil, fmt.Errorf("more than %d bytes", MaxView)
	case from.Len() > 0:
		return nil, fmt.Errorf("%d bytes follow its end", from.Len())
	}
	return plain, nil
}

// decoder takes values from the front of rest until one is not there.
type decoder struct {
	rest []byte
	err  error
}

var errCut = errors.New("it is cut off")

func (d *decoder) resource() *model.Resource {
	r := model.Resource{Type: model.Type(d.rest[0])}
	if r.Type >= model.NumTypes {
		d.err = fmt.Errorf("there is no type %d", r.Type)
		return &r
	}
	d.rest = d.rest[1:]
	r.Name = string(d.bytes())
	r.Aliases, r.Needs = d.texts(), d.texts()
	r.Body = bytes.Clone(d.bytes()) // so that it does not keep the others
	if d.err != nil {
		return &r
	}
	return model.NewResource(r)
}

// count is a number of values that follow; each has a byte at least.
func (d *decoder) count() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.err != nil || size <= 0 || n > uint64(len(d.rest)-size) {
		d.err = cmp.Or(d.err, errCut)
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) texts() (all []string) {
	for range d.count() {
		all = append(all, string(d.bytes()))
	}
	return all
}

func (d *decoder) bytes() []byte {
	n := d.count()
	value := d.rest[:n]
	d.rest = d.rest[n:]
	return value
}
