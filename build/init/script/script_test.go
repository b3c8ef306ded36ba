package script

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// TestScriptsThatCallEachOther follows scripts of the repository, functions and arrays, as etcd's
// and Kubernetes' build scripts have them.
func TestScriptsThatCallEachOther(t *testing.T) {
	files := map[string]string{
		"scripts/build.sh": `#!/usr/bin/env bash
source ./scripts/lib.sh
. ./missing.sh
if echo "$0" | grep build; then
  main server_build "a b"
fi
never() { go build ./never; }
`,
		"scripts/lib.sh": `
SHA=$(git rev-parse --short HEAD || echo none)
FLAGS=(-s "-X=main.sha=${SHA}")
FLAGS+=(-w)
ENVIRONMENT=("CGO_ENABLED=${CGO_ENABLED:-0}")
log() { echo "$@"; }
run() { log "% $*"; "$@"; }
server_build() {
  (
    cd ./server
    run env "${ENVIRONMENT[@]}" go build $EXTRA "-ldflags=${FLAGS[*]}" -o "../bin/$2" . || return 2
  )
  run go build ./ctl
}
main() { if $1; then log done; fi; local x="$2"; go vet "$x"; }
`,
		"loop.sh": "./loop.sh\ngo build ./once\n",
		"tool":    "#!/bin/sh\ngo build \"$1\"\n",
		"binary":  "\x7fELF",
	}
	read := func(name string) (string, bool) {
		text, ok := files[name]
		return text, ok
	}
	for _, test := range []struct {
		script string
		want   []string
	}{
		{"EXTRA=-v ./scripts/build.sh", []string{
			"scripts/lib.sh:11 server go build -v -ldflags=-s -X=main.sha={{.ShortCommit}} -w -o ../bin/${2} . CGO_ENABLED=0",
			"scripts/lib.sh:13 . go build ./ctl CGO_ENABLED=",
			"scripts/lib.sh:15 . go vet a b CGO_ENABLED=",
		}},
		{"cd scripts && bash ../tool ./x && ../tool ./y", []string{"tool:2 scripts go build ./x CGO_ENABLED=", "tool:2 scripts go build ./y CGO_ENABLED="}},
		{"./binary\ngo build ./z", []string{":2 . go build ./z CGO_ENABLED="}},
		{"f() { f; go build .; }\nf", nil}, // ends
	} {
		commands, err := Commands(test.script, Scope{Read: read})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range commands {
			if c.Words[0] == "go" {
				got = append(got, stamp.Show(fmt.Sprintf("%s:%d %s %s CGO_ENABLED=%s", c.File, c.Line, c.Dir, strings.Join(c.Words, " "), c.Env["CGO_ENABLED"])))
			}
		}
		if test.want != nil && !slices.Equal(got, test.want) {
			t.Errorf("%s:\n got %q\nwant %q", test.script, got, test.want)
		}
	}
	if commands, err := Commands("./loop.sh", Scope{Read: read}); err != nil || len(commands) == 0 || len(commands) > 2*deepest {
		t.Errorf("a script that calls itself: %d commands, %v", len(commands), err)
	}
	if commands, err := Commands("./scripts/build.sh", Scope{}); err != nil || len(commands) != 1 || commands[0].Words[0] != "./scripts/build.sh" {
		t.Errorf("without files: %+v, %v", commands, err)
	}
}
