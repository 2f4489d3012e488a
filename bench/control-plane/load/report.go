package load

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Report is the JSON on standard output.
type Report struct {
	Label      string         `json:"label"`
	Server     string         `json:"server"`
	N          int            `json:"n"`
	Mode       string         `json:"mode"`
	Order      string         `json:"order"`
	LoadBefore string         `json:"load_before"`
	Before     Proc           `json:"server_before"`
	Initial    *InitialSync   `json:"initial,omitempty"`
	IdleCPU    float64        `json:"idle_server_cpu_per_s"`
	Reconnect  *Reconnect     `json:"reconnect,omitempty"`
	Changes    []ChangeSeries `json:"changes"`
	Errors     int64          `json:"stream_errors_total"`
	ClientCPU  float64        `json:"client_cpu_s_total"`
	ClientHWM  float64        `json:"client_hwm_mib"`
	After      Proc           `json:"server_after"`
}

// InitialSync is the first sync of all proxies.
type InitialSync struct {
	AllSynced float64 `json:"all_synced_s"`
	Unsynced  int64   `json:"unsynced"`
	P50       float64 `json:"proxy_ms_p50"`
	P99       float64 `json:"proxy_ms_p99"`
	Max       float64 `json:"proxy_ms_max"`
	Traffic
	Errors          int64   `json:"stream_errors"`
	LastError       string  `json:"last_error,omitempty"`
	SettledCPU      float64 `json:"server_cpu_s_incl_settle"`
	SettledRSS      float64 `json:"server_rss_after_settle_mib"`
	SettledRes      Counts  `json:"resources_incl_settle"`
	SettledWireDown float64 `json:"wire_bytes_per_proxy_incl_settle"`
}

// Reconnect is all streams dropped at once and opened again with initial_resource_versions.
type Reconnect struct {
	AllConnected float64 `json:"all_connected_s"`
	Connected    int64   `json:"connected"`
	Last         float64 `json:"last_message_ms"`
	Traffic
}

// ChangeSeries is all changes of one -change flag.
type ChangeSeries struct {
	Label     string             `json:"label"`
	Changes   int                `json:"changes"`
	Failed    int                `json:"failed"`
	Seconds   float64            `json:"seconds"`
	LastP50   float64            `json:"last_ms_p50"`
	LastMax   float64            `json:"last_ms_max"`
	P50       float64            `json:"proxy_ms_p50"`
	P99       float64            `json:"proxy_ms_p99"`
	CPU       float64            `json:"server_cpu_s_per_change"`
	ClientCPU float64            `json:"client_cpu_s_per_change"`
	RSS       float64            `json:"server_rss_mib"`
	HWM       float64            `json:"server_hwm_mib"`
	Resources map[string]float64 `json:"resources_per_proxy_per_change"`
	Bytes     map[string]float64 `json:"bytes_per_proxy_per_change"`
	WireDown  float64            `json:"wire_bytes_per_proxy_per_change"`
	WireUp    float64            `json:"wire_bytes_up_per_proxy_per_change"`
	CPUTotal  float64            `json:"server_cpu_s_total"`
	Held      map[string]Spread  `json:"resources_held_per_proxy"`
	Each      []OneChange        `json:"each"`
}

// OneChange is one of them.
type OneChange struct {
	OK        bool    `json:"ok"`
	First     float64 `json:"first_ms,omitempty"`
	P50       float64 `json:"p50_ms,omitempty"`
	Last      float64 `json:"last_ms,omitempty"`
	Tail      float64 `json:"tail_ms"`
	CPU       float64 `json:"server_cpu_s"`
	Resources Counts  `json:"resources"`
	Bytes     Counts  `json:"bytes"`
	Load      string  `json:"load"`
}

// Traffic is what a phase cost.
type Traffic struct {
	Seconds   float64            `json:"seconds"`
	CPU       float64            `json:"server_cpu_s"`
	RSS       float64            `json:"server_rss_mib"`
	HWM       float64            `json:"server_hwm_mib"`
	ClientCPU float64            `json:"client_cpu_s"`
	Msgs      Counts             `json:"msgs"`
	Resources Counts             `json:"resources"`
	Removed   Counts             `json:"removed"`
	Bytes     Counts             `json:"bytes"`
	PerProxy  map[string]float64 `json:"resources_per_proxy"`
	Held      map[string]Spread  `json:"resources_held_per_proxy"`
	WireDown  float64            `json:"wire_bytes_per_proxy"`
	WireUp    float64            `json:"wire_bytes_up_per_proxy"`
	Load      string             `json:"load"`
}

// Counts is a number by type's short name.
type Counts map[string]int64

// Spread is of one number over the proxies.
type Spread struct {
	Min  int     `json:"min"`
	Mean float64 `json:"mean"`
	Max  int     `json:"max"`
}

// mark is the state of all counters at one instant.
type mark struct {
	at                              time.Time
	server                          Proc
	client                          float64
	msgs, bytes, resources, removed [ntypes]int64
	down, up                        int64
}

func (f *fleet) mark(pid int) (m mark) {
	m.at = time.Now()
	m.server, m.client = ProcStat(pid), selfCPU()
	for t := range ntypes {
		m.msgs[t], m.bytes[t] = f.counts.msgs[t].Load(), f.counts.bytes[t].Load()
		m.resources[t], m.removed[t] = f.counts.resources[t].Load(), f.counts.removed[t].Load()
	}
	m.down, m.up = f.down.Load(), f.up.Load()
	return
}

// since is what the phase between two marks cost.
func (f *fleet) since(a, b mark) Traffic {
	n := float64(len(f.proxies))
	res := diff(a.resources, b.resources)
	return Traffic{
		Seconds: b.at.Sub(a.at).Seconds(),
		CPU:     b.server.CPU - a.server.CPU, RSS: b.server.RSSMiB, HWM: b.server.HWMMiB, ClientCPU: b.client - a.client,
		Msgs: diff(a.msgs, b.msgs), Resources: res, Removed: diff(a.removed, b.removed), Bytes: diff(a.bytes, b.bytes),
		PerProxy: over(res, n), Held: f.held(),
		WireDown: float64(b.down-a.down) / n, WireUp: float64(b.up-a.up) / n, Load: Loadavg(),
	}
}

func diff(a, b [ntypes]int64) Counts {
	m := Counts{}
	for t := range ntypes {
		if a[t] != b[t] {
			m[shortNames[t]] = b[t] - a[t]
		}
	}
	return m
}

func over(m Counts, d float64) map[string]float64 {
	r := map[string]float64{}
	for k, v := range m {
		r[k] = float64(v) / d
	}
	return r
}

// quant is the q-quantile in milliseconds.
func quant(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	i := int(q*float64(len(d))+0.9999) - 1
	return ms(d[max(0, min(i, len(d)-1))])
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func selfCPU() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// Loadavg is the machine's load over 1, 5 and 15 minutes.
func Loadavg() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return ""
	}
	return strings.Join(f[:3], " ")
}
