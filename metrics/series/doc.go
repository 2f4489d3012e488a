// Package series keeps figures over time: Prometheus' store and query engine in
// the process, and as much of Prometheus' HTTP API as Grafana asks.
//
// Input: functions that emit figures, called at an interval. Output: answers to
// PromQL. It must not know what the figures mean. What goes wrong with it is
// logged and counted, and stops nothing else.
package series
