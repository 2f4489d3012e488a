package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"weft.dev/source/folder"
)

const (
	// fetchTime is how long a fetch may take, and readTime what only reads the cache.
	fetchTime = 2 * time.Minute
	readTime  = time.Minute
	// history is how many commits are fetched: whoever is not among them is not
	// known to have come before.
	history = 50
	// maxSaid is how much of what git says is shown, in bytes.
	maxSaid = 400
)

// repository is a bare cache of one ref, without which only a fetch is lost.
type repository struct {
	cache   string // its folder
	address address
	ref     string
	depth   int      // how many commits are fetched
	config  []string // of git, for this repository alone: "http.followRedirects=false"
}

// head is the ref in the cache that the ref of the repository is fetched to.
const head = "refs/weft/head"

// fetch gets the commit that the ref names now.
func (r *repository) fetch(ctx context.Context) (commit string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if _, err := r.git(ctx, "init", "--bare", "--quiet", "--template=", "--", r.cache); err != nil {
		return "", r.dropped(err)
	}
	_, err = r.git(ctx, "fetch", "--quiet", "--force", "--depth", strconv.Itoa(r.depth), "--no-tags", "--no-recurse-submodules",
		"--no-write-fetch-head", "--", r.address.url, "+"+r.ref+":"+head)
	if err != nil {
		return "", r.dropped(err)
	}
	out, err := r.git(ctx, "rev-parse", "--verify", head+"^{commit}")
	return strings.TrimSpace(string(out)), r.dropped(err)
}

// dropped forgets the cache after an error: a git that was ended, also by the end of
// another weft, leaves locks behind.
func (r *repository) dropped(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, os.RemoveAll(r.cache))
}

// follows says whether one commit is known to come after another.
func (r *repository) follows(ctx context.Context, commit, earlier string) bool {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	_, err := r.git(ctx, "merge-base", "--is-ancestor", earlier, commit)
	return err == nil
}

// Modes of what is no file.
const (
	link      = "120000"
	submodule = "160000"
)

// blob is one file of a commit.
type blob struct {
	path string // below the folder that was asked for
	id   string
	mode string // 120000 of a link, 160000 of a submodule, which has no size
	size int64
}

// list are the files of a commit that are wanted, at most so many, in order of their paths.
func (r *repository) list(ctx context.Context, commit, dir string, most int, wanted func(blob) bool) ([]blob, error) {
	args := []string{"ls-tree", "-r", "-l", "-z", "--full-tree", commit}
	prefix := ""
	if dir != "." {
		prefix = dir + "/"
		args = append(args, "--", prefix)
	}
	var all []blob
	err := r.stream(ctx, nil, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString(0)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			b, err := parseEntry(line, prefix)
			if err != nil {
				return err
			}
			if wanted(b) {
				all = append(all, b)
			}
			if len(all) > most {
				return fmt.Errorf("has more than %d files; name a smaller folder", most)
			}
		}
	}, args...)
	return all, err
}

// parseEntry reads "MODE TYPE ID SIZE\tPATH\x00".
func parseEntry(line, prefix string) (blob, error) {
	facts, name, _ := strings.Cut(strings.TrimSuffix(line, "\x00"), "\t")
	fields := strings.Fields(facts)
	if len(fields) != 4 {
		return blob{}, fmt.Errorf("git says %q of a file: %w", line, errDamaged)
	}
	b := blob{path: strings.TrimPrefix(name, prefix), id: fields[2], mode: fields[0]}
	if b.mode == submodule {
		return b, nil
	}
	size, err := strconv.ParseInt(fields[3], 10, 64)
	b.size = size
	return b, err
}

// isConfiguration reports whether a folder would read a file.
func isConfiguration(b blob) bool { return b.mode != submodule && folder.Reads(b.path) }

// contents gives the text of each file to save, as it is in the repository: no
// filter and no conversion is asked for.
func (r *repository) contents(ctx context.Context, blobs []blob, save func(blob, io.Reader) error) error {
	var ids strings.Builder
	for _, b := range blobs {
		ids.WriteString(b.id + "\n")
	}
	return r.stream(ctx, strings.NewReader(ids.String()), func(out *bufio.Reader) error {
		for _, b := range blobs {
			if line, err := out.ReadString('\n'); err != nil || line != fmt.Sprintf("%s blob %d\n", b.id, b.size) {
				return fmt.Errorf("%s: git says %q of it: %w", b.path, line, errors.Join(err, errDamaged))
			}
			if err := save(b, io.LimitReader(out, b.size)); err != nil {
				return err
			}
			if _, err := out.Discard(1); err != nil { // the line's end
				return err
			}
		}
		return nil
	}, "cat-file", "--batch")
}

var errDamaged = errors.New("the cache is damaged")

// git runs git to its end.
func (r *repository) git(ctx context.Context, args ...string) (out []byte, err error) {
	err = r.stream(ctx, nil, func(from *bufio.Reader) (err error) {
		out, err = io.ReadAll(from)
		return err
	}, args...)
	return out, err
}

// stream runs git while read reads what it prints. Errors have no secret in them.
func (r *repository) stream(ctx context.Context, in io.Reader, read func(*bufio.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(ctx, args)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = in, &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("git cannot be run: %w; install git 2.29 or newer", err)
	}
	if err := read(bufio.NewReader(out)); err != nil {
		cancel() // it may have more to print
		_ = cmd.Wait()
		return err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, r.address.redact(plain(said.String())))
	}
	return nil
}

// command is git as nobody's session: it asks no questions, runs no hook, talks by
// known protocols only, and ends with all that it started.
func (r *repository) command(ctx context.Context, args []string) *exec.Cmd {
	fixed := []string{"--git-dir=" + r.cache, "-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "gc.pruneExpire=now"}
	for _, setting := range r.config {
		fixed = append(fixed, "-c", setting)
	}
	cmd := exec.CommandContext(ctx, "git", append(fixed, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "SSH_ASKPASS_REQUIRE=never", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, nobody is asked by ssh
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// plain is the end of a text that comes from elsewhere, in one printable line.
func plain(text string) string {
	line := strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
	return strings.ToValidUTF8(line[max(0, len(line)-maxSaid):], "")
}
