// Package host turns the agents on hosts into Workload objects: it serves
// model.AgentService on the mesh port.
//
// An agent's stream is the lease of its workload. When it falls silent the
// workload is removed, but never so many at once that a fault of ours or of the
// network could empty a service: see leases. What an agent may say follows from
// its certificate alone.
//
// Input: agents. Output: Workload objects, by the interface Workloads, and
// reports of traffic. It knows no route, no Envoy and no store.
package host
