package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/init/kitmodule"
	"github.com/thimble-build/thimble/build/internal/fileproxy"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// published is the kit as a user gets it: in a GOPROXY in the file system, with a module
// cache that was empty when the tests began.
var published struct {
	version string
	env     []string
	// bin holds init, installed from there; checkout is init, built here.
	bin, checkout string
	// goCommand is the path of the go command.
	goCommand string
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if !testtool.Asked() {
			return m.Run()
		}
		temp, err := os.MkdirTemp("", "thimble-init-test")
		if err == nil {
			defer os.RemoveAll(temp)
			err = publish(temp)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "publish the kit:", err)
			return 1
		}
		return m.Run()
	}())
}

func publish(temp string) error {
	proxy := filepath.Join(temp, "proxy")
	kit, err := fileproxy.Publish(proxy, filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	if published.env, err = fileproxy.Environment(proxy, filepath.Join(temp, "modcache")); err != nil {
		return err
	}
	if published.goCommand, err = exec.LookPath("go"); err != nil {
		return err
	}
	gocache, err := testtool.Output("", nil, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	published.version, published.bin = kit.Version, filepath.Join(temp, "bin")
	published.env = append(published.env,
		"GOCACHE="+strings.TrimSpace(gocache), "GOWORK=", "SOURCE_DATE_EPOCH=",
		"XDG_CACHE_HOME="+filepath.Join(temp, "cache"),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
	)
	if _, err := testtool.Output("", append(slices.Clone(published.env), "GOBIN="+published.bin), "go", "install", kitmodule.Path+"/build/init@"+kit.Version); err != nil {
		return err
	}
	published.checkout = exe(filepath.Join(temp, "checkout"))
	_, err = testtool.Output("", nil, "go", "build", "-o", published.checkout, ".")
	return err
}

// TestScripts runs what a user types. "commit" makes a git repository of what is there,
// "actionlint" and "task" are the real ones, "gitlab" reads a workflow of GitLab's.
func TestScripts(t *testing.T) {
	testtool.OnRequest(t, "minutes: the kit is compiled as its users get it")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			if os.Geteuid() != 0 {
				return false, errors.New("this needs root, which gives files away")
			}
			return true, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, published.env...)
			launcher, err := filepath.Abs(filepath.Join("launcher", "mage.go"))
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars, "LAUNCHER="+launcher, "ABOVE="+filepath.Dir(env.WorkDir), "CHECKOUT="+published.checkout, "VERSION="+published.version, "GO="+published.goCommand, "PATH="+published.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"commit": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(ts.Exec("git", "init", "-q", "-b", "main"))
				ts.Check(ts.Exec("git", "add", "-A"))
				ts.Check(ts.Exec("git", "commit", "-q", "-m", "a commit"))
			},
			"actionlint": tool("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
			"task":       tool("github.com/go-task/task/v3/cmd/task", "v3.54.0"),
			"gitlab":     gitlab,
		},
	})
}

// tool is a command that runs a stock program, which is built for it.
func tool(pkg, version string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		file, err := testtool.Build(pkg, version, "")
		if err != nil {
			ts.Fatalf("%v", err)
		}
		if err := ts.Exec(file, args...); (err != nil) != neg {
			ts.Fatalf("%s: %v", filepath.Base(file), err)
		}
	}
}

// gitlab checks that a workflow of GitLab's is YAML with both jobs, that only tags
// release, and that only a release gets an identity.
func gitlab(ts *testscript.TestScript, _ bool, args []string) {
	type job struct {
		Extends string
		Rules   []struct{ If string }
		Script  []string
		Tokens  map[string]struct{ Aud string } `yaml:"id_tokens"`

		Artifacts   struct{ Paths []string }
		Needs       []string
		Environment string
	}
	var jobs map[string]job
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[0])), &jobs))
	image, release := jobs["image"], jobs["release"]
	for name, j := range map[string]job{"image": image, "release": release} {
		common, ok := jobs[j.Extends]
		if !ok || len(j.Script) == 0 || len(j.Rules) == 0 || len(common.Artifacts.Paths) != 1 || path.Base(common.Artifacts.Paths[0]) != "summary.md" {
			ts.Fatalf("job %s: %+v", name, j)
		}
	}
	if len(release.Rules) != 1 || !strings.HasPrefix(release.Rules[0].If, "$CI_COMMIT_TAG =~ ") {
		ts.Fatalf("job release runs on %+v", release.Rules)
	}
	if release.Environment != "release" || !slices.Equal(release.Needs, []string{"image"}) || !slices.ContainsFunc(image.Artifacts.Paths, func(p string) bool { return path.Base(p) == "manifest.json" }) {
		ts.Fatalf("release: %+v, image: %+v", release, image)
	}
	for _, line := range release.Script {
		if strings.Contains(line, "mage.go ") && !strings.Contains(line, "reproduce -exitCode -between=") && !strings.Contains(line, "-test=false") {
			ts.Fatalf("the release job runs tests: %s", line)
		}
	}
	if len(image.Tokens) > 0 || release.Tokens["SIGSTORE_ID_TOKEN"].Aud != "sigstore" {
		ts.Fatalf("tokens: %+v of image, %+v of release", image.Tokens, release.Tokens)
	}
}

// TestLauncherIsPortable vets the launcher, which no pattern of packages matches.
func TestLauncherIsPortable(t *testing.T) {
	systems := []string{runtime.GOOS}
	if testtool.Part(t, "minutes: the standard library is compiled for two more systems") {
		systems = []string{"linux", "darwin", "windows"}
	}
	for _, goos := range systems {
		cmd := testtool.Command(t, "go", "vet", "mage.go")
		cmd.Dir, cmd.Env = "launcher", append(os.Environ(), "GOOS="+goos)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", goos, err, out)
		}
	}
	out, err := testtool.Command(t, "gofmt", "-l", "launcher").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v\n%s", err, out)
	}
	deps, err := testtool.Command(t, "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", filepath.Join("launcher", "mage.go")).Output()
	if err != nil || string(bytes.TrimSpace(deps)) != "command-line-arguments" {
		t.Errorf("the launcher imports %q, %v", deps, err)
	}
}

// TestLauncherKnowsSecrets wants the launcher, which imports nothing of the kit, to have the
// kit's patterns for secrets.
func TestLauncherKnowsSecrets(t *testing.T) {
	patterns := func(file, before string) []string {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range regexp.MustCompile(before+"`([^`]+)`").FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		return all
	}
	kit := patterns("../internal/secret/secret.go", "(?:names|keys|urls|wires) *= ")
	if launcher := patterns("launcher/mage.go", `(?:secretName|secretKey|secretURL|wireName) *= regexp.MustCompile\(`); len(kit) != 4 || !slices.Equal(launcher, kit) {
		t.Errorf("the launcher has %q, the kit %q", launcher, kit)
	}
}

// TestInitIsLight wants init to link little: all that it links is compiled before the first
// image, and again for the targets, which are compiled with -trimpath.
func TestInitIsLight(t *testing.T) {
	out, err := testtool.Command(t, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(string(out))))
	want := []string{
		"github.com/agext/levenshtein", "github.com/containerd/typeurl/v2", "github.com/docker/go-units", // all by moby/buildkit
		"github.com/moby/buildkit", "github.com/moby/docker-image-spec", "github.com/moby/patternmatcher",
		"github.com/opencontainers/go-digest", "github.com/opencontainers/image-spec", "github.com/pkg/errors",
		"github.com/planetscale/vtprotobuf", "github.com/rogpeppe/go-internal", kitmodule.Path, "github.com/tonistiigi/go-csvvalue",
		"go.yaml.in/yaml/v3", "golang.org/x/mod", "golang.org/x/sync", "golang.org/x/sys", "google.golang.org/protobuf", "mvdan.cc/sh/v3",
	}
	if !slices.Equal(modules, want) {
		t.Errorf("init links %q, want %q", modules, want)
	}
	targets, err := testtool.Command(t, "go", "list", "-deps", kitmodule.TargetsPath).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, parser := range []string{"github.com/moby/buildkit/", "mvdan.cc/sh/", kitmodule.Path + "/build/init/"} {
		if bytes.Contains(targets, []byte("\n"+parser)) {
			t.Errorf("the targets link %s", parser)
		}
	}
}

func exe(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".exe"
	}
	return path
}
