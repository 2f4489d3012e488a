package web

import "weft.dev/model"

// ProblemKind is what a code of problems stands for.
type ProblemKind struct {
	ID      string `json:"id"` // WFT0001: it never stands for anything else
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
	Severe  bool   `json:"severe"` // something has no effect at all, or is not what was written last
}

// ProblemKinds are all of them. New ones come at the end.
var ProblemKinds = []ProblemKind{
	{"WFT0001", model.ProblemInvalid, "it cannot be read, or contradicts itself", "correct the field that is named", true},
	{"WFT0002", model.ProblemMissingService, "it names a service that does not exist", "correct the name, or declare the service: by a Service, a ServiceEntry, an Application, or a workload of it", false},
	{"WFT0003", model.ProblemMissingCaller, "it lets somebody call who is not there", "correct the caller's name, or leave it: it has its effect once the caller is there", false},
	{"WFT0004", model.ProblemMissingPort, "the service has no such port", "use one of the service's ports, or declare this one", false},
	{"WFT0005", model.ProblemMissingSubset, "no policy defines the subset", "add the subset to the DestinationRule of the host", false},
	{"WFT0006", model.ProblemMissingGateway, "it attaches to a gateway or listener that does not exist", "correct the reference, or create the gateway", false},
	{"WFT0007", model.ProblemMissingSecret, "it names a certificate that does not exist", "create the Secret where the gateway looks for it", true},
	{"WFT0008", model.ProblemHostConflict, "the host belongs to another namespace or object", "use another host, or change who has it", false},
	{"WFT0009", model.ProblemConflict, "an older object decides the same thing", "join both in one object, or delete one", false},
	{"WFT0010", model.ProblemNotPermitted, "the owner of what it names did not allow it", "ask the owner for a grant", false},
	{"WFT0011", model.ProblemNotHonoured, "weft does not do this", "remove the field, or go the way that the message names", false},
	{"WFT0012", model.ProblemUnreachable, "no request can reach the rule", "move it before the one that takes its requests, or delete it", false},
	{"WFT0013", model.ProblemRefused, "a proxy refused what came of it, and keeps what it had", "correct what Envoy's words name; if nothing is wrong there, report a bug: weft bug-report", true},
	{"WFT0014", model.ProblemHeld, "too much disappeared at once: it stays in effect", "bring it back, or confirm it as the message says", true},
	{"WFT0015", model.ProblemStale, "the newest cannot be had: what was read before is in effect", "make the source readable again", true},
	{"WFT0016", model.ProblemMissingKeys, "the keys of its tokens cannot be had, so they are refused", "make the keys readable for weft, write them in jwks, or allow their address: weft serve --jwks-allow", true},
	{"WFT0017", model.ProblemEvadable, "it denies by path, which may be written in other ways", "allow by path instead; weft analyze alone says so", false},
	{"WFT0018", model.ProblemMissingModule, "the code that it names cannot be had", "make the module readable for weft, or allow its address: weft serve --modules-allow", true},
}

// ProblemKindOf is the kind of a code; one that is unknown stands for itself.
func ProblemKindOf(code string) ProblemKind {
	for _, k := range ProblemKinds {
		if k.Code == code {
			return k
		}
	}
	return ProblemKind{Code: code}
}
