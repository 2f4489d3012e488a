// Command kubectl is Kubernetes' own kubectl, for tests on machines that have
// none. It is a module of its own, so that weft's does not need its modules.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
)

func main() { os.Exit(cli.Run(cmd.NewDefaultKubectlCommand())) }
