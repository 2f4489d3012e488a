package weft_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "weft.dev/"

// rule says what a package, or a folder of packages ("x/*"), may import.
type rule struct {
	weft   []string // packages of weft, "x/*" for a folder and all below it; nil: none
	reason string
}

// rules are the arrows of ARCHITECTURE.md. A package without one fails the test.
var rules = map[string]rule{
	"flow":               {nil, "the engine knows no domain"},
	"model":              {nil, "the words of the mesh depend on nothing"},
	"api":                {[]string{"api/*"}, "types only"},
	"api/*":              {[]string{"api/*"}, "types only"},
	"store":              {[]string{"api/*"}, "where resources live, not what they mean"},
	"store/*":            {[]string{"api/*", "store/*"}, "where resources live, not what they mean"},
	"source/*":           {[]string{"flow", "model", "api/*", "store", "identity", "source/mass"}, "the outside world to rows, no decisions"},
	"source/fetch":       {[]string{"flow", "model"}, "what others have, asked for again and again"},
	"source/module":      {[]string{"dial", "flow", "model", "source/fetch"}, "code of plugins, which is asked of strangers"},
	"source/jwks":        {[]string{"dial", "flow", "model", "source/fetch"}, "keys of issuers, which are asked of strangers"},
	"source/git":         {[]string{"flow", "model", "identity", "source/folder"}, "commits of a repository, each read as a folder is"},
	"translate":          {[]string{"flow", "model", "api/*", "translate/*"}, "accepted kinds to model rows; no I/O"},
	"translate/*":        {[]string{"flow", "model", "api/*", "translate/*"}, "accepted kinds to model rows; no I/O"},
	"compile":            {[]string{"flow", "model"}, "model to Envoy; knows no API kind and no session"},
	"scope":              {[]string{"flow", "model"}, "who needs which service; knows no Envoy and no store"},
	"scope/memory":       {[]string{"api/*", "model", "scope", "store"}, "where a scope.Memory is"},
	"explain":            {[]string{"model", "compile"}, "reads what was compiled"},
	"xds":                {[]string{"flow", "model"}, "sessions know bytes, not features"},
	"identity":           {[]string{"flow", "model", "api/*", "store"}, "certificates and tokens"},
	"snapshot":           {[]string{"model"}, "bytes, whatever they say and wherever they are"},
	"snapshot/publish":   {[]string{"model", "snapshot", "snapshot/store"}, "what is put where; compiles nothing"},
	"snapshot/store":     {nil, "bytes at a place, whatever they are"},
	"agent":              {[]string{"model", "identity", "agent/*", "snapshot"}, "every workload pays for its memory"},
	"agent/*":            {[]string{"model", "agent/*", "snapshot"}, "every workload pays for its memory"},
	"agent/steward":      {[]string{"model", "identity"}, "starts processes, whoever orders them"},
	"agent/standin":      {[]string{"model", "xds"}, "a server's sessions, in the agent of a workload that has none"},
	"release":            {[]string{"api/*", "store", "release/instances", "release/loop", "release/opinion"}, "a release never talks to Envoy or to xds"},
	"release/*":          {[]string{"api/*", "release", "release/instances"}, "pure, or acting behind release's interfaces"},
	"release/instances":  {[]string{"api/*"}, "types only"},
	"release/opinion":    {[]string{"api/*"}, "what others say of a version; pure"},
	"release/strategy":   {[]string{"api/*", "release", "release/instances", "release/opinion"}, "how a release goes on; pure"},
	"release/judge/*":    {nil, "numbers in, a score out"},
	"release/loop":       {nil, "who wakes whom, whatever they do"},
	"release/pipeline":   {[]string{"api/*"}, "events in, events and actions out"},
	"release/stage":      {[]string{"api/*", "release", "release/judge", "release/judge/*", "release/instances", "release/opinion", "release/pipeline"}, "one file a kind; each decides, none acts"},
	"release/expr":       {nil, "text and values; knows no pipeline"},
	"release/runner":     {[]string{"api/*", "release/blob", "release/loop", "release/pipeline"}, "stores, then acts, behind its own interfaces"},
	"release/provider/*": {[]string{"api/*", "release", "release/artifact", "release/bake", "release/bake/*", "release/blob", "dial", "release/instances", "release/notify", "release/opinion", "release/pin", "release/pipeline", "release/provider/*", "release/secret"}, "the only code of a release that acts"},
	"release/guard":      {[]string{"api/*", "release/pipeline"}, "who may what, and when; pure"},
	"release/audit":      {nil, "a chain of entries, whatever they say"},
	"release/ledger":     {[]string{"api/*", "release/audit", "release/pipeline"}, "what weft did, as entries of a chain"},
	"release/artifact":   {[]string{"dial"}, "what a registry or a repository has"},
	"release/trigger":    {[]string{"api/*", "release/artifact", "release/loop", "release/pipeline", "release/trigger/*", "release/secret"}, "what happened outside to runs of a fixed name"},
	"release/trigger/*":  {nil, "when, or what a delivery says; pure"},
	"release/secret":     {nil, "values by the names that objects have for them"},
	"release/pin":        {nil, "what stood beside a version, and what differs now; pure"},
	"release/notify":     {nil, "a message and how it goes"},
	"release/herald":     {[]string{"api/*", "release/loop", "release/notify", "release/pipeline", "release/secret"}, "who is told what becomes of runs and releases"},
	"release/spinnaker":  {[]string{"api/*"}, "theirs to ours and back; no I/O"},
	"release/blob":       {[]string{"api/*"}, "bytes to a Blob and back"},
	"release/bake":       {nil, "bytes in, bytes out"},
	"release/bake/*":     {[]string{"release/bake"}, "bytes in, bytes out"},
	"install/chart":      {nil, "objects of a chart; talks to nothing"},
	"install/cluster":    {[]string{"api", "model"}, "puts objects into a cluster, whatever they are"},
	"install/inject":     {[]string{"model"}, "a pod and a patch; knows no cluster"},
	"install/systemd":    {nil, "units are text"},
	"install/gateway":    {[]string{"flow", "model"}, "rows in, objects out; who applies them, it is told"},
	"install/redirect":   {nil, "a host's agent uses it, too"},
	"ratelimit":          {[]string{"model"}, "counts; knows neither objects nor proxies"},
	"dial":               {nil, "addresses, whoever calls and is called"},
	"redact":             {nil, "text and objects, whatever they say"},
	"tap":                {[]string{"model"}, "what proxies say, and who looks"},
	"metrics":            {[]string{"model"}, "counts, not decisions"},
	"metrics/series":     {[]string{"metrics", "model"}, "figures over time, whatever they mean"},
	"metrics/board":      {nil, "what dashboards show, whoever draws them"},
	"trace":              {[]string{"metrics", "model"}, "what was told of requests; knows no configuration"},
	"mtls":               {[]string{"metrics", "model"}, "who can do without plain text; pure"},
	"topology":           {[]string{"metrics"}, "who called whom, whoever looks"},
	"web":                {[]string{"*"}, "sees both halves, by interfaces that it declares"},
	"web/ui":             {nil, "built pages, whatever they show"},
	"cmd/*":              {[]string{"*"}, "the only place that knows every package"},
	"bench/data-plane":   {[]string{"agent/envoy", "api", "compile", "flow", "identity", "model", "ratelimit", "test/wiring", "trace", "translate"}, "what Envoy pays for a part of its configuration"},
	"bench/judge":        {[]string{"bench/page", "release", "release/judge", "release/judge/*"}, "judges side by side, on traffic that it makes up"},
	"bench/page":         {nil, "text of a page"},
	"bench/soak":         {[]string{"*"}, "releases by the hundred, wired as in cmd/weft"},
	"docs":               {nil, "pages that are made of other files"},
	"test/*":             {[]string{"*"}, "tests the whole"},
	"examples/*":         {nil, "a user's program; it knows nothing of weft"},
	"examples/shop/demo": {nil, "drives the binaries as a person would"},

	"release/provider/host": {[]string{"api/*", "model", "release/instances"}, "says what runs where, in words that others carry"},
}

// fences keep a heavy module in its home: prefix of an import path to the
// packages that may name it.
var fences = map[string][]string{
	"k8s.io/apiserver":                       {"store/serve"},
	"k8s.io/apiextensions-apiserver":         {"store/serve", "source/folder"}, // see docs/design/0005-folder.md
	"github.com/fsnotify/fsnotify":           {"source/folder"},
	"github.com/google/go-jsonnet":           {"source/folder", "release/bake"}, // see docs/design/0015-bake.md
	"github.com/google/cel-go":               {"release/expr", "translate/cel"},
	"go.etcd.io/etcd/":                       {"store/serve"},
	"k8s.io/client-go":                       {"store/*", "source/store", "source/kube", "install/cluster", "release/provider/kubernetes", "cmd/*", "test/*"},
	"github.com/envoyproxy/go-control-plane": {"compile", "explain", "tap", "xds", "agent/*", "test/*", "ratelimit", "bench/data-plane"}, // see docs/design/0026-rate-limits.md
	"helm.sh/helm":                           {"install/chart", "release/bake"},                                                          // see docs/design/0015-bake.md
	"sigs.k8s.io/kustomize":                  {"release/bake"},
	"github.com/google/nftables":             {"install/redirect"},
	"github.com/mdlayher/netlink":            {"install/redirect"},
	"github.com/spf13/cobra":                 {"cmd/*"},
	"istio.io/":                              {"api/*", "translate/*"},
	"sigs.k8s.io/gateway-api":                {"api/*", "translate/*"},
	"google.golang.org/grpc":                 {"xds", "agent", "source/host", "release/provider/remote", "cmd/*", "examples/*", "test/*", "agent/*", "trace", "bench/data-plane"},
	"go.opentelemetry.io":                    {"trace"},
	"github.com/minio/minio-go":              {"snapshot/store"},
	"github.com/prometheus":                  {"metrics/series"},
	"github.com/redis/go-redis":              {"ratelimit"},
	"github.com/quic-go/quic-go":             {"test/*"},
	"github.com/rogpeppe/go-internal":        {"cmd/weft", "test/*"},
}

func TestImports(t *testing.T) {
	for pkg, imports := range packages(t) {
		r, ok := ruleFor(pkg)
		if !ok {
			t.Errorf("package %s has no rule here: say what it may import, and why", pkg)
			continue
		}
		for _, path := range imports {
			if inner, isOurs := strings.CutPrefix(path, module); isOurs {
				if inner != pkg && !matchAny(r.weft, inner) {
					t.Errorf("%s imports %s, but may import only %v: %s", pkg, inner, r.weft, r.reason)
				}
				continue
			}
			checkThirdParty(t, pkg, path)
		}
	}
}

func checkThirdParty(t *testing.T, pkg, path string) {
	if (pkg == "flow" || pkg == "model") && strings.Contains(strings.Split(path, "/")[0], ".") {
		t.Errorf("%s imports %s, but may use the standard library only", pkg, path)
	}
	for prefix, homes := range fences {
		if strings.HasPrefix(path, prefix) && !matchAny(homes, pkg) {
			t.Errorf("%s imports %s, whose home is %v: a second home needs a design note", pkg, path, homes)
		}
	}
}

// packages maps each package of the module to its imports, without tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	format := `{{if .GoFiles}}{{.ImportPath}}{{range .Imports}} {{.}}{{end}}{{end}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			found[strings.TrimPrefix(fields[0], module)] = fields[1:]
		}
	}
	if len(found) < 5 {
		t.Fatalf("only %d packages found", len(found))
	}
	return found
}

func ruleFor(pkg string) (rule, bool) {
	if r, ok := rules[pkg]; ok {
		return r, true
	}
	for folder := filepath.Dir(pkg); folder != "."; folder = filepath.Dir(folder) {
		if r, ok := rules[folder+"/*"]; ok {
			return r, true
		}
	}
	return rule{}, false
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		folder, isFolder := strings.CutSuffix(pattern, "/*")
		return pattern == "*" || pattern == pkg || isFolder && (pkg == folder || strings.HasPrefix(pkg, folder+"/"))
	})
}

const (
	maxFunctionLines  = 70
	maxFileLines      = 1000
	maxInterfaceSize  = 5
	maxDirectRequires = 47
)

func TestTidiness(t *testing.T) {
	eachGoFile(t, func(path string, fset *token.FileSet, file *ast.File, source []byte) {
		lines := strings.Count(string(source), "\n")
		if lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: which second noun is in it?", path, lines, maxFileLines)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if size := fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1; size > maxFunctionLines {
					t.Errorf("%s: %s has %d lines, more than %d", fset.Position(n.Pos()), n.Name.Name, size, maxFunctionLines)
				}
			case *ast.InterfaceType:
				if size := n.Methods.NumFields(); size > maxInterfaceSize {
					t.Errorf("%s: an interface of %d methods, more than %d", fset.Position(n.Pos()), size, maxInterfaceSize)
				}
			}
			return true
		})
	})
}

// TestPureness: time and randomness arrive as values in everything that decides.
func TestPureness(t *testing.T) {
	pure := []string{"flow", "model", "translate/*", "compile", "metrics", "mtls", "ratelimit", "topology", "release/strategy", "release/judge", "release/judge/*", "release/opinion", "release/pipeline", "release/stage", "release/expr", "release/spinnaker", "release/trigger/*", "release/guard"}
	eachGoFile(t, func(path string, fset *token.FileSet, file *ast.File, _ []byte) {
		if strings.HasSuffix(path, "_test.go") || !matchAny(pure, filepath.Dir(path)) {
			return
		}
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(name, "math/rand") {
				t.Errorf("%s imports %s: randomness arrives as a value here", path, name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isClock(call) {
				t.Errorf("%s reads the clock: time arrives as a value here", fset.Position(call.Pos()))
			}
			return true
		})
	})
}

func isClock(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "After", "Sleep", "NewTimer", "NewTicker"}, selector.Sel.Name)
}

// TestLayout: the root listing is the architecture; no drawer for odds and ends.
func TestLayout(t *testing.T) {
	banned := []string{"pkg", "util", "utils", "common", "helpers", "core", "types", "misc"}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules" || entry.Name() == "bin") {
			return fs.SkipDir
		}
		if entry.IsDir() && slices.Contains(banned, entry.Name()) {
			t.Errorf("folder %s: give it a noun of its own", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRequirements keeps the list of direct modules short.
func TestRequirements(t *testing.T) {
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(gomod)) {
		if strings.HasPrefix(line, "\t") && !strings.Contains(line, "// indirect") {
			direct++
		}
	}
	if direct == 0 || direct > maxDirectRequires {
		t.Errorf("%d direct requirements, want 1 to %d, each with a reason in docs/dependencies.md", direct, maxDirectRequires)
	}
	if strings.Contains(string(gomod), "\nreplace ") {
		t.Error("go.mod replaces a module: upstream it instead")
	}
}

func eachGoFile(t *testing.T, visit func(path string, fset *token.FileSet, file *ast.File, source []byte)) {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	seen := 0
	for path := range strings.FieldsSeq(string(out)) {
		source, err := os.ReadFile(path)
		if err != nil {
			continue // deleted, not yet committed
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if !ast.IsGenerated(file) {
			visit(path, fset, file, source)
		}
	}
	if seen == 0 {
		t.Fatal(fmt.Errorf("no Go files found"))
	}
}
