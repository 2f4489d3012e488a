package model

import "testing"

// Replicas are told the same; what a proxy is told by is not to be left out.
func TestCohort(t *testing.T) {
	one := Workload{Namespace: "shop", Name: "web-1", App: "web", Interception: Redirected, Address: "10.0.0.1", Health: Healthy}
	replica, other := one, one
	replica.Name, replica.Address, replica.Health = "web-2", "10.0.0.2", Draining
	other.Labels = map[string]string{"tier": "front"}
	if one.Cohort() != replica.Cohort() || one.Cohort() == other.Cohort() {
		t.Errorf("cohorts: %s, of a replica %s, of another label %s", one.Cohort(), replica.Cohort(), other.Cohort())
	}
	replica.Address = "fd00::2"
	if one.Cohort() == replica.Cohort() {
		t.Error("IPv4 and IPv6 are told the same")
	}
	one.Interception = ""
	other = one
	other.Address = "10.0.0.2"
	if one.Cohort() == other.Cohort() {
		t.Error("proxies that listen at different addresses are told the same")
	}
}
