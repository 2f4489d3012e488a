// Package store reads and writes resources, wherever they live: in a cluster's
// API server or in the one that weft embeds.
//
// Input: a client configuration. Output: typed objects (Resource), rows of every
// accepted kind as they change (Follow), and statuses (ChangeStatus,
// StatusWriter). Writing happens here and nowhere else; whoever may write says
// so by holding a Client. The package must not know what a resource means.
package store
