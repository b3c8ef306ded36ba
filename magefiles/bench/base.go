package bench

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build/report"
)

const (
	warmBaseLimit = 1.1
	coldBaseLimit = 1.0
)

// bases compares the time of an image on distroless/static with that of the same image on
// scratch, and the time of assembling that base with that of podman, which gets the same files.
// The packages come from THIMBLE_DEBIAN_MIRROR, if it is set.
func (b *benchmark) bases() error {
	fmt.Println()
	if _, err := exec.LookPath("podman"); err != nil {
		fmt.Println("no base was measured: podman is not in PATH")
		return nil
	}
	if err := b.fresh("sample-service"); err != nil {
		return err
	}
	if _, _, err := b.run([]string{b.mage, "lock"}, onStatic); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "an image, warm\ton scratch\ton distroless/static\tratio\tlimit\n")
	for _, row := range []struct {
		what string
		edit bool
	}{{"nothing changed", false}, {"one-line edit", true}} {
		on := func(base string) func() (time.Duration, error) {
			return func() (time.Duration, error) {
				if row.edit {
					if err := b.change(); err != nil {
						return 0, err
					}
				}
				elapsed, _, err := b.run(b.image(), base)
				return elapsed, err
			}
		}
		warm, err := b.alternate(on(onScratch), on(onStatic))
		if err != nil {
			return err
		}
		fmt.Fprint(w, warm.row(row.what, warmBaseLimit))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println()
	return b.coldBase()
}

const onScratch, onStatic = "THIMBLE_BASE=scratch", "THIMBLE_BASE=distroless/static"

// coldBase compares podman with a whole mage image whose cache has the packages, and everything
// else of the image except its base.
func (b *benchmark) coldBase() error {
	content := filepath.Join(b.dir, "cache", "thimble", "content")
	without := filepath.Join(b.dir, "without-base")
	if err := os.RemoveAll(content); err != nil {
		return err
	}
	if _, _, err := b.run(b.image(), onScratch); err != nil {
		return err
	}
	if err := os.Rename(content, without); err != nil {
		return err
	}
	ours := func() (time.Duration, error) {
		if err := os.RemoveAll(content); err != nil {
			return 0, err
		}
		if err := os.CopyFS(content, os.DirFS(without)); err != nil {
			return 0, err
		}
		elapsed, _, err := b.run(b.image(), onStatic)
		return elapsed, err
	}
	if _, err := ours(); err != nil {
		return err
	}
	folder := filepath.Join(b.dir, "context")
	files, err := b.unpackBase(filepath.Join(folder, "files"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte("FROM scratch\nADD files /\n"),
		0o644); err != nil {
		return err
	}
	podman := []string{"podman", "--root", filepath.Join(b.dir, "podman"), "--runroot",
		filepath.Join(b.dir, "podman-run")}
	cold, err := b.alternate(func() (time.Duration, error) {
		elapsed, _, err := b.run(append(podman, "build", "--quiet", "--no-cache", folder))
		return elapsed, err
	}, ours)
	// Its storage may contain mounts, so podman removes it.
	if _, _, resetErr := b.run(append(podman, "system", "reset", "--force")); resetErr != nil {
		err = errors.Join(err, resetErr)
	}
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "distroless/static, %d files, cold\tpodman build\tmage image\tratio\tlimit\n", files)
	fmt.Fprint(w, cold.row("packages are cached, layer is not", coldBaseLimit))
	return w.Flush()
}

// unpackBase writes the files of the image's lowest layer into a folder, and counts them.
func (b *benchmark) unpackBase(to string) (files int, err error) {
	text, err := os.ReadFile(filepath.Join(b.repo, "dist", "manifest.json"))
	if err != nil {
		return 0, err
	}
	var m report.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return 0, err
	}
	base := m.Images[0].Platforms[0].Layers[0]
	if base.Name != "base" {
		return 0, fmt.Errorf("the lowest layer is %s", base.Name)
	}
	digest, err := v1.NewHash(base.Digest)
	if err != nil {
		return 0, err
	}
	packed, err := layout.Path(filepath.Join(b.repo, "dist",
		filepath.FromSlash(m.Images[0].Layout))).Blob(digest)
	if err != nil {
		return 0, err
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return 0, err
	}
	for t := tar.NewReader(plain); ; {
		h, err := t.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return 0, err
		}
		if err := unpackEntry(to, h, t); err != nil {
			return 0, err
		}
		files++
	}
}

func unpackEntry(to string, h *tar.Header, content io.Reader) error {
	if !filepath.IsLocal(strings.TrimPrefix(h.Name, "/")) {
		return fmt.Errorf("entry %s is outside of the image", h.Name)
	}
	at := filepath.Join(to, filepath.FromSlash(h.Name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(at, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, at)
	case tar.TypeLink:
		return os.Link(filepath.Join(to, filepath.FromSlash(h.Linkname)), at)
	case tar.TypeReg:
		f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	return fmt.Errorf("entry %s is neither file, folder nor link", h.Name)
}
