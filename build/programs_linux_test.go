package build_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// suite has a server and a client, which needs more than the server, and another module of the same
// workspace with a tool.
var suite = map[string]string{
	"go.work":                "go 1.26\n\nuse (\n\t./server\n\t./tool\n)\n",
	"server/go.mod":          "module example.com/suite/server\n\ngo 1.26\n",
	"server/cmd/srv/main.go": "package main\n\nimport \"example.com/suite/server/shared\"\n\nvar mode string\n\nfunc main() { println(\"srv\", shared.Name, mode) }\n",
	"server/cmd/ctl/main.go": "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/suite/server/shared\"\n)\n\nfunc main() { println(\"ctl\", shared.Name, mode(), os.TempDir()) }\n",
	"server/cmd/ctl/a.go":    "//go:build extra\n\npackage main\n\nvar set string\n\nfunc mode() string { return set }\n",
	"server/cmd/ctl/b.go":    "//go:build !extra\n\npackage main\n\nfunc mode() string { return \"none\" }\n",
	"server/shared/name.go":  "package shared\n\nconst Name = \"shared\"\n",
	"server/conf/a.conf":     "a = 1\n",
	"server/conf/b.conf":     "b = 2\n",
	"server/conf/notes.txt":  "not copied\n",
	"server/run.sh":          "#!/bin/sh\n",
	"tool/go.mod":            "module example.com/suite/tool/v2\n\ngo 1.26\n",
	"tool/main.go":           "package main\n\nfunc main() { println(\"tool\") }\n",
}

// suiteRepo is a repository with the suite, whose server is v1.2.3.
func suiteRepo(t testing.TB) string {
	t.Helper()
	repo := service(t, suite)
	git(t, repo, "tag", "server/v1.2.3")
	return repo
}

// suiteConfig makes one image of the programs.
func suiteConfig() build.Config {
	return build.Config{Dir: "server", Images: []build.ImageConfig{{
		Package: "./cmd/srv", Programs: []build.Program{{Package: "./cmd/ctl"}, {Package: "../tool"}},
		BuildTags: []string{"extra"}, LDFlags: []string{"-X=main.mode={{.Version}}", "-X=main.set=on"},
		Assets:   []build.Asset{{Source: "conf/*.conf", Target: "/etc/suite"}},
		Symlinks: []build.Symlink{{Path: "/usr/local/bin/srv", Target: "/app/srv"}},
		Runtime:  build.Runtime{Entrypoint: []string{"/usr/local/bin/srv"}, Volumes: []string{"/data"}},
	}}}
}

// An image of several programs has a layer for each, what all of them need, and documents about all.
func TestPrograms(t *testing.T) {
	repo := suiteRepo(t)
	r := image(t, repo, settings{Options: build.Options{Config: suiteConfig()}})
	img := r.Plan.Images[0]
	if len(img.Programs) != 2 || img.Programs[0].Package != "example.com/suite/server/cmd/ctl" || img.Programs[0].Module != "" ||
		img.Programs[1].Package != "example.com/suite/tool/v2" || img.Programs[1].Name != "tool" || img.Programs[1].Module != img.Programs[1].Package {
		t.Errorf("the programs are %+v", img.Programs)
	}
	if !slices.Equal(img.LDFlags, []string{"-X=main.mode=1.2.3", "-X=main.set=on"}) || !slices.Equal(img.BuildTags, []string{"extra"}) {
		t.Errorf("the flags are %q, the tags %q", img.LDFlags, img.BuildTags)
	}
	p := r.Images[0].Platforms[0]
	var layers []string
	for _, l := range p.Layers {
		layers = append(layers, l.Name)
	}
	if want := []string{"rootfs", "assets", "binary", "program ctl", "program tool"}; !slices.Equal(layers, want) {
		t.Errorf("the layers are %q, want %q", layers, want)
	}
	if len(p.Needs) != 1 || p.Needs[0].Name != "tmp" {
		t.Errorf("the needs are %+v, although ctl uses a folder for temporary files", p.Needs)
	}
	said := map[string]string{"srv": "srv shared 1.2.3\n", "ctl": "ctl shared on /tmp\n", "tool": "tool\n"}
	paths := []string{p.Binary.Path}
	for _, further := range p.Programs {
		paths = append(paths, further.Path)
	}
	for _, file := range paths {
		name := filepath.Base(file)
		out, err := testtool.Command(t, filepath.Join(r.Dist, filepath.FromSlash(file))).CombinedOutput()
		if err != nil || string(out) != said[name] {
			t.Errorf("%s prints %q, %v", file, out, err)
		}
		delete(said, name)
	}
	if len(said) > 0 {
		t.Errorf("the output folder lacks %v; it has %q", said, paths)
	}
	checkSuiteSBOM(t, r)

	// A second run finds everything up to date, and gives the same image.
	again := image(t, repo, settings{Options: build.Options{Config: suiteConfig()}})
	if again.Images[0].Digest != r.Images[0].Digest {
		t.Error("a second run gives another image")
	}
}

// checkSuiteSBOM wants every program and every module in the SBOM.
func checkSuiteSBOM(t *testing.T, r *build.Result) {
	t.Helper()
	type component struct {
		Name       string
		Properties []struct{ Name, Value string }
		Components []component
	}
	var doc struct {
		Metadata   struct{ Component component }
		Components []component
	}
	file := must(os.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(r.Images[0].Platforms[0].SBOM.CycloneDX))))
	ok(t, json.Unmarshal(file, &doc))
	found := map[string]int{}
	var count func(all []component)
	count = func(all []component) {
		for _, c := range all {
			found[c.Name]++
			count(c.Components)
		}
	}
	count(append(doc.Components, doc.Metadata.Component))
	for _, want := range []string{"srv", "/app/ctl", "/app/tool", "example.com/suite/server", "example.com/suite/tool/v2", "/etc/suite/a.conf", "std"} {
		if found[want] != 1 {
			t.Errorf("the SBOM has %s %d times: %v", want, found[want], found)
		}
	}
	var programs []string
	for _, p := range doc.Metadata.Component.Properties {
		if p.Name == "thimble:program" {
			programs = append(programs, p.Value)
		}
	}
	if want := []string{"ctl example.com/suite/server/cmd/ctl", "tool example.com/suite/tool/v2"}; !slices.Equal(programs, want) {
		t.Errorf("the SBOM names the programs %q, want %q", programs, want)
	}
}

// With stable digests, an image changes if one of its programs does, and only then.
func TestProgramsAreInputs(t *testing.T) {
	repo := suiteRepo(t)
	config := suiteConfig()
	config.StableDigests, config.Images[0].LDFlags = true, nil
	digest := func() string {
		return image(t, repo, settings{Options: build.Options{Config: config}}).Images[0].Digest
	}
	first := digest()
	for _, change := range []struct {
		name, content string
		changes       bool
	}{
		{"server/conf/notes.txt", "edited\n", false},
		{"server/cmd/ctl/main_test.go", "package main\n", false},
		{"server/conf/c.conf", "c = 3\n", true},
		{"tool/main.go", "package main\n\nfunc main() { println(\"another tool\") }\n", true},
		{"server/cmd/ctl/b.go", "//go:build !extra\n\npackage main\n\nfunc mode() string { return \"no\" }\n", true}, // its tags do not matter
	} {
		save(t, filepath.Join(repo, change.name), change.content)
		git(t, repo, "add", "-A")
		git(t, repo, "commit", "-q", "-m", "a change")
		now := digest()
		if (now != first) != change.changes {
			t.Errorf("after a change of %s, whether the digest is the same is %t", change.name, now == first)
		}
		first = now
	}
}

// A release of several programs is verified, has an archive with all of them, and can be built
// again from its provenance.
func TestReleaseOfPrograms(t *testing.T) {
	host := registrytest.InProcess(t, true)
	key := newKey(t)
	repo := suiteRepo(t)
	o := options(t, repo, to(host, key))
	o.Config.Dir, o.Config.Images = "server", suiteConfig().Images
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	ref := r.Images[0].Reference
	report, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), ref)
	if err != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	folder := unpack(t, filepath.Join(r.Dist, filepath.FromSlash(r.Archives[0].Path)))
	for _, name := range []string{"srv", "ctl", "tool"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Errorf("the archive lacks %s: %v", name, err)
		}
	}
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{publicOf(key)}}, Mirror: repo}
	rebuilt, err := build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), ref, self(t))
	if err != nil {
		t.Errorf("%+v, %v", rebuilt, err)
	}
}

// inContainer returns what a container of an image prints.
func inContainer(t *testing.T, ref string, args ...string) string {
	t.Helper()
	at := slices.Index(args, "--")
	cmd := slices.Concat([]string{"run", "--rm"}, args[:max(at, 0)], []string{ref}, args[at+1:])
	out, err := testtool.Command(t, "docker", cmd...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %q: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// Every program runs in the image, through the symlink too, and a volume belongs to the user.
func TestProgramsInContainer(t *testing.T) {
	testtool.Docker(t)
	config := suiteConfig()
	config.Images[0].Programs = append(config.Images[0].Programs, build.Program{Package: "./cmd/look"})
	files := maps.Clone(suite)
	files["server/cmd/look/main.go"] = `package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	var s syscall.Stat_t
	err := syscall.Stat("/data", &s)
	link, _ := os.Readlink("/usr/local/bin/srv")
	conf, _ := os.ReadDir("/etc/suite")
	fmt.Println(err, s.Uid, s.Gid, os.WriteFile("/data/x", nil, 0o600), link, len(conf))
}
`
	repo := service(t, files)
	git(t, repo, "tag", "server/v1.2.3")
	ref := loadImageWith(t, settings{Options: build.Options{Workdir: repo, Cache: cacheFolder(t), Env: environment(), Config: config}, Load: true})
	for entrypoint, want := range map[string]string{
		"": "srv shared 1.2.3\n", "/app/srv": "srv shared 1.2.3\n", "/app/ctl": "ctl shared on /tmp\n", "/app/tool": "tool\n",
		"/app/look": "<nil> 65532 65532 <nil> /app/srv 2\n",
	} {
		args := []string{"--"}
		if entrypoint != "" {
			args = []string{"--entrypoint=" + entrypoint, "--"}
		}
		if got := inContainer(t, ref, args...); got != want {
			t.Errorf("%s prints %q, want %q", entrypoint, got, want)
		}
	}
}

// mage run -watch starts the image again when its second program changes.
func TestWatchOfPrograms(t *testing.T) {
	testtool.Docker(t)
	ctl := func(text string) string {
		return "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"ctl " + text + "\") }\n"
	}
	repo := service(t, map[string]string{
		"go.mod": plain["go.mod"], "cmd/ctl/main.go": ctl("one"),
		"cmd/srv/main.go": `package main

import (
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	ctl := exec.Command("/app/ctl")
	ctl.Stdout, ctl.Stderr = os.Stdout, os.Stderr
	if err := ctl.Run(); err != nil {
		panic(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop)
	<-stop
}
`,
	})
	r := start(t, build.RunOptions{Watch: true, Options: build.Options{
		Workdir: repo, Cache: cacheFolder(t), Env: environment(),
		Config: build.Config{Images: []build.ImageConfig{{Package: "./cmd/srv", Programs: []build.Program{{Package: "./cmd/ctl"}}}}},
	}})
	r.await(t, 0, "ctl one")
	for _, text := range []string{"two", "three"} {
		from := len(r.String())
		save(t, filepath.Join(repo, "cmd", "ctl", "main.go"), ctl(text))
		r.await(t, from, "ctl "+text)
		r.await(t, from, "cmd/ctl/main.go changed: started again")
	}
	if err := r.stop(t); err != nil && !strings.Contains(err.Error(), "context canceled") {
		t.Error(err)
	}
}

// A program with FIPS140 has that version of the Go Cryptographic Module, and says in the container
// that it is on.
func TestFIPS140(t *testing.T) {
	repo := service(t, map[string]string{
		"go.mod":  plain["go.mod"],
		"main.go": "package main\n\nimport (\n\t\"crypto/fips140\"\n\t\"fmt\"\n)\n\nfunc main() { fmt.Println(fips140.Enabled(), fips140.Version()) }\n",
	})
	for version, want := range map[string]string{"v1.0.0": "true v1.0.0\n", "latest": "true latest\n", "off": "false latest\n"} {
		o := settings{Options: build.Options{Env: environment("GOFIPS140=latest"), Config: build.Config{
			BuildTags: []string{"some"}, Defaults: build.ImageConfig{FIPS140: version},
		}}}
		r := image(t, repo, o)
		p := r.Images[0].Platforms[0]
		if out, err := testtool.Command(t, filepath.Join(r.Dist, filepath.FromSlash(p.Binary.Path))).Output(); err != nil || string(out) != want {
			t.Errorf("%s: it prints %q, %v; want %q", version, out, err, want)
		}
		if got := r.Plan.Images[0].FIPS140; got != version {
			t.Errorf("the plan has %q", got)
		}
		doc := string(must(os.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(p.SBOM.CycloneDX)))))
		if strings.Contains(doc, "thimble:gofips140") != (version != "off") {
			t.Errorf("%s: whether the SBOM names it is wrong", version)
		}
		if testtool.Part(t, "Docker") {
			testtool.Docker(t)
			o.Workdir, o.Cache = repo, cacheFolder(t)
			ref := loadImageWith(t, settings{Options: o.Options, Load: true})
			if out := inContainer(t, ref); out != want {
				t.Errorf("%s: in the container it prints %q; want %q", version, out, want)
			}
		}
	}
	refuse := func(words string, change func(*build.Config)) {
		t.Helper()
		o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Cache: cacheFolder(t), Env: environment()}}
		change(&o.Config)
		_, err := build.Image(t.Context(), o.image())
		refused(t, err, words)
	}
	refuse(`FIPS140 is "1.0"`, func(c *build.Config) { c.Defaults.FIPS140 = "1.0" })
	save(t, filepath.Join(repo, "off.go"), "//go:debug fips140=off\n\npackage main\n")
	refuse("FIPS 140-3 mode is off", func(c *build.Config) { c.Defaults.FIPS140 = "v1.0.0" })
}
