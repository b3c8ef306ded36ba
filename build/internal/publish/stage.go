package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Link stages the file src as rel, a slash-separated path such as
// "bin/api/linux_amd64/api" below one of the folders archives, bin, debug, oci, sbom and verify.
// The two share one inode, and so their mode, wherever the file systems allow it;
// else src is copied. So src may be replaced later, but must not be rewritten in
// place. Staging one path twice is an error.
func (d *Dist) Link(ctx context.Context, rel, src string) error {
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.link(ctx, rel, src); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

func (d *Dist) link(ctx context.Context, rel, src string) error {
	want, err := os.Lstat(src)
	if err != nil {
		return err
	}
	if !want.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", src)
	}
	have, err := os.Lstat(d.path(rel))
	if err == nil && os.SameFile(want, have) {
		return nil
	}
	if err := d.place(rel); err != nil {
		return err
	}
	if os.Link(src, d.staged(rel)) == nil {
		d.stage(rel)
		return nil
	}
	// Another file system, or one without links.
	if err == nil && have.Mode() == want.Mode() && have.Size() == want.Size() {
		same, err := sameContent(ctx, src, d.path(rel))
		if same || err != nil {
			return err
		}
	}
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	return d.fill(rel, want.Mode().Perm(), func(to *os.File) error {
		if err := copyChunks(ctx, to, from); err != nil {
			return err
		}
		return to.Chmod(want.Mode().Perm()) // whatever the umask
	})
}

// Write stages data as rel, under the rules of Link.
func (d *Dist) Write(rel string, data []byte) error {
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.write(rel, data); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

// Create stages what write writes as rel, under the rules of Link.
func (d *Dist) Create(ctx context.Context, rel string, write func(io.Writer) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.place(rel); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	if err := d.fill(rel, 0o644, func(to *os.File) error { return write(to) }); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

func (d *Dist) write(rel string, data []byte) error {
	if d.holds(rel, data) {
		return nil
	}
	return d.put(rel, data)
}

// put is write where the content is new for sure.
func (d *Dist) put(rel string, data []byte) error {
	if err := d.place(rel); err != nil {
		return err
	}
	return d.fill(rel, 0o644, func(to *os.File) error {
		_, err := to.Write(data)
		return err
	})
}

// holds says that rel is in place already with this content.
func (d *Dist) holds(rel string, data []byte) bool {
	have, err := os.Lstat(d.path(rel))
	if err != nil || !have.Mode().IsRegular() || have.Size() != int64(len(data)) {
		return false
	}
	found, err := os.ReadFile(d.path(rel))
	return err == nil && bytes.Equal(found, data)
}

// claim notes that the run makes rel.
func (d *Dist) claim(rel string) error {
	top, rest, _ := strings.Cut(rel, "/")
	if !fs.ValidPath(rel) || (rest == "") != (rel == summaryName) || !slices.Contains(managed, top) {
		return fmt.Errorf("stage %q: not a path below one of %s", rel, strings.Join(managed, ", "))
	}
	if !d.add(rel) {
		return fmt.Errorf("stage %s: staged twice", rel)
	}
	return nil
}

// add says whether rel is new.
func (d *Dist) add(rel string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.files[rel]; there {
		return false
	}
	d.files[rel] = false
	return true
}

// stage notes that rel waits in the stage.
func (d *Dist) stage(rel string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[rel] = true
}

// place makes the folder in the stage that rel goes to.
func (d *Dist) place(rel string) error {
	if !d.lock.Locked() {
		return errors.New("the folder is closed")
	}
	return os.MkdirAll(filepath.Dir(d.staged(rel)), 0o777)
}

// fill creates rel in the stage.
func (d *Dist) fill(rel string, perm fs.FileMode, write func(*os.File) error) error {
	f, err := os.OpenFile(d.staged(rel), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	d.stage(rel)
	return nil
}

// chunk is how much is copied or compared between two looks at the context.
const chunk = 1 << 20

func copyChunks(ctx context.Context, to io.Writer, from io.Reader) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, chunk); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// sameContent compares two files of one size.
func sameContent(ctx context.Context, a, b string) (bool, error) {
	var files [2]*os.File
	var buffers [2][]byte
	for i, name := range []string{a, b} {
		f, err := os.Open(name)
		if err != nil {
			return false, err
		}
		defer f.Close()
		files[i], buffers[i] = f, make([]byte, chunk/4)
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return false, err
		}
		n, err := io.ReadFull(files[0], buffers[0])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		m, otherErr := io.ReadFull(files[1], buffers[1])
		if otherErr != nil && otherErr != io.EOF && otherErr != io.ErrUnexpectedEOF {
			return false, otherErr
		}
		if !bytes.Equal(buffers[0][:n], buffers[1][:m]) {
			return false, nil
		}
		if err != nil {
			return true, nil
		}
	}
}
