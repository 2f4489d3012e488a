package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	segments    = 8 // files of which the oldest goes when there is no room
	segmentEnd  = ".spans"
	headerBytes = 17 // of a record: time, whether a proxy told it, length, checksum
)

// Journal keeps what was taken on disk, so that a server that starts again has it. What it
// is written to by a process that is killed then is there; the machine's own end may lose
// the last seconds.
type Journal struct {
	dir   string
	limit int64 // bytes of all files

	mu      sync.Mutex
	sizes   map[int]int64 // of files, by number
	newest  int
	file    *os.File
	current int64
}

// OpenJournal makes the folder when needed, and writes into a file of its own.
func OpenJournal(dir string, limit int64) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, limit: limit, sizes: map[int]int64{}}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, ours := strings.CutSuffix(f.Name(), segmentEnd)
		number, err := strconv.Atoi(text)
		info, err2 := f.Info()
		if !ours || err != nil || err2 != nil {
			continue
		}
		j.sizes[number], j.newest = info.Size(), max(j.newest, number)
	}
	return j, nil
}

func (j *Journal) path(number int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%08d%s", number, segmentEnd))
}

// write adds one record, with one call: a killed process leaves a whole one, or its beginning.
func (j *Journal) write(at time.Time, proxy bool, of *tracev1.ResourceSpans) error {
	record, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, headerBytes), of)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(record, uint64(at.UnixNano()))
	if proxy {
		record[8] = 1
	}
	binary.LittleEndian.PutUint32(record[9:], uint32(len(record)-headerBytes))
	binary.LittleEndian.PutUint32(record[13:], crc32.ChecksumIEEE(record[headerBytes:]))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.current+int64(len(record)) > j.limit/segments {
		if err := j.turn(); err != nil {
			return err
		}
	}
	n, err := j.file.Write(record)
	j.current += int64(n)
	j.sizes[j.newest] = j.current
	if err != nil { // what follows the beginning of a record would not be found
		j.file.Close()
		j.file = nil
	}
	return err
}

// turn begins a file, and removes the oldest until there is room for it.
func (j *Journal) turn() error {
	if j.file != nil {
		j.file.Close()
	}
	var all int64
	for _, size := range j.sizes {
		all += size
	}
	for _, number := range slices.Sorted(maps.Keys(j.sizes)) {
		if all <= j.limit-j.limit/segments {
			break
		}
		if err := os.Remove(j.path(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		all -= j.sizes[number]
		delete(j.sizes, number)
	}
	file, err := os.OpenFile(j.path(j.newest+1), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		j.file = nil
		return err
	}
	j.file, j.current, j.newest = file, 0, j.newest+1
	j.sizes[j.newest] = 0
	return nil
}

// replay gives all that is there, the oldest first. Of a file that is damaged it gives what
// stands before the damage.
func (j *Journal) replay(take func(at time.Time, proxy bool, of *tracev1.ResourceSpans)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(j.sizes)) {
		if err := replayFile(j.path(number), take); err != nil {
			return err
		}
	}
	return nil
}

func replayFile(path string, take func(time.Time, bool, *tracev1.ResourceSpans)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for len(data) >= headerBytes {
		size := int64(binary.LittleEndian.Uint32(data[9:]))
		if size > int64(len(data)-headerBytes) {
			return nil
		}
		body := data[headerBytes:][:size]
		var of tracev1.ResourceSpans
		if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(data[13:]) || proto.Unmarshal(body, &of) != nil {
			return nil
		}
		take(time.Unix(0, int64(binary.LittleEndian.Uint64(data))), data[8] == 1, &of)
		data = data[headerBytes+size:]
	}
	return nil
}
