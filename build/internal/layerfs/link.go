package layerfs

import (
	"archive/tar"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Program is a program for the dynamic linker to start.
type Program struct {
	*ELF
	// Path is the path in the image.
	Path string
	// LibraryPath are the folders of LD_LIBRARY_PATH.
	LibraryPath []string
	// Secure says that the program gets more rights than the user who starts it (AT_SECURE,
	// ld.so(8)), as a program with file capabilities does for all users but root.
	Secure bool
}

// Library is loaded when a program starts: the dynamic linker, or a shared library that the
// program or another library requires.
type Library struct {
	// Name is the requested name, Path the path without symlinks.
	Name string `json:"name"`
	Path string `json:"path"`
}

// LinkError says why a dynamic linker would not start a program.
type LinkError struct {
	// Name is the library, or the dynamic linker, that is missing or too old.
	Name string
	// By is the path of the program or library that requires it.
	By string
	// Version is the symbol version that the library at Path lacks; Newest is the newest version
	// of that kind that it has, such as GLIBC_2.38 and GLIBC_2.36. All are empty if there is no
	// such library.
	Version, Path, Newest string
	// Overlooked is the path where the library would be found if the program was not Secure.
	Overlooked string
}

func (e *LinkError) Error() string {
	switch {
	case e.Overlooked != "":
		return fmt.Sprintf("%s needs %s, but a program with capabilities does not load %s", e.By,
			e.Name, e.Overlooked)
	case e.Version == "":
		return fmt.Sprintf("%s needs %s, but there is none", e.By, e.Name)
	case e.Newest == "":
		return fmt.Sprintf("%s needs %s of %s, but %s has no such version", e.By, e.Version, e.Name, e.Path)
	}
	return fmt.Sprintf("%s needs %s of %s, but the newest that %s has is %s", e.By, e.Version,
		e.Name, e.Path, e.Newest)
}

// These bound what the content of a base can make Link load and search: a browser loads about 100
// libraries.
const maxLibraries, maxFolders = 2000, 500

// Link finds everything that a program requires, in the places where the dynamic linker searches
// (ld.so(8), for musl its manual), and everything that those libraries require, and checks that
// each library has the required symbol versions. It returns what it found, sorted by path;
// nothing for a static program. A missing library is a *LinkError, the first one in the order of
// loading.
//
// Libraries that a program opens while it runs (dlopen) cannot be known.
func (fs *FS) Link(p Program) ([]Library, error) {
	if p.Interp == "" && len(p.Needed) == 0 {
		return nil, nil
	}
	l := linker{fs: fs, program: p, byName: map[string]*object{}}
	if err := l.start(); err != nil {
		return nil, err
	}
	queue := []*object{{elf: p.ELF, path: p.Path}}
	for len(queue) > 0 {
		by := queue[0]
		queue = queue[1:]
		for _, name := range by.elf.Needed {
			o, known := l.byName[name]
			if !known {
				if o = l.find(name, by); o == nil {
					return nil, l.missing(name, by)
				}
				l.load(name, o)
				if queue = append(queue, o); len(l.found) > maxLibraries {
					return nil, fmt.Errorf("%s needs more than %d libraries", p.Path, maxLibraries)
				}
			}
			if err := provides(o, name, by); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(l.found, func(a, b Library) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(l.found), nil
}

// missing returns the error for a library that does not exist.
func (l *linker) missing(name string, by *object) error {
	e := &LinkError{Name: name, By: by.path}
	if l.program.Secure {
		l.program.Secure = false
		if o := l.find(name, by); o != nil {
			e.Overlooked = o.path
		}
	}
	return e
}

// provides checks the symbol versions that by requires. A library without versions is an error,
// too: glibc first warns, and then stops when it looks up the first symbol.
func provides(o *object, name string, by *object) error {
	for _, version := range by.elf.Requires[name] {
		if !slices.Contains(o.elf.Provides, version) {
			return &LinkError{Name: name, By: by.path, Version: version, Path: o.path,
				Newest: newest(o.elf.Provides, version)}
		}
	}
	return nil
}

// newest returns the highest of the versions that differ from another only in the number.
func newest(versions []string, like string) string {
	kind := strings.TrimRight(like, "0123456789.")
	numbers := func(v string) (list []int) {
		for part := range strings.SplitSeq(strings.TrimPrefix(v, kind), ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			list = append(list, n)
		}
		return list
	}
	best := ""
	for _, v := range versions {
		if strings.HasPrefix(v, kind) && numbers(v) != nil &&
			(best == "" || slices.Compare(numbers(v), numbers(best)) > 0) {
			best = v
		}
	}
	return best
}

// object is a loaded file, and the object that first required it: nil for the program.
type object struct {
	elf  *ELF
	path string
	by   *object
}

// linker simulates one start of a program.
type linker struct {
	fs      *FS
	program Program
	byName  map[string]*object
	found   []Library
	// lib is the folder of the C library, such as lib/x86_64-linux-gnu; folders are searched for
	// every program.
	lib     string
	folders []string
	// system are the folders of the system among these.
	system []string
	musl   bool
}

func (l *linker) load(name string, o *object) {
	l.byName[name] = o
	if o.elf.Soname != "" {
		l.byName[o.elf.Soname] = o
	}
	l.found = append(l.found, Library{Name: name, Path: o.path})
}

// start loads the dynamic linker and finds out where it searches. A shared library names none;
// the usual one of its machine is then assumed.
func (l *linker) start() error {
	dir := "/lib"
	if name := l.program.Interp; name != "" {
		o := l.open(name)
		if o == nil {
			return &LinkError{Name: name, By: l.program.Path}
		}
		l.load(name, o)
		l.byName[path.Base(name)] = o
		// glibc is configured with the folder that contains it: /lib64, or Debian's
		// /lib/x86_64-linux-gnu, each with and without /usr.
		dir = strings.TrimPrefix(path.Dir(o.path), "/usr")
	}
	l.lib = strings.TrimPrefix(dir, "/")
	if arch, ok := strings.CutPrefix(path.Base(l.program.Interp), "ld-musl-"); ok {
		l.musl = true
		l.folders = []string{"/lib", "/usr/local/lib", "/usr/lib"}
		if e, ok := l.fs.Lookup("/etc/ld-musl-" + strings.TrimSuffix(arch, ".so.1") + ".path"); ok {
			l.folders = strings.FieldsFunc(string(e.Content),
				func(r rune) bool { return r == ':' || r == '\n' })
		}
		return nil
	}
	l.system = []string{dir, "/usr" + dir, "/lib", "/usr/lib"}
	l.folders = append(l.fs.configured(), l.system...)
	return nil
}

// configured returns the folders of ld.so.conf. They count only if there is a cache of their
// content, because the dynamic linker reads the cache and not the configuration.
func (fs *FS) configured() (dirs []string) {
	if !fs.Has("/etc/ld.so.cache") {
		return nil
	}
	files := fs.Glob("/etc/ld.so.conf.d", "*.conf")
	if e, ok := fs.Lookup("/etc/ld.so.conf"); ok {
		files = append(files, e)
	}
	for _, f := range files {
		for line := range strings.Lines(string(f.Content)) {
			if len(dirs) == maxFolders {
				return dirs
			}
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); path.IsAbs(line) {
				dirs = append(dirs, line)
			}
		}
	}
	return dirs
}

// find returns a library that an object requires; nil if it does not exist.
func (l *linker) find(name string, by *object) *object {
	var o *object
	if strings.Contains(name, "/") {
		o = l.open(name)
	} else {
		for _, dir := range l.search(by) {
			if o = l.open(path.Join(dir, name)); o != nil {
				break
			}
		}
	}
	if o != nil {
		o.by = by
	}
	return o
}

// search returns the folders in which libraries are searched, in order.
func (l *linker) search(by *object) (dirs []string) {
	if len(by.elf.RunPath) == 0 {
		for o := by; o != nil; o = o.by { // RPATH also applies to the dependencies of libraries
			dirs = append(dirs, l.expand(o.elf.RPath, o)...)
		}
	}
	if !l.program.Secure {
		dirs = append(dirs, l.program.LibraryPath...)
	}
	dirs = append(dirs, l.expand(by.elf.RunPath, by)...)
	dirs = append(dirs, l.folders...)
	return dirs[:min(len(dirs), maxFolders)]
}

// expand replaces the dynamic linker's variables in the folders of an object.
func (l *linker) expand(list []string, o *object) (dirs []string) {
	r := strings.NewReplacer(
		"${ORIGIN}", path.Dir(o.path), "$ORIGIN", path.Dir(o.path), "${LIB}", l.lib, "$LIB", l.lib)
	for _, unexpanded := range list {
		dir := r.Replace(unexpanded)
		if l.program.Secure && o.path == l.program.Path && strings.Contains(unexpanded, "ORIGIN") &&
			!l.trusted(dir) {
			continue
		}
		if path.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// trusted says whether glibc accepts a folder that ORIGIN leads to even if the program is Secure:
// it must be one of the system's. For musl all are.
func (l *linker) trusted(dir string) bool {
	return l.musl || slices.ContainsFunc(l.system,
		func(s string) bool { return strings.HasPrefix(path.Clean(dir)+"/", s+"/") })
}

// open returns a library for the program's machine; nil if there is none at that path.
func (l *linker) open(at string) *object {
	e, ok := l.fs.Lookup(at)
	if !ok || !path.IsAbs(at) || e.Type != tar.TypeReg || e.ELF == nil {
		return nil
	}
	if e.ELF.Machine != l.program.Machine || e.ELF.Class != l.program.Class || e.ELF.Data != l.program.Data {
		return nil
	}
	return &object{elf: e.ELF, path: e.Path}
}
