// Package mass says when so much disappears at once that nobody believes it.
//
// Input: how many are gone, of how many. Output: whether a source keeps their rows
// and asks. What a source holds back, and who lets it through, is the source's.
package mass

// A reading that takes more than half of what there was, and at least three, or
// every seventh and at least ten, lost its disk, its list or its generator more often
// than somebody meant it: who removes a service removes a handful of objects. The
// price of a wrong guess is that what is gone stays for a while, and not an outage.
const (
	mostShare, mostCount = 0.5, 3
	someShare, someCount = 0.15, 10
)

// TooMuch says whether so many of all are not believed to be gone.
func TooMuch(gone, all int) bool {
	share := float64(gone) / float64(max(all, 1))
	return gone >= mostCount && share > mostShare || gone >= someCount && share > someShare
}
