package tree

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// zoneDir is the first folder in which Go's package time, and nearly all other programs, look for
// zones.
const zoneDir = "usr/share/zoneinfo/"

// zones is the time zone database of a Go toolchain: a zip file.
type zones struct {
	raw     []byte
	release string // such as "2025c"
}

var tzRelease = regexp.MustCompile(`(?m)^DATA=(\S+)$`)

// openZones reads the database of a toolchain: lib/time/zoneinfo.zip, or, if a distribution has
// removed it, the copy in the source of time/tzdata.
func openZones(goroot, goVersion string) (zones, error) {
	db := zones{release: goVersion}
	dir := filepath.Join(goroot, "lib", "time")
	// The script that made the file is in the same folder and names the release.
	script, err := os.ReadFile(filepath.Join(dir, "update.bash"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return zones{}, fmt.Errorf("read the release of the time zone database: %w", err)
	}
	if m := tzRelease.FindSubmatch(script); m != nil {
		db.release = string(m[1])
	}
	db.raw, err = os.ReadFile(filepath.Join(dir, "zoneinfo.zip"))
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err := embeddedZones(goroot); err == nil {
			db.raw = raw
			return db, nil
		}
		return zones{}, fmt.Errorf(
			"read the time zone database: %w; this Go toolchain does not contain it; install one from "+
				"go.dev/dl", err)
	}
	if err != nil {
		return zones{}, fmt.Errorf("read the time zone database: %w", err)
	}
	return db, nil
}

// embeddedZones returns the zip file from the source of package time/tzdata, where it is a string
// constant.
func embeddedZones(goroot string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(goroot, "src", "time", "tzdata", "zzipdata.go"))
	if err != nil {
		return nil, err
	}
	_, literal, ok := strings.Cut(string(source), "const zipdata = ")
	if !ok {
		return nil, errors.New("no constant zipdata")
	}
	raw, err := strconv.Unquote(strings.TrimSpace(literal))
	return []byte(raw), err
}

// addZones adds every zone of the toolchain's database as a file. Names of the same zone are hard
// links: they need a third fewer bytes than copies, and unlike symlinks they can be copied one by
// one.
func addZones(t *Tree, goroot, goVersion string) error {
	db, err := openZones(goroot, goVersion)
	if err != nil {
		return err
	}
	nodes, err := db.nodes()
	if err != nil {
		return fmt.Errorf("read the time zone database of %s: %w", goroot, err)
	}
	c := Component{
		Name:     "tzdata",
		Version:  db.release,
		PURL:     genericPURL("tzdata", db.release),
		Supplier: "Internet Assigned Numbers Authority (IANA)",
		Description: "the time zone database that the Go toolchain carries" +
			"; its authors have put it in the public domain",
	}
	if db.release != goVersion {
		c.DownloadLocation = "https://data.iana.org/time-zones/releases/tzdata" + db.release + ".tar.gz"
	}
	return t.AddComponent(c, nodes...)
}

func (db zones) nodes() ([]Node, error) {
	r, err := zip.NewReader(bytes.NewReader(db.raw), int64(len(db.raw)))
	if err != nil {
		return nil, err
	}
	files := slices.SortedFunc(slices.Values(r.File),
		func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var nodes []Node
	first := make(map[[sha256.Size]byte]string)
	for _, f := range files {
		if f.FileInfo().IsDir() {
			continue
		}
		content, err := readZipFile(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		n := Bytes(zoneDir+f.Name, 0o644, content)
		sum := sha256.Sum256(content)
		if target, ok := first[sum]; ok {
			n = Node{Path: n.Path, Mode: n.Mode, Link: target}
		} else {
			first[sum] = n.Path
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return nil, errors.New("it is empty")
	}
	return nodes, nil
}

func readZipFile(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}
