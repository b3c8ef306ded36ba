package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// names are what a page calls something that has another name in every run: a digest, a
// commit, a version made from a commit. What is equal on the page must be equal in fact,
// and what differs there must differ.
type names struct {
	actual map[string]string // by what the page has
	page   map[string]string // the other way round
}

func newNames() *names { return &names{map[string]string{}, map[string]string{}} }

// Patterns of what differs from run to run. The first is learned; the others may have any
// value.
var (
	learned = regexp.MustCompile(`v[0-9]+\.[0-9]+\.[0-9]+-(?:[0-9.]+\.)?[0-9]{14}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b`)
	loose   = []*regexp.Regexp{
		regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?`),
		regexp.MustCompile(`\b[0-9]+m[0-9]+(?:\.[0-9]+)?s\b|\b[0-9]+(?:\.[0-9]+)?(?:ns|µs|ms|s)\b`),
		regexp.MustCompile(`\b[0-9]+(?:\.[0-9]+)? (?:B|kB|MB|GB)\b`),
		regexp.MustCompile(`\b[0-9]+ (?:parts|tests?|packages?|components)\b`),
		regexp.MustCompile(`\bgo1\.[0-9]+(?:\.[0-9]+)?\b`),
		regexp.MustCompile(`\b(?:docker|Podman|podman) [0-9][0-9A-Za-z.+~-]*`),
		regexp.MustCompile(`\b[0-9]{10}\b`),
		regexp.MustCompile(`\bgit +[0-9]+\.[0-9]+\.[0-9]+`),
		regexp.MustCompile(`\bGOMAXPROCS=[0-9]+`),
		regexp.MustCompile(`\b[0-9]+ of [0-9]+ checks\b`),
	}
	anything = []string{`\S+`, `[0-9hms.µn]+`, `[0-9.]+ (?:B|kB|MB|GB)`, `[0-9]+ \w+`, `go1\.\S+`, `\w+ \S+`, `[0-9]+`, `git +[0-9.]+`, `GOMAXPROCS=[0-9]+`, `[0-9]+ of [0-9]+ checks`}
	inAll    = regexp.MustCompile(`^(\S+ in all)( ·.*)?$`)
)

// know replaces what the page calls something by what it is in this run.
func (n *names) know(text string) string {
	return learned.ReplaceAllStringFunc(text, func(s string) string {
		if a, ok := n.actual[s]; ok {
			return a
		}
		return s
	})
}

// compare holds the output of a command against what the page shows, and learns names
// from it. A line "…" stands for any lines, and "…" in a line for any text.
func (n *names) compare(shown []string, output string) error {
	shown, got := tidy(shown), tidy(strings.Split(output, "\n"))
	var pattern strings.Builder
	var asked []string
	for _, l := range shown {
		if strings.TrimSpace(l) == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		line, a := n.line(l)
		pattern.WriteString(line + `\n`)
		asked = append(asked, a...)
	}
	text := strings.Join(got, "\n") + "\n"
	m := regexp.MustCompile(`^` + pattern.String() + `$`).FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s\n--- the page\n%s\n--- the command\n%s", n.first(shown, text), strings.Join(shown, "\n"), text)
	}
	for i, a := range asked {
		is := m[i+1]
		if before, ok := n.actual[a]; ok && before != is {
			return fmt.Errorf("%s was %s before, and is %s now\n%s", a, before, is, text)
		}
		if before, ok := n.page[is]; ok && before != a {
			return fmt.Errorf("the page has two names, %s and %s, for %s\n%s", before, a, is, text)
		}
		n.actual[a], n.page[is] = is, a
	}
	return nil
}

// line is the expression for one line, and the names that its groups give.
func (n *names) line(l string) (string, []string) {
	var pattern strings.Builder
	var asked []string
	for l != "" {
		// the earliest of the patterns; of several, the first named
		at, end, which := len(l), len(l), -2
		if m := learned.FindStringIndex(l); m != nil {
			at, end, which = m[0], m[1], -1
		}
		for i, p := range loose {
			if m := p.FindStringIndex(l); m != nil && m[0] < at {
				at, end, which = m[0], m[1], i
			}
		}
		for i, part := range strings.Split(l[:at], "…") {
			if i > 0 {
				pattern.WriteString(`.*?`)
			}
			for j, word := range regexp.MustCompile(` +`).Split(part, -1) {
				if j > 0 {
					pattern.WriteString(` +`)
				}
				pattern.WriteString(regexp.QuoteMeta(word))
			}
		}
		switch {
		case which == -1:
			same := learned.FindString(l)
			kind := fmt.Sprintf(`([0-9a-f]{%d})`, len(same))
			if same[0] == 'v' {
				kind = `(v[0-9]+\.[0-9]+\.[0-9]+-[0-9.]+-[0-9a-f]{12})`
			}
			pattern.WriteString(kind)
			asked = append(asked, same)
		case which >= 0:
			pattern.WriteString(anything[which])
		}
		l = l[end:]
	}
	return pattern.String(), asked
}

// first says which line of the page the output lacks, as far as that can be told.
func (n *names) first(shown []string, text string) string {
	for _, l := range shown {
		if strings.TrimSpace(l) == "…" {
			continue
		}
		if line, _ := n.line(l); !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(text) {
			return fmt.Sprintf("the output lacks %q", l)
		}
	}
	return "the lines are others, or in another order"
}

// tidy removes what depends on the machine's speed: the order of stages that run at once,
// the slowest stages, and what is in caches.
func tidy(lines []string) []string {
	var all []string
	for _, l := range lines {
		l = strings.TrimRight(l, " \t\r")
		if m := inAll.FindStringSubmatch(l); m != nil {
			l = m[1]
		}
		if strings.HasPrefix(l, "ok ") {
			l = strings.TrimSpace(strings.TrimSuffix(l, "up to date"))
		}
		if strings.HasPrefix(l, "go: downloading ") {
			continue
		}
		all = append(all, l)
	}
	for from := 0; from < len(all); from++ {
		to := from
		for to < len(all) && (strings.HasPrefix(all[to], "ok ") || strings.HasPrefix(all[to], "note ")) {
			to++
		}
		slices.Sort(all[from:to])
		from = max(from, to-1)
	}
	for len(all) > 0 && all[0] == "" {
		all = all[1:]
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func TestCompare(t *testing.T) {
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for _, c := range []struct {
		name, shown, output string
		differs             bool
	}{
		{"the same", "one\ntwo", "one\ntwo\n", false},
		{"another line", "one\ntwo", "one\nthree\n", true},
		{"a line more", "one", "one\ntwo\n", true},
		{"a line less", "one\ntwo", "one\n", true},
		{"lines left out", "one\n…\nfour", "one\ntwo\nthree\nfour\n", false},
		{"lines left out at the end", "one\n…", "one\ntwo\n", false},
		{"no lines left out", "one\n…\ntwo", "one\ntwo\n", false},
		{"text left out", "{\"a\":1,…", "{\"a\":1,\"b\":2}\n", false},
		{"stages in another order", "ok  compile  2.6s\nok  test     9.8s  59 tests, 8 packages\n\nend", "ok  test     1m3s  60 tests, 9 packages\nok  compile   15ms\n\nend\n", false},
		{"an outcome that differs", "ok  test  9.8s  59 tests", "ok  test  9.8s  no tests\n", true},
		{"slowest stages", "9.8s in all · test 9.8s", "1m0.5s in all · compile 1s · test 20ms\n", false},
		{"sizes and columns", "  rootfs  187.8 kB  tmp", "  rootfs 1.2 MB   tmp\n", false},
		{"a digest", "sha256:" + a, "sha256:" + b + "\n", false},
		{"equal on the page", a + " " + a, a + " " + b + "\n", true},
		{"different on the page", a + " " + b, a + " " + a + "\n", true},
		{"no digest", "sha256:" + a, "sha256:none\n", true},
		{"a version", "x:v0.0.0-20261124155048-d86e4f568498-dirty", "x:v0.0.0-20260203040506-0123456789ab-dirty\n", false},
		{"a version without its suffix", "x:v0.0.0-20261124155048-d86e4f568498-dirty", "x:v0.0.0-20260203040506-0123456789ab\n", true},
		{"a fixed version", "v1.0.0", "v1.0.1\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := newNames().compare(strings.Split(c.shown, "\n"), c.output)
			if (err != nil) != c.differs {
				t.Errorf("%v", err)
			}
		})
	}
	n := newNames()
	if err := n.compare([]string{"digest " + a}, "digest "+b); err != nil {
		t.Fatal(err)
	}
	if got := n.know("mage verify x@sha256:" + a); got != "mage verify x@sha256:"+b {
		t.Errorf("know: %s", got)
	}
	if err := n.compare([]string{a}, a); err == nil {
		t.Error("a digest changed from one command to the next, and nothing was said")
	}
}
