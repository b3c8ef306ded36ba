// Package debian makes file trees of Debian's packages, without Debian's tools and
// without running anything that is in a package.
//
// Lock reads the signed indexes of a suite and pins every package of the bases that
// were asked for: by version, size and SHA-256. Tree makes the files of one such base
// of exactly these packages. In between lies the lock file: Tree asks no index, and
// whatever a mirror sends must have the hash that the lock says.
//
// Trust begins with the keys of Debian's archive, which the kit carries (keys/). An
// index counts when one of them has signed it, when it is not expired, and when it is
// not older than the index of the previous lock. Its hashes cover the lists of packages
// (Packages), whose hashes cover the packages. So a mirror may be reached over plain
// HTTP, and a proxy may keep what it likes.
//
// Nothing of the system that the kit runs on is used: no dpkg, apt, gpg, tar or xz. The
// package prints nothing and writes only into the folders that its caller names.
package debian

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Snapshot is the URL of Debian's snapshot service, the mirror if none is set: every
// state that the archive ever had stays there under the time at which it was read.
const Snapshot = "https://snapshot.debian.org/archive"

// DefaultSuite is the suite if none is set: Debian 13.
const DefaultSuite = "trixie"

// ErrNotLocked is what Find gives when the lock has no entry for a base.
var ErrNotLocked = errors.New("the lock has no entry for it")

// Mirror is where files of the archive come from, and where they are kept.
type Mirror struct {
	// URL is the parent of debian/ and debian-security/; empty means Snapshot. A URL
	URL string
	// Snapshots says that below URL/debian/ there are snapshots by time, as on Debian's
	// service. It is implied by an empty URL.
	Snapshots bool
	// Client makes the requests; http.DefaultClient if nil.
	Client *http.Client
	// Cache is the folder where downloads are kept by their SHA-256; it is made if need
	// be. Nothing in it is trusted: a file is hashed whenever it is used. Any number of
	// runs may share it, and anybody may remove anything from it.
	Cache string
}

// Request is what Lock is to pin.
type Request struct {
	Mirror Mirror
	// Suite is a codename, "bookworm" or "trixie"; DefaultSuite if empty.
	Suite string
	// Selections have Base, With and Architecture; their Packages are ignored. The same
	// may be there more than once.
	Selections []plan.DebianSelection
	// Previous is the lock's entry for the same suite so far, if there is one: an index
	// that is older than it had is refused. An entry of another suite is ignored.
	Previous *plan.DebianLock
	// Now is the time by which expiry is judged; on a mirror with snapshots it also says
	// which: the last one before it.
	Now time.Time
	// Keyring are OpenPGP public keys, in binary form, that are trusted instead of
	// Debian's. It is there for tests and for archives of one's own.
	Keyring []byte
}

// Architecture returns what Debian calls a platform: linux/arm/v7 is "armhf". A platform
// for which the suite has no packages is an error that says which there are.
func Architecture(suite string, p plan.Platform) (string, error) {
	return "", errors.New("not yet")
}

// Lock reads the indexes of the suite, its updates and its security archive, and returns
// for each selection the packages that it comes to: of each the newest version that the
// three have. The result has the same JSON whenever the indexes are the same.
//
// It is an error when an index is not signed by a trusted key, does not match its
// hashes, is expired, is that of another suite, or is older than Previous's; and when a
// package, or what it depends on, does not exist.
func Lock(ctx context.Context, r Request) (plan.DebianLock, error) {
	return plan.DebianLock{}, errors.New("not yet")
}

// Selection is one base for one architecture with its packages, as Find gives it.
type Selection struct {
	plan.DebianSelection
	// Suite is that of the lock.
	Suite string
	// Locked are the packages, in the order of their names.
	Locked []plan.DebianPackage
	// Indexes are those of the lock.
	Indexes []plan.DebianIndex
}

// Find returns the lock's selection for a base with further packages (in any order) on
// an architecture. If there is none, or the lock contradicts itself, errors.Is(err,
// ErrNotLocked) tells the first from the second.
func Find(l *plan.DebianLock, base string, with []string, architecture string) (Selection, error) {
	return Selection{}, errors.New("not yet")
}

// Key stands for the content of the selection's tree: two selections with one key have
// the same tree, byte for byte. It opens nothing: it is made of the packages' hashes
// and of the version of the format in which this package makes trees.
func (s Selection) Key() string { return "" }

// Fetch makes sure that all packages of the selection are in the mirror's Cache. What is
// there is not asked for again; what was cut off is continued. A file that has not the
// size or the hash that the lock says is refused and not kept.
func (s Selection) Fetch(ctx context.Context, m Mirror) error { return errors.New("not yet") }

// Tree makes the tree of the selection, after Fetch. Contents are unpacked into files in
// dir, which the caller makes before and removes when the tree is no longer used; trees of
// one run may share it. The tree's components are its packages.
func (s Selection) Tree(ctx context.Context, m Mirror, dir string) (*tree.Tree, error) {
	return nil, errors.New("not yet")
}
