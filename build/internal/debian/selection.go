package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/thimble-build/thimble/build/plan"
)

// Selection is one base for one architecture with its packages, as Find returns it.
type Selection struct {
	plan.DebianSelection
	// Suite is that of the lock.
	Suite string
	// Locked are the packages, in the order of their names.
	Locked []plan.DebianPackage
	// Indexes are those of the lock.
	Indexes []plan.DebianIndex
}

// Find returns the lock's selection for a base with further packages (in any order) on an
// architecture. If there is none, errors.Is(err, ErrNotLocked) is true; other errors mean a lock
// that contradicts itself.
func Find(l *plan.DebianLock, base string, with []string, architecture string) (Selection, error) {
	s, err := find(l, base, with, architecture)
	if err != nil {
		return Selection{}, fmt.Errorf("base %s for Debian's %s: %w", base, architecture, err)
	}
	return s, nil
}

func find(l *plan.DebianLock, base string, with []string, architecture string) (Selection, error) {
	if l == nil {
		return Selection{}, ErrNotLocked
	}
	if err := checkSuite(l.Suite); err != nil {
		return Selection{}, err
	}
	with = slices.Compact(slices.Sorted(slices.Values(with)))
	i := slices.IndexFunc(l.Selections, func(s plan.DebianSelection) bool {
		return s.Base == base && s.Architecture == architecture && slices.Equal(s.With, with)
	})
	if i < 0 {
		return Selection{}, ErrNotLocked
	}
	s := Selection{DebianSelection: l.Selections[i], Suite: l.Suite, Indexes: l.Indexes}
	if _, err := define(l.Suite, s.Base); err != nil {
		return Selection{}, err
	}
	for _, entry := range s.Packages {
		name, version, _ := strings.Cut(entry, "=")
		var found []plan.DebianPackage
		for _, p := range l.Packages {
			if p.Name == name && p.Version == version &&
				(p.Architecture == architecture || p.Architecture == "all") {
				found = append(found, p)
			}
		}
		if len(found) != 1 {
			return Selection{}, fmt.Errorf("the lock has package %q %d times; run \"mage lock\"", entry,
				len(found))
		}
		if err := checkPackage(found[0]); err != nil {
			return Selection{}, fmt.Errorf("the lock's package %q: %w", entry, err)
		}
		s.Locked = append(s.Locked, found[0])
	}
	slices.SortFunc(s.Locked, comparePackages)
	if len(s.Locked) == 0 {
		return Selection{}, fmt.Errorf("the lock has no packages for it; run \"mage lock\"")
	}
	for i := 1; i < len(s.Locked); i++ {
		if s.Locked[i].Name == s.Locked[i-1].Name {
			return Selection{}, fmt.Errorf("the lock lists package %q twice; run \"mage lock\"",
				s.Locked[i].Name)
		}
	}
	return s, nil
}

// format is part of Key. It changes whenever Tree returns other files or other components for the
// same packages.
const format = "thimble debian 1"

// Key identifies the content of the selection's tree: two selections with one key have the same
// tree and components, byte for byte. It reads no files: it is derived from the lock, above all
// the packages' hashes, and from the format version of the trees in this package.
func (s Selection) Key() string {
	var locations []string
	for _, p := range s.Locked {
		locations = append(locations, s.location(p))
	}
	b, err := json.Marshal([]any{format, s.Suite, s.DebianSelection, s.Locked, locations})
	if err != nil {
		panic(err) // it has only strings and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Fetch makes sure that all packages of the selection are in the mirror's Cache. It requests only
// missing files, and continues interrupted ones. A file with another size or hash than in the
// lock is refused and not kept.
func (s Selection) Fetch(ctx context.Context, m Mirror) error {
	missing, err := s.missing(ctx, m)
	if err != nil || len(missing) == 0 {
		return err
	}
	return m.locked(ctx, func() error {
		var flight singleflight.Group
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(4)
		for _, p := range missing {
			g.Go(func() error {
				url, err := m.packageURL(p, s.Indexes)
				if err != nil {
					return err
				}
				if err := m.fetch(ctx, &flight, wantedPackage(p, url)); errors.Is(err, errGone) {
					return fmt.Errorf(
						"package %s %s: %w any more; run \"mage lock\", or use Debian's snapshot service, "+
							"which keeps all packages", p.Name, p.Version, err)
				} else if err != nil {
					return fmt.Errorf("package %s %s: %w", p.Name, p.Version, err)
				}
				return nil
			})
		}
		return g.Wait()
	})
}

func wantedPackage(p plan.DebianPackage, urls ...string) wanted {
	return wanted{urls: urls, size: p.Size, sha256: p.SHA256}
}

// missing returns the packages that are not in the cache.
func (s Selection) missing(ctx context.Context, m Mirror) ([]plan.DebianPackage, error) {
	var missing []plan.DebianPackage
	for _, p := range s.Locked {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		kept, err := m.kept(ctx, wantedPackage(p))
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", p.Name, err)
		}
		if !kept {
			missing = append(missing, p)
		}
	}
	return missing, nil
}
