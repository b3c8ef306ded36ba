package makefile

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/plan"
)

func parsed(t *testing.T, text string, o Options) *File {
	t.Helper()
	o.Read = func(name string) (string, bool) {
		files := map[string]string{"Makefile": text, "common.mk": "COMMON := from common\nincluded:\n\techo $(COMMON)\n", "VERSION": "1.2.3\n"}
		text, ok := files[name]
		return text, ok
	}
	o.Repository = stamp.Repository{Module: "example.com/acme/app", Read: o.Read}
	f, ok := Parse("Makefile", o)
	if !ok {
		t.Fatal("there is no Makefile")
	}
	return f
}

// TestExpand compares what "echo" would print with what GNU make 4.3 prints, where that does
// not depend on the machine.
func TestExpand(t *testing.T) {
	for _, test := range []struct{ makefile, want string }{
		{"A = 1\nall:\n\techo $(A) ${A} $A \"$$HOME\"", "1 1 1 ${HOME}"},
		{"A = $(B)\nB = late\nall:\n\techo $(A)", "late"},
		{"B = early\nA := $(B)\nB = late\nall:\n\techo $(A)", "early"},
		{"A ?= 1\nA ?= 2\nall:\n\techo $(A)", "1"},
		{"A = 1\nA += 2\nall:\n\techo $(A)", "1 2"},
		{"A = 1 \\\n    2 # a comment\nall:\n\techo $(A)", "1 2"},
		{"all: A = of target\nA = global\nall:\n\techo $(A)", "of target"},
		{"all: dep\n\techo $@ $< $^\ndep:", "all dep dep"},
		{"S = a.c b.c\nall:\n\techo $(S:.c=.o) $(S:%.c=%.x) $(patsubst %.c,%.y,$(S)) $(subst a,b,$(S))", "a.o b.o a.x b.x a.y b.y b.c b.c"},
		{"all:\n\techo $(if ,yes,no) $(if x,yes,no) $(or ,b) $(notdir a/b) $(firstword x y) $(addprefix p/,a b) $(filter-out a,a b)", "no yes b b x p/a p/b b"},
		{"all:\n\techo $(foreach x,a b,$(x)1)", "a1 b1"},
		{"ifdef X\nA = set\nelse ifeq ($(B),1)\nA = one\nelse\nA = none\nendif\nall:\n\techo $(A)", "none"},
		{"B = 1\nifdef X\nA = set\nelse ifeq ($(B),1)\nA = one\nelse\nA = none\nendif\nall:\n\techo $(A)", "one"},
		{"ifneq (,$(findstring x,y))\nA = 1\nendif\nifeq \"$(Z)\" \"\"\nA = empty\nendif\nall:\n\techo $(A)", "empty"},
		{"ifneq (\"$(wildcard .git/HEAD)\",\"\")\nA = git\nelse\nA = archive\nendif\nall:\n\techo $(A)", "git"},
		{"ifneq ($(wildcard common.mk),)\nA = there\nendif\nall:\n\techo $(A) $(wildcard *.x)", "there $(wildcard *.x)"},
		{"include common.mk\nall:\n\techo $(COMMON)", "from common"},
		{"-include missing.mk\nall: ; echo inline", "inline"},
		{"define A\nx\nendef\nall:\n\techo after", "after"},
		{"all:\n\t@-echo quiet", "quiet"},
		{"all:\n\techo a; \\\n\techo b", "a|b"},
		{"export A = 1\nall:\n\techo $$A", "1"},
		{"A = 1\nexport A\nall:\n\techo $$A", "1"},
		{"V := $(shell git describe --tags)\nall:\n\techo $(V) $(V:v%=%)", "{{.Tag}} {{.Version}}"},
		{"V := v$(shell cat VERSION)\nall:\n\techo $(V)", "v{{.Version}}"},
		{"V != git rev-parse HEAD\nall:\n\techo $(V)", "{{.Commit}}"},
		{"V := $(shell ./version.sh)\nVERSION ?= $(V)\nall:\n\techo '$(V)'", "$(shell ./version.sh)"},
		{"VERSION ?= dev\nall:\n\techo $(VERSION)", "{{.Version}}"},
		{"all:\n\techo $(GIT_COMMIT) x$(UNDEFINED)", "{{.Commit}} x"},
		{"PKG := $(shell go list -m)\nall:\n\techo $(PKG)/v", "example.com/acme/app/v"},
		{"A = $(A)\nall:\n\techo '$(A)'", ""}, // make refuses it
	} {
		f := parsed(t, test.makefile, Options{})
		var got []string
		for _, c := range f.Run() {
			got = append(got, stamp.Show(strings.Join(c.Words[1:], " ")))
		}
		if joined := strings.Join(got, "|"); joined != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.makefile, joined, test.want)
		}
	}
}

// TestRun wants the commands of a target, in make's order, with variables of the command line
// and of the environment.
func TestRun(t *testing.T) {
	const text = `VERSION ?= 0
NAME = app
.PHONY: all
all: image
image: build assets
	docker build .
build: assets
	$(MAKE) helper
	go build -ldflags "-X main.version=$(VERSION)" -o $(NAME) .
assets:
	cd ui && npm ci && npm run build
helper:
	echo help
test:
	go test ./...
`
	words := func(commands []Command) (all []string) {
		for _, c := range commands {
			all = append(all, c.Dir+": "+strings.Join(c.Words, " "))
		}
		return all
	}
	build := []string{"ui: npm ci", "ui: npm run build", ".: echo help"}
	f := parsed(t, text, Options{})
	if got := words(f.Run("build")); !slices.Equal(got, append(slices.Clone(build), ".: go build -ldflags -X main.version=0 -o app .")) {
		t.Errorf("build: %q", got)
	}
	if got := words(f.Run()); !slices.Equal(got, append(slices.Clone(build), ".: go build -ldflags -X main.version=0 -o app .", ".: docker build .")) {
		t.Errorf("the first target: %q", got)
	}
	f = parsed(t, text, Options{Env: map[string]string{"VERSION": "{{.Tag}}", "NAME": "ignored"}, Set: map[string]string{"NAME": "set"}})
	if got := words(f.Run("build")); got[len(got)-1] != ".: go build -ldflags -X main.version={{.Tag}} -o set ." {
		t.Errorf("with variables: %q", got)
	}
	if got := words(f.Run("missing")); got != nil {
		t.Errorf("a missing target: %q", got)
	}
	if got := f.Targets(); !slices.Equal(got, []string{"all", "image", "build", "assets", "helper", "test"}) {
		t.Errorf("targets: %q", got)
	}
}

// TestSource reads programs from recipes: the build of a release wins, its missing settings come
// from the others, and every line has its place.
func TestSource(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/acme/app\n", "cmd/api/main.go": "package main\n", "cmd/worker/main.go": "package main\n", "tools/gen/main.go": "package main\n",
	} {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := mains.Look(root, plan.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	f := parsed(t, `PKG = example.com/acme/app
LDFLAGS = -s -w \
	-X main.version=$(shell git describe --tags) \
	-X $(PKG)/internal/build.Commit=$(shell git rev-parse HEAD)
dev:
	CGO_ENABLED=1 go build -race -tags debug -o tmp/api ./cmd/api
release:
	go build -ldflags "$(LDFLAGS)" -o bin/api-server ./cmd/api
	go build -o bin/ ./cmd/...
check:
	go build ./...
tools:
	go install golang.org/x/tools/cmd/stringer@latest
`, Options{})
	s := f.Source(tree)
	place := func(line int) finding.Place { return finding.Place{File: "Makefile", Line: line} }
	if len(s.Programs) != 2 {
		t.Fatalf("%+v", s.Programs)
	}
	api, worker := s.Programs[0], s.Programs[1]
	if api.Package != "./cmd/api" || api.From != place(8) || api.Name != finding.Found("api-server", place(8)) || api.Build.Cgo != finding.Found(true, place(6)) || len(api.Build.Tags) != 0 {
		t.Errorf("api: %+v", api)
	}
	if want := []finding.Value[string]{
		finding.Found("-X=main.version={{.Tag}}", place(3)), finding.Found("-X=example.com/acme/app/internal/build.Commit={{.Commit}}", place(4)),
	}; !slices.Equal(api.Build.LDFlags, want) {
		t.Errorf("flags %+v", api.Build.LDFlags)
	}
	if worker.Package != "./cmd/worker" || worker.From != place(9) || worker.Name.Set() {
		t.Errorf("worker: %+v", worker)
	}
	var outcomes []string
	for _, l := range s.Lines {
		if strings.HasPrefix(l.Text, "go ") || strings.Contains(l.Text, "go build") {
			outcomes = append(outcomes, l.Place.String()+" "+string(l.Outcome))
		}
	}
	if want := []string{"Makefile:6 not needed", "Makefile:8 imported", "Makefile:9 imported", "Makefile:11 not needed"}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %q, want %q", outcomes, want)
	}
}

// TestBuildArgs reads what recipes give to docker build.
func TestBuildArgs(t *testing.T) {
	f := parsed(t, `ARGS = BASE=alpine:3.20 VERSION=$(shell git describe) HOST=$(shell hostname)
BIN = app
image:
	docker buildx build $(addprefix --build-arg=,$(ARGS)) --build-arg BIN_NAME=$(BIN) --build-arg EMPTY= \
		--build-arg LD_FLAGS="-s -X main.version=$(shell git describe)" .
other:
	docker build --build-arg BASE=debian .
`, Options{})
	got := f.BuildArgs()
	want := map[string]string{"BASE": "alpine:3.20", "BIN_NAME": "app", "LD_FLAGS": "-s -X main.version={{.Tag}}"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
