package mains

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/plan"
)

const repository = `
-- go.work --
go 1.26
use (
	.
	./server
	./ctl
)
-- go.mod --
module example.com/acme/db/v3

go 1.26
-- doc.go --
package db
-- server/go.mod --
module example.com/acme/db/server/v3
-- server/main.go --
package main
-- server/windows/main_windows.go --
package main
-- ctl/go.mod --
module example.com/acme/db/ctl
-- ctl/cmd/dbctl/main.go --
package main
-- tests/go.mod --
module example.com/acme/db/tests
-- tests/robustness/main.go --
package main
-- cmd/API/main.go --
// Package main serves.
package main
-- cmd/dev/main.go --
package main
-- cmd/gen-docs/main.go --
package main
-- cmd/loadtest/main.go --
package main
-- cmd/used/main.go --
package main
-- cmd/only/tool.go --
//go:build ignore

package main
-- cmd/only_test/a_test.go --
package main
-- internal/api/api.go --
package api

//go:generate go run ../../cmd/used -o x.go
-- internal/hidden/main.go --
package main
-- hack/x/main.go --
package main
-- examples/hello/main.go --
package main
-- app/main.go --
package main
-- vendor/x/main.go --
package main
-- .hidden/main.go --
package main
-- testdata/main.go --
package main
-- magefiles/mage.go --
package main
`

// TestLook wants every main package, and the reason for those that nobody ships.
func TestLook(t *testing.T) {
	tree := look(t, repository)
	var got []string
	for _, m := range tree.Mains {
		usual := ""
		if m.Usual {
			usual = " usual"
		}
		got = append(got, strings.TrimSpace(m.Module+" "+m.Package+" "+m.Name+usual+": "+m.Left))
	}
	want := []string{
		"./app app:",
		"./cmd/API api usual:",
		"./cmd/dev dev usual:",
		"./cmd/gen-docs gen-docs usual: it generates files of this repository",
		"./cmd/loadtest loadtest usual: it is for tests",
		"./cmd/only only usual: its files are excluded by build constraints, such as ignore or another system",
		"./cmd/used used usual: go:generate in internal/api/api.go runs it",
		"./examples/hello hello: it is an example",
		"./hack/x x: it is a tool for this repository",
		"./internal/hidden hidden: it is internal",
		"ctl ./cmd/dbctl dbctl usual:",
		"server . server usual:",
		"server ./windows windows: its files are excluded by build constraints, such as ignore or another system",
		"tests ./robustness robustness: it is for tests",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var modules []string
	for _, m := range tree.Modules {
		if m.Workspace {
			modules = append(modules, m.Dir)
		}
	}
	if len(tree.Modules) != 4 || !slices.Equal(modules, []string{"", "ctl", "server"}) {
		t.Errorf("modules %+v", tree.Modules)
	}
}

// TestResolve names packages as "go build" does.
func TestResolve(t *testing.T) {
	tree := look(t, repository)
	for _, test := range []struct {
		dir, args, want string
	}{
		{".", "./cmd/API", "cmd/API"},
		{".", "cmd/API/main.go", "cmd/API"},
		{".", "./cmd/API/", "cmd/API"},
		{"cmd", "./API", "cmd/API"},
		{"cmd/API", ".", "cmd/API"},
		{".", "example.com/acme/db/v3/cmd/API", "cmd/API"},
		{".", "example.com/acme/db/server/v3", "server"},
		{"server", ".", "server"},
		{".", "./ctl/...", "ctl/cmd/dbctl"},
		{".", "./cmd/...", "cmd/API cmd/dev"},
		{".", "./cmd/gen-docs", "cmd/gen-docs"},
		{".", "./cmd/API ./server", "cmd/API server"},
		{".", "github.com/other/tool", ""},
		{".", "./internal/api", ""},
		{".", "./missing", ""},
		{".", "../outside", ""},
	} {
		var got []string
		for _, m := range tree.Resolve(test.dir, strings.Fields(test.args)) {
			got = append(got, m.Dir())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s in %s: %q, want %q", test.args, test.dir, got, test.want)
		}
	}
}

func look(t *testing.T, archive string) *Tree {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		at := filepath.Join(root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Look(root, plan.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
