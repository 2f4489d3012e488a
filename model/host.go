package model

// What a machine whose operator lets weft start processes and the server say to each
// other: a stream of HostReport -> HostOrder in the machine's own name. The server says
// what is to run there, the machine says what does.
const AgentHost = "/weft.Agent/Host"

// HostReport is what there is on a machine. It says so whenever that changes, and at
// least every LeaseInterval.
type HostReport struct {
	// Labels are the operator's words, by which an Application chooses hosts.
	Labels map[string]string `json:"labels,omitempty"`
	// Allows are the applications that the operator lets weft start, NAMESPACE/NAME or NAMESPACE/*.
	Allows []string `json:"allows"`
	// Taken is the number of the newest order of this stream that is on the machine's disk.
	Taken     int64       `json:"taken,omitempty"`
	Instances []HostState `json:"instances"`
}

// HostState is how an instance is.
type HostState struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Running   bool   `json:"running,omitempty"` // or still ending
	Ready     bool   `json:"ready,omitempty"`   // its health check succeeds
	Failed    bool   `json:"failed,omitempty"`  // time alone will not mend it
	Why       string `json:"why,omitempty"`     // it is not ready
}

// HostOrder is what is to be on a machine. Of what it does not name nothing changes:
// a server that has forgotten ends nobody's processes.
type HostOrder struct {
	Number    int64          `json:"number"` // grows
	Roots     [][]byte       `json:"roots"`  // to trust, DER
	Instances []HostInstance `json:"instances"`
}

// HostInstance is a process that is to run on a machine. What a machine has taken under
// a name never changes, but to end.
type HostInstance struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"` // also of its workload
	App       string   `json:"app"`
	Version   string   `json:"version"`
	Image     string   `json:"image,omitempty"`
	Command   []string `json:"command"`
	Port      uint32   `json:"port,omitempty"`     // at which it is called; 0: it is not
	Protocol  string   `json:"protocol,omitempty"` // as weft run takes it
	Health    string   `json:"health,omitempty"`   // as weft run takes it
	Ends      bool     `json:"ends,omitempty"`     // it is to end
}
