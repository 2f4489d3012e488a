// gencfg writes the mesh of package mesh, for measuring by hand.
package main

import (
	"flag"
	"fmt"
	"log"

	"weft.dev/bench/control-plane/mesh"
)

func main() {
	m := mesh.Mesh{Scopes: mesh.Everything}
	dir := flag.String("dir", "", "folder; what is in it is lost")
	flag.IntVar(&m.Services, "services", 1000, "")
	flag.IntVar(&m.Endpoints, "endpoints", 10, "of each service")
	flag.IntVar(&m.SplitEvery, "split-every", 10, "each so-manieth service has subsets and weights")
	flag.Parse()
	if *dir == "" {
		log.Fatal("gencfg: -dir is missing")
	}
	files, err := m.Write(*dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("weft serve --config", files.Config())
}
