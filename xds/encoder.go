package xds

import (
	"iter"
	"sync"

	"google.golang.org/grpc/mem"
)

const (
	// lentBytes is from which size on bytes are lent to gRPC as they are, for all clients the
	// same. Smaller ones cost more to lend, each by itself, than to copy.
	lentBytes = 8 << 10
	// runBytes is from which size on the resources of a layer are put together, once for all.
	runBytes = 2 << 10
	// blockBytes is the size of the buffers into which small ones are copied.
	blockBytes = 32 << 10
)

// encode puts a message together: what is large as it is, and copies of what is small, in blocks
// that are used again.
func encode(head []byte, parts iter.Seq[[]byte]) mem.BufferSlice {
	size := len(head)
	for part := range parts {
		if len(part) < lentBytes {
			size += len(part)
		}
	}
	e := newEncoder(size)
	e.add(head)
	for part := range parts {
		e.add(part)
	}
	return e.flush()
}

type encoder struct {
	out mem.BufferSlice
	buf *[]byte
}

// newEncoder makes room for so many bytes, if they fit into one block.
func newEncoder(size int) *encoder {
	if size >= blockBytes/8 {
		return &encoder{buf: blocks.Get(blockBytes)}
	}
	buf := make([]byte, 0, size)
	return &encoder{buf: &buf}
}

func (e *encoder) add(bytes []byte) {
	if len(bytes) >= lentBytes {
		e.out = append(e.flush(), mem.SliceBuffer(bytes))
		e.buf = blocks.Get(blockBytes)
		return
	}
	for len(bytes) > 0 {
		room := cap(*e.buf) - len(*e.buf)
		if room == 0 {
			e.flush()
			e.buf = blocks.Get(blockBytes)
			continue
		}
		n := min(room, len(bytes))
		*e.buf = append(*e.buf, bytes[:n]...)
		bytes = bytes[n:]
	}
}

// flush returns all so far; what is added then needs another buffer.
func (e *encoder) flush() mem.BufferSlice {
	switch {
	case cap(*e.buf) != blockBytes:
		e.out = append(e.out, mem.SliceBuffer(*e.buf))
	case len(*e.buf) == 0:
		blocks.Put(e.buf)
	default:
		e.out = append(e.out, mem.NewBuffer(e.buf, blocks))
	}
	return e.out
}

// blockPool keeps blocks. gRPC's own pools clear what they give out.
type blockPool struct{ free sync.Pool }

var blocks = &blockPool{free: sync.Pool{New: func() any {
	block := make([]byte, 0, blockBytes)
	return &block
}}}

// Get implements mem.BufferPool, for blocks only. The block is empty.
func (p *blockPool) Get(int) *[]byte { return p.free.Get().(*[]byte) }

// Put implements mem.BufferPool.
func (p *blockPool) Put(block *[]byte) {
	*block = (*block)[:0]
	p.free.Put(block)
}
