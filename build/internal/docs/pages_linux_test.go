package docs

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// root is the repository's.
var root = filepath.Join("..", "..", "..")

// fixtures are the pages, and the sections of pages, that are not read in a clone of
// thimble, but in a repository of testdata, or in an empty folder.
var fixtures = map[string]string{
	"README.md":                    ".",
	"README.md#In your repository": "hello",
	"README.md#What you get":       ".",
	"benchmarks.md":                "thimble",
	"ci.md":                        "hello",
	"kubernetes.md":                "hello",
	"migrating-from-dockerfile.md": "clock",
	"migrating-from-ko.md":         "greeter",
	"migrating-from-goreleaser.md": "shout",
	"offline.md":                   "hello",
	"reproducibility.md":           "lines",
	"reproducibility.md#GOFLAGS":   "thimble",
	"troubleshooting.md":           "hello",
	"monorepos.md":                 "mono",
	"monorepos.md#Several modules": "modules",
	"vendoring.md":                 "hello",
}

// setUp brings a repository to where README.md ends.
const setUp = "go run github.com/thimble-build/thimble/build/init@latest && git add -A && git commit -q -m 'Build with thimble'"

// before are the commands that a reader has typed when a page, or a section of it, begins.
var before = map[string][]string{
	"kubernetes.md": {
		setUp, "export COSIGN_PASSWORD=secret THIMBLE_REPOSITORY=ghcr.io/acme THIMBLE_PLATFORMS=linux/amd64",
		"go run ./magefiles/mage.go keys -name=../acme && cp ../acme.pub . && export THIMBLE_KEY=../acme.key",
		"mkdir k8s && printf 'kind: Pod\\nspec: {containers: [{name: hello, image: ghcr.io/acme/hello}]}\\n' >k8s/pod.yaml",
		"git add -A && git commit -q -m Manifests && git tag v1.2.3",
	},
	"offline.md":         {setUp, "go -C magefiles mod vendor && git add -A && git commit -q -m Vendored", "export GOMODCACHE=$(mktemp -d)"},
	"reproducibility.md": {setUp, "git tag v1.0.0"},
	"reproducibility.md#From nothing but an image": {
		"export COSIGN_PASSWORD=secret THIMBLE_REPOSITORY=ghcr.io/acme THIMBLE_PLATFORMS=linux/amd64", "go run ./magefiles/mage.go keys -name=../acme",
		"THIMBLE_KEY=../acme.key go run ./magefiles/mage.go release",
	},
	"troubleshooting.md": {setUp, "git tag v1.2.3"},
}

// notRun are the commands that cannot be typed here, and why.
var notRun = map[string]string{
	`go -C magefiles get -tool github.com/go-delve/delve/cmd/dlv`:                  "Debian's whole index, and a real mirror; TestDebugInDocker locks",
	`go -C magefiles tool mage -d .. -w .. lock`:                                   "Debian's whole index, and a real mirror; TestDebugInDocker locks",
	`go -C magefiles tool mage -d .. -w .. debug -load`:                            "it attaches to what runs; TestDebugInDocker does",
	`docker run --rm -p 127.0.0.1:40000:40000 --user=65532:65532 api:v1.2.3-debug`: "it attaches to what runs; TestDebugInDocker does",
	`mage run`:                    "it runs until Ctrl-C; TestRunInDocker does",
	`mage run -watch`:             "it runs until Ctrl-C; TestRerunInDocker does",
	`dlv connect 127.0.0.1:40000`: "it attaches to what runs; TestDebugInDocker does",
	`docker run --rm -p 127.0.0.1:40000:40000 --entrypoint=dlv api:v1.2.3-debug exec --headless --listen=:40000 --api-version=2 /app/api`: "it attaches to what runs; TestDebugInDocker does",
	`kubectl debug POD --copy-to=POD-debug --set-image=CONTAINER=ghcr.io/acme/api:v1.2.3-debug`:                                           "there is no cluster",
	`kubectl port-forward pod/POD-debug 40000`:                   "there is no cluster",
	`kubectl exec -it POD-debug -- sh`:                           "there is no cluster",
	`go -C magefiles tool mage -d .. -w .. debug -toolbox -load`: "it attaches to what runs; TestDebugInDocker does",
	`docker run --rm -it --pid=container:CONTAINER --cap-add=SYS_PTRACE --user=0:0 api:v1.2.3-toolbox dlv attach 1`:                     "it attaches to what runs; TestDebugInDocker does",
	`kubectl debug -it POD --image=ghcr.io/acme/api:v1.2.3-toolbox --target=CONTAINER --custom=dist/debug/toolbox.json -- dlv attach 1`: "there is no cluster",
	`gdb -ex "set debug-file-directory dist/debug" dist/bin/api/linux_amd64/api`:                                                        "a session at a terminal; TestSymbols reads the file",
	`dlv core dist/bin/api/linux_amd64/api core`:                                                                                        "a session at a terminal; TestSymbols reads the file",
	"mage resolve -f k8s | kubectl apply -f -":                                                                                          "there is no cluster; TestKubectlApplies pipes it",
	"kubectl kustomize overlays/production | mage resolve -f - | kubectl apply -f -":                                                    "there is no cluster; TestKubectlApplies pipes it",
	"helm template shop charts/shop | mage resolve -f - | kubectl apply -f -":                                                           "there is no cluster; TestKubectlApplies pipes it",
	"go test ./...":                    "this test is a part of it, and .ci/run runs it",
	"go tool mage bench -only=image":   "minutes of measuring, on a machine that does nothing else",
	"go tool mage bench -only=release": "minutes of measuring, on a machine that does nothing else",
}

// TestPages types the commands of every page, in order, and compares what comes with what
// the page shows.
func TestPages(t *testing.T) {
	testtool.OnRequest(t, "minutes, Docker and stock clients")
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	ok(t, err)
	base := newBase(t)
	used, pages, sections := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, name := range append([]string{filepath.Join(root, "README.md")}, names...) {
		text, err := os.ReadFile(name)
		ok(t, err)
		all, err := steps(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range all {
			if _, ok := notRun[s.command]; ok {
				used[s.command] = true
			}
		}
		pages[filepath.Base(name)] = true
		if len(all) == 0 {
			continue
		}
		for _, s := range all {
			sections[filepath.Base(name)+"#"+s.section] = true
		}
		t.Run(filepath.Base(name), func(t *testing.T) { read(t, enter(t, base), name, all) })
	}
	for command := range notRun {
		if !used[command] {
			t.Errorf("no page has the command %q, which notRun excuses", command)
		}
	}
	for of := range before {
		if !pages[of] && !sections[of] {
			t.Errorf("no page and no section with commands is %s, which before names", of)
		}
	}
	for of := range fixtures {
		if _, section, _ := strings.Cut(of, "#"); section != "" && !sections[of] {
			t.Errorf("no page has commands in the section %s, which fixtures names", of)
		} else if section == "" && !pages[of] {
			t.Errorf("no page is called %s, which fixtures names", of)
		}
	}
}

// read does what a page has its reader do. It goes on after a difference, so that one run
// shows all of them.
func read(t *testing.T, w *world, name string, all []step) {
	known, page, section := newNames(), filepath.Base(name), ""
	w.goTo(cmp.Or(fixtures[page], "thimble"))
	w.prepare(before[page])
	for _, s := range all {
		if s.section != section {
			if fixture := fixtures[page+"#"+s.section]; fixture != "" {
				w.goTo(fixture)
			}
			w.prepare(before[page+"#"+s.section])
		}
		section = s.section
		if s.file != "" {
			w.write(s.file, known.know(s.content))
			continue
		}
		if _, ok := notRun[s.command]; ok {
			continue
		}
		command := known.know(s.command)
		began := time.Now()
		output, status := w.run(t.Context(), command)
		t.Logf("%s  %s:%d: $ %s", time.Since(began).Round(time.Millisecond), filepath.Base(name), s.line, command)
		if calls(command, "docker") || strings.Contains(command, "-load") {
			w.forget(command, output)
		}
		fails := slices.ContainsFunc(s.output, func(l string) bool { return strings.HasPrefix(l, "Error: ") })
		if strings.HasPrefix(command, "diff ") && len(s.output) > 0 {
			fails = status == 1 // that the two differ is what the page shows
		}
		if (status != 0) != fails && status != 141 { // SIGPIPE, before head
			t.Errorf("%s:%d: $ %s\nexit status %d\n%s", name, s.line, command, status, output)
			continue
		}
		if len(s.output) == 0 {
			continue
		}
		if err := known.compare(s.output, output); err != nil {
			t.Errorf("%s:%d: $ %s\n%v", name, s.line, command, err)
		}
	}
}
