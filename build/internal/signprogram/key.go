package signprogram

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/thimble-build/thimble/build/internal/session"
)

// key returns a hash of everything that the program is made of. It is "" if something may change
// that is not hashed here, so that the go command has to look; that takes half a second.
//
// Modules that go.sum names never change. What the running program has in common with the other
// one is in its bytes. So the hash is of the running program, of the magefiles, and of the kit's
// signing code, if that is not a module that go.sum names.
func (c *compiler) key() (string, error) {
	folders := []string{c.dir}
	own := c.info.Main.Path == session.Kit().Path
	for _, m := range c.info.Deps {
		if m.Replace != nil {
			m = &debug.Module{Path: m.Path, Sum: m.Replace.Sum}
		}
		if m.Sum == "" && m.Path != session.Kit().Path {
			return "", nil
		}
		own = own || m.Sum == ""
	}
	if own {
		_, file, _, _ := runtime.Caller(0)
		if !filepath.IsAbs(file) {
			return "", nil
		}
		internal := filepath.Dir(filepath.Dir(file))
		folders = append(folders, filepath.Join(internal, "sigstore"),
			filepath.Join(filepath.Dir(internal), "signing"))
	} else if _, err := os.Stat(filepath.Join(c.dir, "go.mod")); err != nil {
		return "", nil // packages of the service may belong to it
	}
	h := sha256.New()
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := hashFile(h, self); err != nil {
		return "", err
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "vendor" || d.Name() == "testdata"):
				return fs.SkipDir
			case d.Type().IsRegular() && (strings.HasSuffix(name, ".go") || d.Name() == "go.mod" ||
				d.Name() == "go.sum"):
				return hashFile(h, name)
			}
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("hash the magefiles: %w", err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func hashFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %x\n", name, h.Sum(nil))
	return err
}
