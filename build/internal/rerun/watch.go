package rerun

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Watching is polling: a look at 3,000 files takes a few milliseconds. Notifications of the
// system would need a library with a watch for each folder, and they are missing on network file
// systems and on the shared folders of virtual machines.

// The pause between two looks is idle, or longer if a look takes long, so that looking takes at
// most a tenth of a core. After a change, the sources must stay the same for settle: an
// editor and a formatter change several files, or a file twice.
const (
	idle   = 30 * time.Millisecond
	settle = 20 * time.Millisecond
)

// sources are the files that an image is made of, and their state when it was last built.
type sources struct {
	// listed are the files that were compiled or copied, parents the folders above them. roots
	// are the folders of the modules: a new file below them may belong to the image, and a build
	// that failed has no list. Files and folders in skipped do not count.
	listed, parents, skipped map[string]bool
	roots                    []string
	// all says that the content of every file below the roots counts: Config.Before reads it.
	all bool

	built   map[string]fileState
	folders map[string]folderState
}

// fileState is the state of a file; the zero value if it is missing. A file of which only the
// name counts has a negative size.
type fileState struct {
	size, modified int64
	mode           fs.FileMode
	// sum is the SHA-256 of the content of a file up to hashLimit.
	sum [sha256.Size]byte
}

// hashLimit is the size up to which a file that was written with the same content is noticed.
const hashLimit = 4 << 20

// folderState is what a folder contains, in absolute paths: files whose content counts, other
// files, and folders.
type folderState struct {
	modified              time.Time
	files, names, folders []string
}

// watch returns the sources of a build that began at a time.
func watch(s *session.Session, b Build, began time.Time) *sources {
	w := &sources{
		listed: map[string]bool{}, parents: map[string]bool{}, skipped: map[string]bool{s.Dist: true},
		all: len(s.Config.Before) > 0, built: map[string]fileState{}, folders: map[string]folderState{},
	}
	root := s.Workdir // of the repository
	for range strings.FieldsFuncSeq(b.Plan.Workdir, func(c rune) bool { return c == '/' }) {
		root = filepath.Dir(root)
	}
	for _, g := range b.Plan.Generated { // every build writes them
		w.skipped[filepath.Join(root, filepath.FromSlash(g.Name))] = true
	}
	w.add(b.Files, began)
	return w
}

// add replaces the list of files by that of a build. A file that is new in the list, and was
// changed after the build began, counts as changed.
func (w *sources) add(files materials.Files, began time.Time) {
	clear(w.listed)
	clear(w.parents)
	clear(w.folders)
	for _, name := range slices.Concat(files.Compiled, files.Copied) {
		w.listed[name] = true
		for dir := filepath.Dir(name); !w.parents[dir]; dir = filepath.Dir(dir) {
			w.parents[dir] = true
		}
	}
	w.roots = files.Modules
	for name, now := range w.look() {
		if _, known := w.built[name]; known {
			continue
		}
		if w.listed[name] && now.modified >= began.UnixNano() {
			now = fileState{}
		}
		w.built[name] = now
	}
}

// next waits until the sources differ from those of the last build, and returns the names of the
// files that differ. These sources then count as built. It returns nil if ended is closed first.
func (w *sources) next(ctx context.Context, ended <-chan struct{}) ([]string, error) {
	var before map[string]fileState
	for pause := idle; ; {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ended:
			return nil, nil
		case <-time.After(pause):
		}
		began := time.Now()
		now := w.look()
		changed := w.changed(now)
		took := time.Since(began)
		switch {
		case len(changed) == 0:
			// A file may have been written with the same content.
			w.built, before, pause = now, nil, max(idle, 10*took)
		case maps.Equal(before, now):
			w.built = now
			return changed, nil
		default:
			before, pause = now, max(settle, took)
		}
	}
}

// differ reports whether the sources differ from those of the last build.
func (w *sources) differ() bool { return len(w.changed(w.look())) > 0 }

// changed returns the names of the files that differ from those of the last build, sorted.
func (w *sources) changed(now map[string]fileState) []string {
	var names []string
	for name, state := range now {
		before, ok := w.built[name]
		same := before.size == state.size && before.mode == state.mode && before.sum == state.sum
		if !ok || !same || state.size > hashLimit && before.modified != state.modified {
			names = append(names, name)
		}
	}
	for name := range w.built {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// look returns the present state of all files.
func (w *sources) look() map[string]fileState {
	now := make(map[string]fileState, len(w.built))
	for name := range w.listed {
		if !w.skipped[name] {
			now[name] = w.state(name)
		}
	}
	for _, root := range w.roots {
		w.lookBelow(root, now)
	}
	return now
}

func (w *sources) lookBelow(dir string, now map[string]fileState) {
	info, err := os.Lstat(dir)
	if err != nil {
		return // the names in it have gone
	}
	f, ok := w.folders[dir]
	// The times of a file system are coarse: a folder that has just changed may change again.
	if !ok || !f.modified.Equal(info.ModTime()) || time.Since(f.modified) < time.Second {
		f = w.read(dir)
		f.modified = info.ModTime()
		w.folders[dir] = f
	}
	for _, name := range f.files {
		if _, ok := now[name]; !ok && !w.skipped[name] {
			now[name] = w.state(name)
		}
	}
	for _, name := range f.names {
		if _, ok := now[name]; !ok && !w.skipped[name] {
			now[name] = fileState{size: -1}
		}
	}
	for _, name := range f.folders {
		w.lookBelow(name, now)
	}
}

// read lists a folder of a module. It leaves out other modules, tests, and what editors write
// for a moment. Files that are listed count in any case.
func (w *sources) read(dir string) folderState {
	var f folderState
	entries, err := os.ReadDir(dir)
	if err != nil {
		return f
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.Name() == "go.mod" && !slices.Contains(w.roots, dir) {
			return folderState{}
		}
		hidden := e.Name()[0] == '.' || e.Name()[0] == '#' || strings.HasSuffix(e.Name(), "~")
		switch {
		case e.IsDir():
			others := hidden || e.Name() == "node_modules" || e.Name() == "testdata"
			if e.Name() != "vendor" && (!others || w.parents[name]) && !w.skipped[name] {
				f.folders = append(f.folders, name)
			}
		case hidden || strings.HasSuffix(e.Name(), "_test.go"):
		case w.all || slices.Contains(sourceEndings, filepath.Ext(e.Name())):
			f.files = append(f.files, name)
		default:
			f.names = append(f.names, name)
		}
	}
	return f
}

// sourceEndings are the endings of files that the go command compiles or that define modules.
var sourceEndings = []string{
	".go", ".mod", ".sum", ".work", ".s", ".S", ".sx", ".syso", ".c", ".h", ".cc", ".cpp", ".cxx",
	".hh", ".hpp", ".hxx", ".m", ".f", ".F", ".for", ".f90", ".swig", ".swigcxx",
}

// state returns the present state of a file. It reads the file only if it differs from the last
// build.
func (w *sources) state(name string) fileState {
	info, err := os.Stat(name)
	if err != nil {
		return fileState{}
	}
	now := fileState{mode: info.Mode()}
	if info.IsDir() { // its names are looked at
		return now
	}
	now.size, now.modified = info.Size(), info.ModTime().UnixNano()
	before := w.built[name]
	if now.sum = before.sum; before == now || now.size > hashLimit {
		return now
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return fileState{}
	}
	now.sum = sha256.Sum256(content)
	return now
}
