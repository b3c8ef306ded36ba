package build_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// probe writes what a command of Before finds, a file for each call.
const probe = `{
	echo "folder=$(pwd)"
	echo "HOME=$HOME"
	echo "TMPDIR=$TMPDIR"
	echo "TZ=$TZ"
	echo "zone=$(date +%z)"
	echo "LANG=$LANG"
	echo "LC_ALL=$LC_ALL"
	echo "umask=$(umask)"
	echo "GOMAXPROCS=$GOMAXPROCS"
	echo "GOCACHE=$(go env GOCACHE)"
	echo "GOMODCACHE=$(go env GOMODCACHE)"
	echo "XDG_CACHE_HOME=$XDG_CACHE_HOME"
	echo "compiled=$(find "$(go env GOCACHE)" -name '*-d' 2>/dev/null | head -1 | wc -l)"
	echo "modules=$(find "$(go env GOMODCACHE)" -name '*.zip' 2>/dev/null | head -1 | wc -l)"
	echo "SETTING=$SETTING"
	echo "clock=$(date +%s)"
} >FOUND.$((1 + $(ls FOUND.* 2>/dev/null | wc -l)))
`

// Whatever the report says is another in the clean room is another there, as a program
// sees it that runs there; and nothing of the user's environment is left.
func TestRoomVaries(t *testing.T) {
	testtool.Program(t, "faketime")
	found := filepath.Join(t.TempDir(), "found")
	repo := service(t, map[string]string{"go.mod": plain["go.mod"], "main.go": plain["main.go"], "probe.sh": strings.ReplaceAll(probe, "FOUND", found)})
	r, err := build.Reproduce(t.Context(), options(t, repo, func(o *settings) {
		o.Env = append(o.Env, "SETTING=x", "TZ=UTC", "LANG=C", "LC_ALL=C", "GOMAXPROCS=1")
		o.Config.Before = [][]string{{"sh", "probe.sh"}}
	}).Options, self(t))
	if err != nil || !r.Same {
		t.Fatalf("%v: %+v", err, r)
	}
	read := func(name string) map[string]string {
		all := map[string]string{}
		for line := range strings.Lines(string(must(os.ReadFile(name)))) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			all[key] = value
		}
		return all
	}
	first, room := read(found+".1"), read(found+".3") // 2 is where it is found out what has to be fetched
	if len(first) != strings.Count(probe, "echo ") || len(room) != len(first) {
		t.Fatalf("found %v and %v", first, room)
	}
	for name, value := range first {
		if room[name] == value {
			t.Errorf("%s is %q in both", name, value)
		}
	}
	for name, want := range map[string]string{"umask": "0037", "compiled": "0", "modules": "0", "SETTING": ""} {
		if room[name] != want {
			t.Errorf("%s is %q in the clean room, want %q", name, room[name], want)
		}
	}
	a, b := must(strconv.Atoi(first["clock"])), must(strconv.Atoi(room["clock"]))
	if days := (b - a) / 86400; days < 399 || days > 401 {
		t.Errorf("the clocks are %d days apart", days)
	}
	for _, said := range r.Room {
		name, value, _ := strings.Cut(said, "=")
		if value != "" && room[name] != value {
			t.Errorf("the report says %s, and %s is %q", said, name, room[name])
		}
	}
}
