package audit

// OpenSmall is Open with files of so many bytes.
func OpenSmall(path string, most int64) *Log {
	l := Open(path)
	l.most = most
	return l
}

const (
	KeepFiles    = keepFiles
	KeepChapters = keepChapters
)
