// Package kube reads the kinds of Kubernetes itself.
//
// Input: one object with its typed spec. Output: model rows and the object's
// problems. Most fields of a Kubernetes Service are for Kubernetes, not for a
// mesh: only those that say how callers reach it are looked at.
package kube
