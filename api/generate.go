package api

//go:generate go run ./internal/crdgen crds experimental
//go:generate go tool -modfile=tools.mod controller-gen object paths=./v1alpha1
//go:generate go tool -modfile=tools.mod controller-gen crd:crdVersions=v1 paths=./v1alpha1 output:crd:dir=crds
