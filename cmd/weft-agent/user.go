package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// credential is that of a user; nil: of nobody but ours.
func credential(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("--user: %w", err)
	}
	ids := []string{u.Uid, u.Gid}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("--user %s: its groups: %w", name, err)
	}
	var numbers []uint32
	for _, id := range append(ids, groups...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("--user %s: id %q: %w", name, id, err)
		}
		numbers = append(numbers, uint32(n))
	}
	switch {
	case int(numbers[0]) == os.Geteuid():
		return nil, nil
	case os.Geteuid() != 0:
		return nil, fmt.Errorf("--user %s: only root may start an application as somebody else: run weft as root, or as %s", name, name)
	}
	return &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[2:]}, nil
}
