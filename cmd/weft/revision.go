package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"weft.dev/snapshot/publish"
)

// dirtySuffix ends a revision of which files have been changed since.
const dirtySuffix = "-dirty"

// revisionOf is the commit of a folder; "": it is in no Git work tree.
func revisionOf(ctx context.Context, dir string, allowDirty bool) (string, error) {
	if _, err := runGit(ctx, dir, "rev-parse", "--is-inside-work-tree"); err != nil {
		if strings.Contains(err.Error(), "not a git repository") {
			return "", nil
		}
		return "", err
	}
	commit, err := runGit(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	changed, err := runGit(ctx, dir, "status", "--porcelain", "--untracked-files=all", "--", ".")
	switch {
	case err != nil:
		return "", err
	case changed == "":
		return commit, nil
	case !allowDirty:
		return "", fmt.Errorf("%s is not what commit %.12s has, so nobody could say what is published: commit it, or say --allow-dirty\n%s", dir, commit, changed)
	}
	return commit + dirtySuffix, nil
}

// follows gives nil if the revision comes after another one, or is that one.
func follows(ctx context.Context, dir, revision, published string) error {
	before, after := strings.TrimSuffix(published, dirtySuffix), strings.TrimSuffix(revision, dirtySuffix)
	_, err := runGit(ctx, dir, "merge-base", "--is-ancestor", before, after)
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return fmt.Errorf("%w: commit %.12s, which %.12s of %s does not have; go back by a commit that reverts it, or say --force", publish.ErrStale, before, after, dir)
	}
	return fmt.Errorf("whether commit %.12s follows the published %.12s is not known (a clone needs its whole history; --force publishes it all the same): %w", after, before, err)
}

// runGit gives what it says on its standard output.
func runGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
