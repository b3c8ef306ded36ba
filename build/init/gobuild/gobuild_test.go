package gobuild

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// TestRead reads scripts as they are in Dockerfiles and recipes.
func TestRead(t *testing.T) {
	env := map[string]string{"VERSION": "dev", "LDFLAGS": "-s -w", "APP": "api", "EMPTY": ""}
	for _, test := range []struct {
		script string
		want   []string // dir, packages, output, flags of the linker, tags, cgo
	}{
		{"go build .", []string{". [.]    "}},
		{"go mod download && CGO_ENABLED=0 go build -o /out/app ./cmd/app", []string{". [./cmd/app] /out/app   0"}},
		{"export CGO_ENABLED=1; go build -tags 'sqlite json' -tags=x,y ./a", []string{". [./a]   sqlite,json,x,y 1"}},
		{`go build -ldflags="-s -w -X main.version=${VERSION} -X 'main.date=$(date)'"`, []string{". [.]  -s,-w,-X,main.version={{.Version}},-X,main.date={{.Date}}  "}},
		{"go build -ldflags \"$LDFLAGS -X main.commit=`git rev-parse HEAD`\" ./$APP", []string{". [./api]  -s,-w,-X,main.commit={{.Commit}}  "}},
		{"cd server && go build -o ../bin/server && (cd ../client; go install) && go build ./x",
			[]string{"server [.] ../bin/server   ", "client [.]    ", "server [./x]    "}},
		{"go -C tools build -v -trimpath ./gen", []string{"tools [./gen]    "}},
		{"for c in api worker; do go build -o bin/$c ./cmd/$c; done", []string{". [./cmd/api] bin/api   ", ". [./cmd/worker] bin/worker   "}},
		{`if [ "$DEBUG" = 1 ]; then go build -race .; else go build -o app .; fi`, []string{". [.]    ", ". [.] app   "}},
		{`sh -c "go build -o app ./cmd/app"`, []string{". [./cmd/app] app   "}},
		{"env GOOS=linux CGO_ENABLED=0 go build main.go", []string{". [main.go]    0"}},
		{"docker run --rm -e CGO_ENABLED=0 -v x:/y golang:1.26 go build -o app ./cmd/app", []string{". [./cmd/app] app   0"}},
		{"xx-go build -o /app . && xx-verify /app", []string{". [.] /app   "}},
		{"go build $EMPTY $NOT_SET -o app ${APP:-x}", []string{". [api] app   "}},
		{"go build \\\n  -o app \\\n  ./cmd/app", []string{". [./cmd/app] app   "}},
		{"go build -ldflags '-X main.v=${VERSION#v}' .", []string{". [.]  -X,main.v=${VERSION#v}  "}},
		{`go build -ldflags "-X main.v=${VERSION#v} -X main.w=${REF:-unknown}" .`, []string{". [.]  -X,main.v={{.Version}},-X,main.w=unknown  "}},

		{"go test ./... && go vet . && npm ci", nil},
		{"go install golang.org/x/tools/cmd/stringer@latest", nil},
		{"gofmt -l .", nil},
		{"echo go build .", nil},
	} {
		commands, err := script.Commands(test.script, script.Scope{Lookup: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}, Repository: stamp.Repository{Module: "example.com/app"}})
		if err != nil {
			t.Errorf("%s: %v", test.script, err)
		}
		var got []string
		for _, c := range commands {
			if b, ok := Read(c); ok {
				got = append(got, fmt.Sprintf("%s %s %s %s %s %s", b.Dir, b.Packages, b.Output, strings.Join(b.LDFlags, ","), strings.Join(b.Tags, ","), b.Env["CGO_ENABLED"]))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\n got %q\nwant %q", test.script, got, test.want)
		}
	}
	if _, err := script.Commands("if then", script.Scope{}); err == nil {
		t.Error("a script that no shell reads is no error")
	}
}

// TestSettings wants an outcome for every flag.
func TestSettings(t *testing.T) {
	commands, err := script.Commands(`CGO_ENABLED=0 GOFIPS140=latest GOAMD64=v3 go build -trimpath -buildvcs=false -mod=vendor -race -tags "netgo sqlite $GOTAGS" -gcflags=-N `+
		`-ldflags "-s -w -buildid= -extldflags '-static' -X main.version=$(git describe) -X 'main.commit=unknown' -X main.host=$(hostname) -X main.empty= -X $PKG.v=1 -checklinkname=0" -strange=1 .`, script.Scope{})
	if err != nil || len(commands) != 1 {
		t.Fatalf("%v, %v", commands, err)
	}
	b, _ := Read(commands[0])
	at := finding.Place{File: "Makefile", Line: 7}
	settings, lines := Settings(b, at, nil)
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprintf("%s|%s", l.Outcome, l.Text))
		if l.Place != at || l.Reason == "" {
			t.Errorf("%+v", l)
		}
	}
	want := []string{
		"not needed|-s", "not needed|-w", "not needed|-buildid=", "not needed|-extldflags -static", "imported|-X main.version={{.Tag}}",
		"imported|-X main.commit=unknown", "by hand|-X main.host=$(hostname)", "not needed|-X main.empty=", "by hand|-X ${PKG}.v=1", "imported|-checklinkname=0",
		"imported|-tags netgo", "imported|-tags sqlite", "not needed|-tags ${GOTAGS}",
		"imported|CGO_ENABLED=0", "by hand|GOAMD64=v3", "imported|GOFIPS140=latest",
		"not needed|-trimpath", "not needed|-buildvcs=false", "not needed|-mod=vendor", "not needed|-race", "not needed|-gcflags=-N", "by hand|-strange=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var flags []string
	for _, f := range settings.LDFlags {
		flags = append(flags, f.Value)
	}
	if want := []string{"-X=main.version={{.Tag}}", "-X=main.commit={{.Commit}}", "-checklinkname=0"}; !slices.Equal(flags, want) {
		t.Errorf("flags %q, want %q", flags, want)
	}
	if settings.Cgo != finding.Found(false, at) || settings.FIPS140.Value != "latest" || len(settings.Tags) != 2 || len(settings.Env) != 1 {
		t.Errorf("%+v", settings)
	}
}
