package folder

import "time"

// Limits of a folder. What is beyond them is a problem, and not read.
const (
	MaxFileBytes = 4 << 20
	MaxBytes     = 256 << 20 // of all files
	MaxFiles     = 20_000
	MaxDepth     = 16 // folders below each other, links included

	// maxEvents is how many events are looked at one by one; more are one look at everything.
	maxEvents = 1000
	// loadBytes is how much is read for one of the first commits.
	loadBytes = 256 << 10
	// maxLines is of how many parts of an object the line is remembered.
	maxLines = 500
	// maxOutputBytes is how much a Jsonnet program may give, and maxStack how deep its calls may be.
	maxOutputBytes = 64 << 20
	maxStack       = 500
	// maxFaults is how many faults of one object are reported.
	maxFaults = 20
)

const (
	// removalGrace is how long an object that is gone from its file stays: vim,
	// git and many scripts remove or empty a file before they write it again.
	removalGrace = 100 * time.Millisecond
	// maxRemovalGrace is how long others that leave keep one from leaving.
	maxRemovalGrace = 2 * time.Second
	// rescanInterval is when everything is looked at without an event, by size, time and inode
	// only: a network file system tells of nothing, nor does a link whose far end changes.
	rescanInterval = time.Minute
)
