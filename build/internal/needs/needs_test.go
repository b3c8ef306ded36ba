package needs

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// programs are the folders of testdata/needs, and what Scan says of each.
var programs = []struct {
	name     string
	needs    []string
	embedded []string
}{
	{name: "bare"},
	{name: "little"},
	{name: "hello"},
	{name: "ca-certificates", needs: []string{plan.NeedCACertificates}},
	{name: "ca-certificates-embedded", embedded: []string{plan.NeedCACertificates}},
	{name: "exec", needs: []string{plan.NeedExec}},
	{name: "exec-syscall", needs: []string{plan.NeedExec}},
	{name: "groups", needs: []string{plan.NeedUsers}},
	{name: "home", needs: []string{plan.NeedHome, plan.NeedUsers}},
	{name: "mime-types", needs: []string{plan.NeedMIMETypes}},
	{name: "protocols", needs: []string{plan.NeedServices}},
	{name: "server", needs: []string{plan.NeedCACertificates, plan.NeedServices}},
	{name: "services", needs: []string{plan.NeedServices}},
	{name: "tmp", needs: []string{plan.NeedTmp}},
	{name: "users", needs: []string{plan.NeedHome, plan.NeedUsers}},
	{name: "zoneinfo", needs: []string{plan.NeedZoneinfo}},
	{name: "zoneinfo-embedded", embedded: []string{plan.NeedZoneinfo}},
}

func TestScanPrograms(t *testing.T) {
	testtool.NotShort(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			checkNeeds(t, scanFile(t, filepath.Join(built(t), p.name)), p.needs, p.embedded)
		})
	}
}

// A toolchain that renames a function that the rules name must be noticed: each
// is linked by one of the programs.
func TestEveryRuleIsLinked(t *testing.T) {
	var found nameSet
	for _, p := range programs {
		file, size := open(t, filepath.Join(built(t), p.name))
		names, unknown, err := functions(file, size)
		if err != nil || unknown != "" {
			t.Fatal(p.name, unknown, err)
		}
		found |= names
	}
	for name, bit := range nameBits {
		if found&bit == 0 {
			t.Errorf("no program holds %s", name)
		}
	}
}

func TestRulesCoverEveryNeed(t *testing.T) {
	var names []string
	for _, r := range rules {
		names = append(names, r.need)
	}
	want := append(slices.Clone(plan.Needs), plan.NeedExec)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("rules are for %v, want %v", names, want)
	}
	if len(nameBits) > 64 {
		t.Errorf("%d names do not fit in a nameSet", len(nameBits))
	}
	for name := range nameBits {
		if len(name) > longestName {
			t.Errorf("%s is longer than %d bytes", name, longestName)
		}
		if lookup([]byte(name)) != nameBits[name] {
			t.Errorf("%s is not found", name)
		}
		if lookup([]byte(name+".")) != 0 || lookup([]byte("x"+name)) != 0 || lookup([]byte(name[1:])) != 0 {
			t.Errorf("a name that is only like %s is found", name)
		}
	}
}

// Byte orders, pointer sizes, instruction sizes and a PIE.
func TestScanOtherMachines(t *testing.T) {
	testtool.OnRequest(t, "minutes: the standard library is compiled for other machines")
	for _, machine := range []struct {
		arch string
		args []string
	}{{"arm", nil}, {"mips", nil}, {"s390x", nil}, {"amd64", []string{"-buildmode=pie"}}} {
		t.Run(machine.arch+strings.Join(machine.args, ""), func(t *testing.T) {
			dir := t.TempDir()
			goBuild(t, dir, machine.arch, append(machine.args, "./hello", "./tmp", "./zoneinfo-embedded")...)
			checkNeeds(t, scanFile(t, filepath.Join(dir, "hello")), nil, nil)
			checkNeeds(t, scanFile(t, filepath.Join(dir, "tmp")), []string{plan.NeedTmp}, nil)
			checkNeeds(t, scanFile(t, filepath.Join(dir, "zoneinfo-embedded")), nil, []string{plan.NeedZoneinfo})
		})
	}
}

func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		program, need string
		want          []string
	}{
		{"exec", plan.NeedExec, []string{"os/exec.Command", "os/exec.CommandContext", "os/exec.(*Cmd).Start"}},
		{"server", plan.NeedCACertificates, []string{"crypto/x509.loadSystemRoots"}},
		{"zoneinfo-embedded", plan.NeedZoneinfo, []string{"time/tzdata.init.0"}},
	} {
		report := scanFile(t, filepath.Join(built(t), c.program))
		i := slices.IndexFunc(report.Needs, func(n plan.Need) bool { return n.Name == c.need })
		if i < 0 || !slices.Equal(report.Needs[i].Evidence, c.want) {
			t.Errorf("%s: got %v, want %s because of %v", c.program, report.Needs, c.need, c.want)
		}
	}
}

// The file is never held whole: no read is larger than the one buffer, and a
// table of 30 MB takes no more memory than a small one.
func TestScanStreams(t *testing.T) {
	allocated := func(names int) uint64 {
		file := tinyELF{filler: names}.bytes()
		reader := &largestRead{ReaderAt: strings.NewReader(string(file))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		report, err := Scan(reader, int64(len(file)))
		runtime.ReadMemStats(&after)
		if err != nil || report.Unknown != "" {
			t.Fatal(report.Unknown, err)
		}
		if reader.largest > bufferSize {
			t.Errorf("one read of %d bytes", reader.largest)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := allocated(10), allocated(1_000_000)
	if large > small+bufferSize {
		t.Errorf("%d bytes allocated for a large table, %d for a small one", large, small)
	}
}

type largestRead struct {
	io.ReaderAt
	largest int
}

func (r *largestRead) ReadAt(p []byte, off int64) (int, error) {
	r.largest = max(r.largest, len(p))
	return r.ReaderAt.ReadAt(p, off)
}

func TestApply(t *testing.T) {
	report := Report{Needs: []plan.Need{
		{Name: plan.NeedCACertificates, Evidence: []string{"a"}, Embedded: true},
		{Name: plan.NeedExec, Evidence: []string{"b"}},
		{Name: plan.NeedTmp, Evidence: []string{"c"}},
	}}
	ca, exec, tmp := report.Needs[0], report.Needs[1], report.Needs[2]
	force := func(name string) plan.Need { return plan.Need{Name: name, Evidence: []string{"forced by Config"}} }
	for _, c := range []struct {
		name             string
		include, exclude []string
		want             []plan.Need
	}{
		{"nothing asked", nil, nil, []plan.Need{ca, exec, tmp}},
		{"forced", []string{plan.NeedHome}, nil, []plan.Need{ca, exec, force(plan.NeedHome), tmp}},
		{"forced twice", []string{plan.NeedHome, plan.NeedHome}, nil, []plan.Need{ca, exec, force(plan.NeedHome), tmp}},
		{"forced and there anyway", []string{plan.NeedTmp}, nil, []plan.Need{ca, exec, tmp}},
		{"forced though embedded", []string{plan.NeedCACertificates}, nil, []plan.Need{force(plan.NeedCACertificates), exec, tmp}},
		{"forbidden", nil, []string{plan.NeedTmp, plan.NeedCACertificates}, []plan.Need{exec}},
		{"warning silenced", nil, []string{plan.NeedExec}, []plan.Need{ca, tmp}},
		{"forbidden and not there", nil, []string{plan.NeedHome}, []plan.Need{ca, exec, tmp}},
		{"both", []string{plan.NeedTmp, plan.NeedHome}, []string{plan.NeedTmp, plan.NeedHome}, []plan.Need{ca, exec}},
	} {
		if got := report.Apply(c.include, c.exclude); !equalNeeds(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if !equalNeeds(report.Needs, []plan.Need{ca, exec, tmp}) || !report.Needs[0].Embedded {
		t.Errorf("Apply changed the report: %v", report.Needs)
	}
}

func equalNeeds(a, b []plan.Need) bool {
	return slices.EqualFunc(a, b, func(a, b plan.Need) bool {
		return a.Name == b.Name && a.Embedded == b.Embedded && slices.Equal(a.Evidence, b.Evidence)
	})
}

func checkNeeds(t *testing.T, report Report, needs, embedded []string) {
	t.Helper()
	if report.Unknown != "" {
		t.Errorf("unknown: %s", report.Unknown)
	}
	var gotNeeds, gotEmbedded []string
	for _, n := range report.Needs {
		if len(n.Evidence) == 0 || len(n.Evidence) > 3 {
			t.Errorf("%s: evidence is %v", n.Name, n.Evidence)
		}
		if n.Embedded {
			gotEmbedded = append(gotEmbedded, n.Name)
		} else {
			gotNeeds = append(gotNeeds, n.Name)
		}
	}
	if !slices.Equal(gotNeeds, needs) || !slices.Equal(gotEmbedded, embedded) {
		t.Errorf("got %v, want %v, and of those embedded %v", report.Needs, needs, embedded)
	}
}

func scanFile(t testing.TB, path string) Report {
	t.Helper()
	file, size := open(t, path)
	report, err := Scan(file, size)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func open(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return file, info.Size()
}

// builtOnce has the programs for linux on this machine's architecture, built by
// the first test that asks.
var builtOnce struct {
	sync.Once
	dir string
}

func built(t testing.TB) string {
	t.Helper()
	builtOnce.Do(func() { goBuild(t, builtOnce.dir, runtime.GOARCH, "./...") })
	return builtOnce.dir
}

func goBuild(t testing.TB, dir, arch string, args ...string) {
	t.Helper()
	goBuildIn(t, filepath.Join("..", "..", "..", "testdata", "needs"), dir, arch, args...)
}

func goBuildIn(t testing.TB, module, dir, arch string, args ...string) {
	t.Helper()
	cmd := testtool.Command(t, "go", slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}, args)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %v: %v\n%s", args, err, out)
	}
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "thimble-needs")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		builtOnce.dir = dir
		return m.Run()
	}())
}

// C code is as good as unknown: it gets all, for the reasons that are known where there are
// some.
func TestWithC(t *testing.T) {
	r := Report{Needs: []plan.Need{
		{Name: plan.NeedTmp, Evidence: []string{"os.TempDir"}},
		{Name: plan.NeedZoneinfo, Evidence: []string{"time/tzdata.init"}, Embedded: true},
	}}
	got := r.WithC()
	if got.Unknown == "" {
		t.Error("it says nothing of C")
	}
	byName := map[string]plan.Need{}
	for _, n := range got.Needs {
		byName[n.Name] = n
	}
	if len(byName) != len(plan.Needs) { // which are all but the warning
		t.Errorf("the needs are %v", got.Needs)
	}
	if n := byName[plan.NeedTmp]; !slices.Equal(n.Evidence, []string{"os.TempDir"}) {
		t.Errorf("tmp is needed for %v", n.Evidence)
	}
	if n := byName[plan.NeedZoneinfo]; n.Embedded || slices.Contains(n.Evidence, "time/tzdata.init") {
		t.Errorf("C cannot use what a Go package brings: %+v", n)
	}
	r.Needs = append(r.Needs, plan.Need{Name: plan.NeedExec, Evidence: []string{"os.StartProcess"}})
	if got := r.WithC().Needs; !slices.ContainsFunc(got, func(n plan.Need) bool { return n.Name == plan.NeedExec }) {
		t.Errorf("the warning got lost: %v", got)
	}
	if r := everything("it is packed"); r.WithC().Unknown != "it is packed" {
		t.Error("what was unknown before stays so")
	}
}

// Two programs need what either needs; files that only one of them embeds are needed by the other.
func TestAnd(t *testing.T) {
	need := func(name string, embedded bool, evidence ...string) plan.Need {
		return plan.Need{Name: name, Embedded: embedded, Evidence: evidence}
	}
	a := Report{Needs: []plan.Need{need("home", false, "a", "b"), need("tmp", true, "a"), need("zoneinfo", true, "a")}}
	b := Report{Needs: []plan.Need{need("exec", false, "x"), need("home", false, "b", "c", "d"), need("tmp", false, "y"), need("zoneinfo", true, "z")}, Unknown: "obfuscated"}
	want := Report{Unknown: "obfuscated", Needs: []plan.Need{
		need("exec", false, "x"), need("home", false, "a", "b", "c"), need("tmp", false, "y"), need("zoneinfo", true, "a", "z"),
	}}
	if got := a.And(b); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(a.Needs[0].Evidence) != 2 {
		t.Error("the first report changed")
	}
	if got := (Report{}).And(a); !reflect.DeepEqual(got, a) {
		t.Errorf("alone it is %+v", got)
	}
}
