package model

import (
	"strconv"
	"strings"
)

// What a proxy counts of callers that show no certificate of the mesh is named weft.KIND.calls.port.PORT, and
// once more, by caller, weft.KINDpeers.calls.port.PORT.peer.ADDRESS: there may be more callers than are told apart.
const (
	PeerPlain   = "plain"   // it was let in
	PeerRefused = "refused" // it was not
	PeersSuffix = "peers"   // behind the kind, where callers are told apart

	PeerStatName = "calls"
	PeerStatEnd  = "end" // stands first where connections that were refused are picked out
	PeerStatPort = "port"
	PeerStatPeer = "peer"
)

// PeerCounters are calls by somebody who showed no certificate of the mesh.
type PeerCounters struct {
	Port    uint32 `json:"port"`           // of the workload; 0: one that no service has
	Peer    string `json:"peer,omitempty"` // address of the caller; "": of all callers together
	Refused bool   `json:"refused,omitempty"`
	// Calls are requests, or connections of what is not HTTP; one that lasts counts again every minute.
	Calls uint64 `json:"calls"`
}

// PeerStatScope is what stands before the names of the counters of a kind.
func PeerStatScope(kind string, byPeer bool) string {
	if byPeer {
		kind += PeersSuffix
	}
	return RouteStatPrefix + "." + kind
}

// ParsePeerStat reads the name of a counter; Calls is not set.
func ParsePeerStat(stat string) (c PeerCounters, ok bool) {
	for _, kind := range []string{PeerPlain, PeerRefused} {
		for _, byPeer := range []bool{false, true} {
			rest, ours := strings.CutPrefix(stat, PeerStatScope(kind, byPeer)+"."+PeerStatName+".")
			if !ours {
				continue
			}
			rest = strings.TrimPrefix(rest, PeerStatEnd+"."+kind+".")
			rest = strings.TrimPrefix(rest, PeerStatPort+".")
			port, peer, _ := strings.Cut(rest, "."+PeerStatPeer+".")
			n, err := strconv.ParseUint(port, 10, 16)
			return PeerCounters{Port: uint32(n), Peer: peer, Refused: kind == PeerRefused}, err == nil && byPeer == (peer != "")
		}
	}
	return c, false
}
