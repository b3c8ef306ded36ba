package finding

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files are the files of the repository.
type Files struct {
	// FS is the root of the repository.
	FS fs.FS
	// Names are the files that git tracks, or would add: not those that it ignores. They are
	// sorted.
	Names []string
}

// Has reports whether git has a file, or would add it.
func (f Files) Has(name string) bool {
	_, found := slices.BinarySearch(f.Names, path.Clean(name))
	return found
}

// Under returns the files below a folder. "." is the root.
func (f Files) Under(folder string) []string {
	folder = path.Clean(folder)
	if folder == "." {
		return f.Names
	}
	folder += "/"
	from, _ := slices.BinarySearch(f.Names, folder)
	to := from
	for to < len(f.Names) && strings.HasPrefix(f.Names[to], folder) {
		to++
	}
	return f.Names[from:to]
}

// Read returns the content of a file.
func (f Files) Read(name string) ([]byte, error) { return fs.ReadFile(f.FS, path.Clean(name)) }

// Main is a main package of the repository, whether it is shipped or not.
type Main struct {
	// Module and Package are as in Program.
	Module, Package string
	// ModulePath is the module's path, such as example.com/api.
	ModulePath string
	// Binary is what go build calls the program.
	Binary string
}

// Folder returns the folder of the package, "." for the root.
func (m Main) Folder() string { return path.Join(".", m.Module, m.Package) }
