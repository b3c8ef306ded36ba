// Package reproduce builds a commit again in a clean room, and compares. Its input is a
// [Source]: a commit of this repository, or of foreign source named by a plan. It returns what
// was built and a comparison with the first build. The steps of a [Room] are called in this
// order: Open, Fetch or FetchPlanned, Probe for foreign source, then Build, Compare and Close. Build
// starts this program anew, as a process that calls [Enter], with no environment
// of this process. Foreign source is built in a sandbox.
//
// The package writes only into the room, a temporary folder, and downloads with the user's
// settings. If the sandbox works, the process in the room has no network. The caller passes
// functions that make images and read manifest.json.
package reproduce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Changes are changes that tests make to a clean room. The zero value changes nothing.
type Changes struct {
	// Env are variables that override the room's environment.
	Env []string
	// Refuse are mechanisms of the sandbox that this machine pretends to refuse.
	Refuse []sandbox.Mechanism
}

// Room is a folder in which everything is new: the clone, the caches, the home.
type Room struct {
	layout
	source  Source
	changes Changes
}

// Open makes the folder of a clean room, and fetches the source into it. Close removes it.
func Open(ctx context.Context, s *session.Session, source Source, changes Changes) (*Room, error) {
	dir, err := os.MkdirTemp("", "thimble-reproduce-")
	if err != nil {
		return nil, fmt.Errorf("make a clean room: %w", err)
	}
	r := &Room{layout: layout{dir}, source: source, changes: changes}
	if r.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("make a clean room: %w", err)
	}
	if err := r.furnish(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a clean room: %w", err), r.Close())
	}
	if err := r.clone(ctx, s); err != nil {
		return nil, errors.Join(err, r.Close())
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
	// The go command must not start its telemetry process, which would write to the home of the
	// clean room while that is removed after the build. The folder is that of os.UserConfigDir;
	// no variable of the go command sets it.
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
			return nil // the removal below fails for the same reason, and returns the error
		}
		return os.Chmod(path, 0o755)
	})
	if err = errors.Join(err, os.RemoveAll(r.dir)); err != nil {
		return fmt.Errorf("remove the clean room: %w", err)
	}
	return nil
}

// Commit returns the commit that the room builds.
func (r *Room) Commit() string { return r.source.Commit }
