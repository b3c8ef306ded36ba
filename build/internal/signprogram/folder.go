package signprogram

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// started is the working folder at the start, because a magefile may change it.
var started, _ = os.Getwd()

// magefiles is the folder of the running program's package main.
type magefiles struct {
	dir string
	// launched says that the launcher compiled this program, without the service's settings.
	launched bool
	// generated says that the folder only has what generate wrote.
	generated bool
}

// errUnknown is the error of find for a program whose magefiles were removed or moved.
var errUnknown = errors.New("the folder of the magefiles is not known; run the target with " +
	`"go run ./magefiles/mage.go" or "mage", or compile with GOFLAGS=-tags=thimble_sign`)

// find returns the folder that the running program was compiled from. It never takes a folder
// only because of its name, which could be a stranger's: the launcher has put the hash of the
// folder into the program's path, and mage's programs contain the paths of their files.
func find(self string) (magefiles, error) {
	here := filepath.Join(started, "magefiles")
	if dir, err := filepath.EvalSymlinks(here); err == nil {
		if parent := filepath.Dir(self); filepath.Base(parent) == launcherKey(dir) &&
			filepath.Base(filepath.Dir(parent)) == "thimble-magefiles" {
			return magefiles{dir: dir, launched: true}, nil
		}
	}
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "main.") && filepath.IsAbs(frame.File) {
			dir := filepath.Dir(frame.File)
			if _, err := os.Stat(dir); err == nil {
				return magefiles{dir: dir}, nil
			}
		}
		if !more {
			return magefiles{}, errUnknown
		}
	}
}

// shown returns the folder's path relative to the working folder, if it is below that.
func (m magefiles) shown() string {
	if rel, err := filepath.Rel(started, m.dir); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return m.dir
}

// launcherKey is the name of the folder where the launcher puts the program of a folder.
func launcherKey(dir string) string {
	key := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("%x", key[:8])
}
