package reproduce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/plainfile"
)

// The limits for reading generated files: their number, and the bytes of each and of all.
const (
	maxGenerated      = 2000
	maxGeneratedSize  = 4 << 20
	maxGeneratedTotal = 64 << 20
)

// maxVisited limits how many files and folders are looked at.
const maxVisited = 200_000

// readGenerated reads the files of a folder that have the names of a build's generated files, or
// are in folders of these names, up to the limits. It follows no link out of the folder.
func readGenerated(root *os.Root, names []string) (map[string][]byte, error) {
	g := &generatedFiles{root: root, files: map[string][]byte{}, bytes: maxGeneratedTotal, visits: maxVisited}
	for _, name := range names {
		err := g.collect(path.Clean(name))
		if errors.Is(err, fs.SkipAll) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read what the build generated: %w", err)
		}
	}
	return g.files, nil
}

// generatedFiles are the files, and how much more is read.
type generatedFiles struct {
	root   *os.Root
	files  map[string][]byte
	bytes  int64
	visits int
}

// collect reads a file, or the files of a folder. At the end of the limits it returns fs.SkipAll.
func (g *generatedFiles) collect(name string) error {
	err := plainfile.Walk(g.root, name, maxVisited, func(name string, mode fs.FileMode) error {
		if g.visits--; g.visits < 0 || len(g.files) >= maxGenerated || g.bytes <= 0 {
			return fs.SkipAll
		}
		if !mode.IsRegular() {
			return nil
		}
		b, err := plainfile.ReadIn(g.root, name, min(maxGeneratedSize, g.bytes))
		if errors.Is(err, limit.ErrTooLarge) || errors.Is(err, plainfile.ErrNotRegular) ||
			errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		g.files[name], g.bytes = b, g.bytes-int64(len(b))
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// generatedContent reads the generated files of a clean room's tree.
func generatedContent(in layout, names []string) (map[string][]byte, error) {
	root, err := in.openTree()
	if err != nil {
		return nil, fmt.Errorf("read what the build generated: %w", err)
	}
	defer root.Close() // only read
	return readGenerated(root, names)
}
