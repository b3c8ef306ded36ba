package debian

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// maxIndex is the maximum size of an index, in bytes; trixie's has 140 kB.
const maxIndex = 16 << 20

// Lock reads the indexes of the suite, its updates and its security archive, and returns the
// packages for each selection: of each the newest version in the three. The same indexes give the
// same JSON. If the security archive no longer supports an architecture, as for s390x in
// bookworm, the other two are used.
//
// It is an error if an index is not signed by a trusted key, does not match its hashes, is
// expired, belongs to another suite, or is older than Previous's; and if a package, or one of its
// dependencies, does not exist.
func Lock(ctx context.Context, r Request) (plan.DebianLock, error) {
	if r.Suite == "" {
		r.Suite = DefaultSuite
	}
	l, err := lock(ctx, r)
	if err != nil {
		return plan.DebianLock{}, fmt.Errorf("lock Debian's packages: %w", err)
	}
	return l, nil
}

func lock(ctx context.Context, r Request) (plan.DebianLock, error) {
	selections, err := normalize(r.Suite, r.Selections)
	if err != nil {
		return plan.DebianLock{}, err
	}
	if r.Keyring == nil {
		if r.Keyring, err = ArchiveKeys(); err != nil {
			return plan.DebianLock{}, err
		}
	}
	keyring, err := readKeyring(r.Keyring)
	if err != nil {
		return plan.DebianLock{}, err
	}
	if r.Previous != nil && r.Previous.Suite != r.Suite {
		r.Previous = nil
	}
	indexes, err := r.indexes(ctx, keyring)
	if err != nil {
		return plan.DebianLock{}, err
	}
	l := plan.DebianLock{Suite: r.Suite}
	for _, x := range indexes {
		l.Indexes = append(l.Indexes, x.DebianIndex)
	}
	err = r.Mirror.locked(ctx, func() error { return r.choose(ctx, indexes, selections, &l) })
	return l, err
}

// normalize sorts selections, drops repetitions, and checks what can be checked before anything
// is fetched.
func normalize(suite string, selections []plan.DebianSelection) ([]plan.DebianSelection, error) {
	if err := checkSuite(suite); err != nil {
		return nil, err
	}
	var sorted []plan.DebianSelection
	for _, s := range selections {
		if _, err := define(suite, s.Base); err != nil {
			return nil, err
		}
		s.Packages, s.With = nil, slices.Compact(slices.Sorted(slices.Values(s.With)))
		for _, name := range s.With {
			if err := checkName(name); err != nil {
				return nil, fmt.Errorf("base %s: %w", s.Base, err)
			}
		}
		if s.Base == plan.BaseDebian && len(s.With) == 0 {
			return nil, fmt.Errorf("base %s: it has no packages", s.Base)
		}
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, compareSelections)
	return slices.CompactFunc(sorted, func(a,
		b plan.DebianSelection) bool {
		return compareSelections(a, b) == 0
	}), nil
}

func compareSelections(a, b plan.DebianSelection) int {
	return cmp.Or(strings.Compare(a.Base, b.Base), slices.Compare(a.With, b.With),
		strings.Compare(a.Architecture, b.Architecture))
}

// indexes fetches and checks the signed indexes.
func (r Request) indexes(ctx context.Context, keyring Keyring) ([]*index, error) {
	var indexes []*index
	snapshots := map[string]string{}
	for _, x := range []plan.DebianIndex{
		{Archive: mainArchive, Suite: r.Suite},
		{Archive: mainArchive, Suite: r.Suite + "-updates"},
		{Archive: securityArchive, Suite: r.Suite + "-security"},
	} {
		if r.Mirror.snapshots() && snapshots[x.Archive] == "" {
			snapshots[x.Archive] = r.Now.UTC().Format(snapshotTime)
		}
		root, err := r.Mirror.archiveURL(x.Archive, snapshots[x.Archive])
		if err != nil {
			return nil, err
		}
		message, from, err := r.Mirror.read(ctx, root+"/dists/"+x.Suite+"/InRelease", maxIndex)
		if errors.Is(err, errGone) {
			err = fmt.Errorf(
				"%w; Config.Debian.Mirror must be the folder that contains debian/ and debian-security/", err)
		}
		if err != nil {
			return nil, fmt.Errorf("index of %s: %w", x.Suite, err)
		}
		if r.Mirror.snapshots() {
			// The archive's next index is read from the same snapshot.
			if snapshots[x.Archive], err = snapshotOf(from); err != nil {
				return nil, err
			}
		}
		read, err := readIndex(message, x.Archive, x.Suite, snapshots[x.Archive], keyring, r.Now, r.Previous)
		if err != nil {
			return nil, fmt.Errorf("index of %s from %s: %w", x.Suite, redact(from), err)
		}
		indexes = append(indexes, read)
	}
	return indexes, nil
}

// choose fills in the selections and packages of the lock.
func (r Request) choose(ctx context.Context, indexes []*index, selections []plan.DebianSelection,
	l *plan.DebianLock) error {
	byArchitecture := map[string][]int{}
	for i, s := range selections {
		byArchitecture[s.Architecture] = append(byArchitecture[s.Architecture], i)
	}
	l.Selections = selections
	packages := make([][]plan.DebianPackage, len(selections))
	var flight singleflight.Group
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2) // a list takes about 100 MB
	for _, arch := range slices.Sorted(maps.Keys(byArchitecture)) {
		g.Go(func() error {
			u, err := r.universe(ctx, &flight, indexes, arch)
			if err != nil {
				return err
			}
			for _, i := range byArchitecture[arch] {
				if packages[i], err = u.choose(r.Suite, &selections[i]); err != nil {
					return fmt.Errorf("base %s: %w", selections[i].Base, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, p := range packages {
		l.Packages = append(l.Packages, p...)
	}
	slices.SortFunc(l.Packages, comparePackages)
	l.Packages = slices.Compact(l.Packages)
	return nil
}

func comparePackages(a, b plan.DebianPackage) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture),
		compareVersions(a.Version, b.Version), strings.Compare(a.SHA256, b.SHA256))
}

// choose fills in the packages of a selection.
func (u *universe) choose(suite string, s *plan.DebianSelection) ([]plan.DebianPackage, error) {
	d, err := define(suite, s.Base)
	if err != nil {
		return nil, err
	}
	chosen, err := u.resolve(d.exact, slices.Concat(d.roots, s.With))
	if err != nil {
		return nil, err
	}
	var packages []plan.DebianPackage
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		if err := checkPackage(chosen[name].DebianPackage); err != nil {
			return nil, fmt.Errorf("package %s: %w", name, err)
		}
		s.Packages = append(s.Packages, name+"="+chosen[name].Version)
		packages = append(packages, chosen[name].DebianPackage)
	}
	return packages, nil
}

// universe reads the lists of an architecture from all indexes.
func (r Request) universe(ctx context.Context, flight *singleflight.Group, indexes []*index,
	arch string) (*universe, error) {
	u := newUniverse(arch)
	for i, x := range indexes {
		name, compressed, plain, ok, err := x.packages(arch)
		if err != nil {
			return nil, fmt.Errorf("index of %s: %w", x.Suite, err)
		}
		if !ok {
			if i > 0 {
				continue
			}
			return nil, fmt.Errorf("%s has no packages for %s, only for %s", x.Suite, arch,
				strings.Join(x.architectures, ", "))
		}
		if err := r.read(ctx, flight, u, x, name, compressed, plain); err != nil {
			return nil, fmt.Errorf("packages of %s for %s: %w", x.Suite, arch, err)
		}
	}
	return u, nil
}

// read adds a list of packages to u; it fetches the list unless the cache has it.
func (r Request) read(ctx context.Context, flight *singleflight.Group, u *universe, x *index, name string,
	compressed, plain list) error {
	root, err := r.Mirror.archiveURL(x.Archive, x.Snapshot)
	if err != nil {
		return err
	}
	dists := root + "/dists/" + x.Suite + "/"
	w := wanted{urls: []string{dists + name}, size: compressed.size, sha256: compressed.sha256}
	if x.byHash {
		// A mirror that is being updated still has the files of the old index.
		w.urls = slices.Insert(w.urls, 0, dists+name[:strings.LastIndexByte(name, '/')]+"/by-hash/SHA256/"+
			compressed.sha256)
	}
	err = r.Mirror.fetch(ctx, flight, w)
	if errors.Is(err, errDiffers) || errors.Is(err, errGone) {
		return fmt.Errorf(
			"%w; somebody changed it, or the mirror is out of date: try again later, or use another mirror",
			err)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(r.Mirror.Cache, w.sha256))
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	content, err := decompress(f, filepath.Ext(name))
	if err != nil {
		return err
	}
	defer content.Close() // only read from
	text, err := readList(limit.Reader(ctx, content), plain)
	if err != nil {
		return err
	}
	return u.add(text, x.Archive)
}

// maxList is the maximum size of an uncompressed list of packages, in bytes; trixie's is 57 MB.
const maxList = 128 << 20

// readList reads a list of packages, which must have the size and hash in the index.
func readList(r io.Reader, plain list) (string, error) {
	if plain.size > maxList {
		return "", fmt.Errorf("it has %d bytes, but only %d are allowed", plain.size, int64(maxList))
	}
	var b strings.Builder
	b.Grow(int(plain.size))
	h := &hashing{io.LimitReader(r, plain.size+1), sha256.New()}
	n, err := io.Copy(&b, h)
	if err != nil {
		return "", err
	}
	if n != plain.size {
		return "", fmt.Errorf("it does not have the %d bytes that the index says", plain.size)
	}
	if sum := hex.EncodeToString(h.hash.Sum(nil)); sum != plain.sha256 {
		return "", fmt.Errorf("its SHA-256 is %s, but the index says %s", sum, plain.sha256)
	}
	return b.String(), nil
}

// hashing hashes what is read.
type hashing struct {
	io.Reader
	hash hash.Hash
}

func (h *hashing) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.hash.Write(p[:n])
	return n, err
}
