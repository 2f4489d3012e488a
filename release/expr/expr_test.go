package expr

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func evaluator(t *testing.T) *Evaluator {
	t.Helper()
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var values = map[string]any{
	"params": map[string]any{"version": "v2", "env": "prod"},
	"vars":   map[string]any{"n": 3.0, "list": []any{"a", "b"}, "none": nil, "half": 0.5},
	"stages": map[string]any{"ask": map[string]any{"phase": "Succeeded", "outputs": map[string]any{"choice": "go"}}},
	"run":    map[string]any{"started": time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)},
	"status": 200, "body": map[string]any{"ok": true},
}

func TestBool(t *testing.T) {
	e := evaluator(t)
	for source, want := range map[string]bool{
		`params.version == "v2"`:                                                                 true,
		`params.env != "prod"`:                                                                   false,
		`stages.ask.outputs.choice in ["go", "stop"]`:                                            true,
		`"version" in params && !("x" in params)`:                                                true,
		`vars.n == 3 && vars.n > 2 && vars.n + 1 == 4`:                                           true,
		`2 * vars.half == 1.0 && vars.n - 1 == 2 && 3 / vars.half == 6.0 && 7 / 2 == 3`:          true,
		`status == 200 && body.ok`:                                                               true,
		`run.started.getHours() < 18`:                                                            true,
		`vars.list + ["c"] == ["a", "b", "c"]`:                                                   true,
		`["a", "b"].map(x, x + "!").join(",") == "a!,b!"`:                                        true,
		`vars.list.exists(x, x == "b") && size("äb") == 2`:                                       true,
		`"äbc".substring(1) == "bc" && "äbc".indexOf("c")==2`:                                    true,
		`"a b".split(" ") == ["a", "b"]`:                                                         true,
		`" Äx ".trim().upperAscii() == "ÄX"`:                                                     true,
		`"v1.2".matches("^v[0-9.]+$")`:                                                           true,
		`{"a": {"b": [{"c": 1}]}}.a.b[0].c == 1`:                                                 true,
		strings.Repeat(`"a" + `, 60) + `"" != ""`:                                                true,
		`fromJson('{"a":[1]}').a[0] == 1`:                                                        true,
		`string(base64.decode(base64.encode("x"))) == "x"`:                                       true,
		`"a-b".replace("-", "+") == "a+b"`:                                                       true,
		`timestamp("2026-01-01T00:00:00Z") + duration("1h") > timestamp("2026-01-01T00:30:00Z")`: true,
	} {
		if err := e.Check(source, "bool"); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		if got, err := e.Bool(source, values); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", source, got, err, want)
		}
	}
}

// chain applies step n times to what it begins with.
func chain(n int, begin, step string) string { return begin + strings.Repeat(step, n) }

// TestRefused: what people try, and what would take all the memory or all the time there is.
func TestRefused(t *testing.T) {
	e := evaluator(t)
	long := map[string]any{"vars": map[string]any{"s": strings.Repeat("a", 100_000), "l": slices.Repeat([]any{"x"}, 2000)}}
	for name, c := range map[string]struct{ source, want string }{
		"java":                 {`T(java.lang.Runtime).getRuntime().exec("id")`, "there is no 'T'"},
		"new":                  {`new ProcessBuilder("id").start()`, "Syntax error"},
		"python":               {`"".__class__.__mro__`, "does not support field selection"},
		"template":             {`{{7*7}}`, "Syntax error"},
		"environment":          {`env["HOME"]`, "there is no 'env'"},
		"secret":               {`secrets.db.password`, "there is no 'secrets'"},
		"time":                 {`now()`, "there is no 'now'"},
		"a message":            {`google.protobuf.Value{string_value: "x"}`, "no messages"},
		"no bool":              {`"true"`, "has to be true or false"},
		"no bool from dyn":     {`vars.s`, "has to be true or false"},
		"missing":              {`vars.gone == 1`, "no such key: gone"},
		"not there yet":        {`status == 200`, "no such attribute"},
		"empty":                {``, "Syntax error"},
		"wrong type":           {`params.version + 1 == 2`, "no matching overload for '+'"},
		"1 MB":                 {`true || "` + strings.Repeat("x", 1<<20) + `" == ""`, "at most 4096"},
		"nested":               {strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), "recursion limit"},
		"comprehensions":       {`vars.l.all(a, vars.l.all(b, vars.l.all(c, a != "z")))`, "more than 100000 steps"},
		"text doubled":         {chain(4, `[vars.s]`, `.map(x, x + x)`) + `.size() > 0`, "at most 262144"},
		"text replaced":        {`vars.s.replace("a", vars.s).size() > 0`, "at most 262144"},
		"text replaced by it":  {chain(6, `"aaaaaaaaaaaaaaaaaaaaa"`, `.replace("", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`) + ` == ""`, "at most 262144"},
		"text joined":          {`vars.l.map(x, vars.s).join(" ") == ""`, "at most 262144"},
		"text in JSON":         {`toJson(vars.l.map(x, vars.s)) == ""`, "too large"},
		"list doubled":         {chain(20, `[[1, 2]]`, `.map(x, x + x)`) + `[0].size() > 0`, "at most 10000 are made"},
		"nested doubled":       {chain(20, `[[1]]`, `.map(x, [x, x])`) + ` == dyn([1])`, "too large"},
		"nested doubled, in":   {`dyn(1) in ` + chain(20, `[[1]]`, `.map(x, [x, x])`), "too large"},
		"nested doubled maps":  {chain(20, `[[1]]`, `.map(x, {"a": x, "b": x})`) + ` != dyn([1])`, "too large"},
		"type doubled":         {chain(16, `[1]`, `.map(x, {x: x})`) + ` == dyn([1])`, "too large"},
		"long == again":        {`vars.l.map(x, vars.l).all(x, x == vars.l)`, "more than 100000 steps"},
		"long size again":      {`vars.l.all(x, vars.s.contains("b") || size(vars.s) > 5)`, "more than 100000 steps"},
		"regex of repeats":     {`vars.s.matches("((a{0,100}){0,100}){0,9}$")`, "expression"},
		"regex, long":          {`vars.s.substring(0, 40000).matches("` + strings.Repeat("a?", 100) + `")`, "too much"},
		"regex, again":         {`vars.l.all(x, !"aaaaaaaaaaaaaaaaaaaa".matches("(a{1,100}){1,10}x"))`, "more than 100000 steps"},
		"regex of no text":     {`dyn(1).matches("a")`, "no such overload"},
		"no numbers":           {`dyn("a") - 1 == 2`, "no such overload"},
		"by nothing":           {`1 / 0 == 2`, "division by zero"},
		"errors are swallowed": {`vars.l.all(x, vars.l.map(y, vars.l) == [1] || true)`, "more than 100000 steps"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Bool(c.source, long)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

type config struct {
	Text   string            `json:"text,omitempty"`
	Named  name              `json:"named"`
	Yes    string            `json:"yes" expr:"bool"`
	Later  []string          `json:"later" expr:"later"`
	List   []string          `json:"list"`
	Map    map[string]name   `json:"map"`
	Inner  *config           `json:"inner"`
	Any    any               `json:"any"`
	Raw    []byte            `json:"raw"`
	Hidden map[string]string `json:"-"`
}

type name string

func TestExpand(t *testing.T) {
	e := evaluator(t)
	in := &config{
		Text: "deploy ${params.version} to ${params.env}: ${vars.list}", Named: "${vars.n}-${vars.half}", Yes: `"${x}" == ""`,
		Later: []string{"${body.url}"}, List: []string{`${ {"a": "}"}.a }`, "$${kept} $5 ${'<' + '}'}"},
		Map: map[string]name{"${key}": "${1 + 1}"}, Inner: &config{Any: "${[1, vars.n]}"}, Any: map[string]any{"x": "${params}", "y": "${vars.none}"},
		Raw: []byte("${raw}"),
	}
	want := &config{
		Text: `deploy v2 to prod: ["a","b"]`, Named: "3-0.5", Yes: in.Yes, Later: in.Later, List: []string{"}", "${kept} $5 <}"},
		Map: map[string]name{"${key}": "2"}, Inner: &config{Any: []any{int64(1), 3.0}},
		Any: map[string]any{"x": map[string]any{"version": "v2", "env": "prod"}, "y": nil}, Raw: in.Raw,
	}
	got, err := e.Expand(in, values)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
	if in.Text != "deploy ${params.version} to ${params.env}: ${vars.list}" || in.Inner.Any != "${[1, vars.n]}" {
		t.Error("it changed what it was given")
	}
}

func TestExpandErrors(t *testing.T) {
	e := evaluator(t)
	big := map[string]any{"vars": map[string]any{"s": strings.Repeat("a", 200_000), "none": nil}}
	for text, want := range map[string]string{
		"a ${vars.none}":                      "gives null",
		"${vars.gone}":                        "text: expression \"vars.gone\": no such key: gone",
		"${1 + 1":                             "has no end",
		"${'}":                                "has no end",
		"${b'x'}":                             "bytes are no text",
		"${1.0 / 0.0}":                        "not finite",
		"${int}":                              "is no value",
		strings.Repeat("${vars.s}", 6):        "more than 1048576 bytes",
		strings.Repeat("${vars.s.map(x)}", 2): "expression",
	} {
		if _, err := e.Expand(&config{Text: text}, big); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	heavy := "${[" + strings.Repeat("1,", 999) + "1].all(a, [1, 2, 3, 4].exists(c, c == 4))}"
	if _, err := e.Expand(&config{Text: strings.Repeat(heavy, 100)}, big); err == nil || !strings.Contains(err.Error(), "together take more") {
		t.Errorf("%v", err)
	}
}

func TestCheckAll(t *testing.T) {
	e := evaluator(t)
	bad := &config{
		Text: "${nobody}", Yes: "params.version", Later: []string{"", "${(}"}, List: []string{"${params.version}", "${"},
		Map: map[string]name{"a": "${1 + 'x'}"}, Inner: &config{Yes: "status == 200", Any: "${zzz}"},
	}
	got := slices.Sorted(maps.Keys(e.CheckAll(bad)))
	want := []string{"inner.any", "later[1]", "list[1]", "map[a]", "text", "yes"}
	if !slices.Equal(got, want) {
		t.Errorf("%v\n%v", got, want)
	}
}

// TestMapsHaveNoType: one of maps in maps would double with each.
func TestMapsHaveNoType(t *testing.T) {
	c, err := evaluator(t).compile(`[1].map(x, {"a": {x: x}})`)
	if err != nil || c.gives.String() != "list(dyn)" {
		t.Errorf("%v %v", c, err)
	}
}

// TestKept: a full memory of compiled expressions is emptied, and what is asked for again is the same.
func TestKept(t *testing.T) {
	e := evaluator(t)
	for i := range maxKept + 5 {
		if yes, err := e.Bool(fmt.Sprintf("%d == %d", i, i%maxKept), values); err != nil || yes != (i < maxKept) {
			t.Fatal(i, yes, err)
		}
	}
	if len(e.kept) != 5 {
		t.Errorf("%d are kept", len(e.kept))
	}
}
