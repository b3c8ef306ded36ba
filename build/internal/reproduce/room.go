// Package reproduce builds a commit again in a clean room, and compares. It takes a [Source],
// which is a commit of this repository, or what a stranger's plan names, and gives what was
// built and a comparison with the first build. The steps of a [Room] are called in this order:
// Open, Clone, Fetch or FetchPlanned, for a stranger's source Probe, then Build, Compare and
// Close. Build starts this program anew, as a process that calls [Enter]: nothing of this
// process's environment is left in it, and a stranger's source is built in a sandbox.
//
// It writes only into the room, a temporary folder, and fetches with the user's own settings;
// the process in the room reaches no network where the sandbox holds. How images are made and
// how manifest.json is read is for its caller, who hands in a function where that is needed.
package reproduce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/sandbox"
)

// Changes are what tests change of a clean room. The zero value changes nothing.
type Changes struct {
	// Env are variables that are set over the room's environment.
	Env []string
	// Refuse are mechanisms of the sandbox that this machine refuses.
	Refuse []sandbox.Mechanism
}

// Room is a folder in which everything is new: the clone, the caches, the home.
type Room struct {
	dir     string
	source  Source
	changes Changes
}

// Open makes the folder of a clean room, which Close removes.
func Open(source Source, changes Changes) (*Room, error) {
	dir, err := os.MkdirTemp("", "thimble-reproduce-")
	if err != nil {
		return nil, fmt.Errorf("make a clean room: %w", err)
	}
	r := &Room{dir: dir, source: source, changes: changes}
	if r.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("make a clean room: %w", err)
	}
	if err := r.furnish(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a clean room: %w", err), r.Close())
	}
	return r, nil
}

// furnish makes the folders that a build expects.
func (r *Room) furnish() error {
	for _, name := range []string{"home", "tmp", "cache"} {
		if err := os.Mkdir(r.below(name), 0o755); err != nil {
			return err
		}
	}
	// The go command must start no process for its telemetry, which would write into the home
	// of the clean room after the build, while that is removed. The folder is that of
	// os.UserConfigDir; the go command knows no variable for it.
	for _, config := range []string{".config", "Library/Application Support"} {
		dir := filepath.Join(r.below("home"), filepath.FromSlash(config), "go", "telemetry")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "mode"), []byte("off\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the clean room.
func (r *Room) Close() error {
	// The go command makes the folders of modules read-only.
	err := filepath.WalkDir(r.below("modules"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what cannot be walked cannot be removed either, and that says why
		}
		return os.Chmod(path, 0o755)
	})
	if err = errors.Join(err, os.RemoveAll(r.dir)); err != nil {
		return fmt.Errorf("remove the clean room: %w", err)
	}
	return nil
}

// Commit is the commit that the room builds.
func (r *Room) Commit() string { return r.source.Commit }

func (r *Room) below(name string) string { return filepath.Join(r.dir, name) }

// fetched is the clone that only git and what fetches modules see; tree is the copy that is
// built.
func (r *Room) fetched() string { return r.below("fetched") }
func (r *Room) tree() string    { return filepath.Join(r.dir, "another", "place") }

func (r *Room) cacheFolder() string { return filepath.Join(r.dir, "cache", "thimble") }
func (r *Room) resultFile() string  { return r.below("result.json") }
