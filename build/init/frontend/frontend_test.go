package frontend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/makefile"
)

// TestBefore finds embedded folders that git does not have, and the commands that make them.
func TestBefore(t *testing.T) {
	for _, test := range []struct{ name, module, files, want string }{
		{"a target of the Makefile", "", `
-- ui/serve.go --
package ui

import "embed"

//go:embed build/*
var files embed.FS
-- ui/package.json --
{}
-- Makefile --
build: ui
	go build .
ui:
	cd ui && npm ci
	cd ui && npm run build -- --mode "a b"
test-ui:
	cd ui && npm ci && npm test
`, `ui/serve.go:5 build/* ui/build/*: sh -c cd ui && npm ci # Makefile:4; sh -c cd ui && npm run build -- --mode 'a b' # Makefile:5`},
		{"an install that the target lacks", "", `
-- ui/serve.go --
//go:embed build/*
-- ui/package.json --
{"scripts": {"build": "vite build"}}
-- ui/yarn.lock --
-- Makefile --
build-js:
	(cd ui && yarn build)
`, `ui/serve.go:1 build/* ui/build/*: sh -c cd ui && yarn install --frozen-lockfile # ui/package.json; sh -c cd ui && yarn build # Makefile:2`},
		{"a Dockerfile before the Makefile", "", `
-- ui/serve.go --
//go:embed build
-- Makefile --
ui:
	cd ui && npm ci && npm run other
-- PREPARED --
ui npm ci
docs npm ci
ui npm run build
`, `ui/serve.go:1 build ui/build: sh -c cd ui && npm ci # Dockerfile:1; sh -c cd ui && npm run build # Dockerfile:3`},
		{"a folder of the build stage is the embedded one", "", `
-- ui/serve.go --
//go:embed build/*
-- PREPARED --
ui npm ci
ui npm run build -- --outDir=/build
ui npx esbuild --outdir /out/build app.js
`, `ui/serve.go:1 build/* ui/build/*: sh -c cd ui && npm ci # Dockerfile:1; sh -c cd ui && npm run build -- --outDir=build # Dockerfile:2; sh -c cd ui && npx esbuild --outdir build app.js # Dockerfile:3`},
		{"--prefix", "", `
-- web.go --
//go:embed all:web/dist
-- Makefile --
assets:
	npm --prefix web ci && npm --prefix=web run build
`, `web.go:1 all:web/dist web/dist: npm --prefix web ci # Makefile:2; npm --prefix=web run build # Makefile:2`},
		{"package.json alone, at the root, with a placeholder in git", "", `
-- server/embed.go --
//go:embed dist
-- server/dist/.gitkeep --
-- package.json --
{"scripts": {"build": "esbuild"}}
-- package-lock.json --
`, `server/embed.go:1 dist server/dist: npm ci # package.json; npm run build # package.json`},
		{"a folder below an embedded one", "", `
-- server/embed.go --
//go:embed ui
-- server/ui/index.html --
-- .gitignore --
/server/ui/dist/
-- package.json --
{"scripts": {"build": "esbuild"}}
`, `server/embed.go:1 ui server/ui/dist: npm install # package.json; npm run build # package.json`},
		{"a module in a folder, its frontend beside it", "api", `
-- api/go.mod --
-- api/embed.go --
//go:embed dist
-- api/other.txt --
-- api/package.json --
{"scripts": {"build": "x"}}
-- api/pnpm-lock.yaml --
`, `api/embed.go:1 dist api/dist: pnpm install --frozen-lockfile # api/package.json; pnpm run build # api/package.json`},
		{"nobody says how", "", `
-- embed.go --
//go:embed dist
-- Makefile --
build:
	go build .
dev:
	cd ui && npm run build
`, `embed.go:1 dist dist: `},
		{"nothing is missing", "", `
-- embed.go --
//go:embed dist "a b.txt" templates/*.html migrations
var x = "//go:embed other"
-- dist/index.html --
-- a b.txt --
-- templates/a.html --
-- migrations/1/up.sql --
-- embed_test.go --
//go:embed gone
-- vendor/x/x.go --
//go:embed gone
-- skipped/x.go --
//go:embed gone
-- .gitignore --
node_modules
/bin
`, ""},
	} {
		files := finding.Files{FS: fstest.MapFS{}}
		for _, f := range txtar.Parse([]byte(test.files)).Files {
			files.FS.(fstest.MapFS)[f.Name] = &fstest.MapFile{Data: f.Data}
			files.Names = append(files.Names, f.Name)
		}
		slices.Sort(files.Names)
		var makefiles []*makefile.File
		if f, ok := makefile.Parse("Makefile", makefile.Options{Read: func(name string) (string, bool) {
			text, err := files.Read(name)
			return string(text), err == nil
		}}); ok {
			makefiles = append(makefiles, f)
		}
		var prepared []finding.Prepared
		if text, err := files.Read("PREPARED"); err == nil {
			for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
				fields := strings.Fields(line)
				prepared = append(prepared, finding.Prepared{From: finding.Place{File: "Dockerfile", Line: i + 1}, Dir: fields[0], Words: fields[1:]})
			}
		}
		var got []string
		for _, e := range Missing(files, test.module, func(folder string) bool { return folder == "skipped" }) {
			var commands []string
			for _, c := range Before(e, test.module, prepared, makefiles, files) {
				commands = append(commands, strings.Join(c.Value, " ")+" # "+c.From.String())
			}
			got = append(got, fmt.Sprintf("%s %s %s: %s", e.Place, e.Pattern, e.Path, strings.Join(commands, "; ")))
		}
		if joined := strings.Join(got, ";"); joined != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, joined, test.want)
		}
	}
}
