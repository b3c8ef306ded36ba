// Package debian makes file trees of Debian's packages, without Debian's tools and without
// running any program of a package.
//
// Lock reads the signed indexes of a suite and pins every package of the requested bases by
// version, size and SHA-256. Tree makes the files of one such base from exactly these packages.
// The lock file connects the two: Tree reads no index, and every file from a mirror must have the
// hash in the lock.
//
// Trust begins with the keys of Debian's archive, which are part of the kit (keys/). An index is
// valid if one of them signed it, if it is not expired, and if it is not older than the index of
// the previous lock. Its hashes cover the lists of packages (Packages), whose hashes cover the
// packages. So a mirror may use plain HTTP, and a proxy may cache everything.
//
// The package uses no program of the host: no dpkg, apt, gpg, tar or xz. It prints nothing and
// writes only into the folders that its caller names.
package debian

import (
	"errors"
	"net/http"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// Snapshot is the URL of Debian's snapshot service, the default mirror: it keeps every state of
// the archive under the time at which it was read.
const Snapshot = "https://snapshot.debian.org/archive"

// DefaultSuite is the default suite: Debian 13.
const DefaultSuite = "trixie"

// ErrNotLocked is the error of Find if the lock has no entry for a base.
var ErrNotLocked = errors.New("the lock has no entry for it")

// Mirror says where the archive's files are read from, and where they are cached.
type Mirror struct {
	// URL is the parent of debian/ and debian-security/; empty means Snapshot.
	URL string
	// Snapshots says that there are snapshots by time below URL/debian/, as on Debian's service.
	// An empty URL implies it.
	Snapshots bool
	// Client makes the requests; http.DefaultClient if nil.
	Client *http.Client
	// Cache is the folder for downloads, named by their SHA-256; it is made if necessary. Its
	// content is not trusted: a file is hashed each time it is used. Several runs may share it,
	// and any file may be removed at any time. The modification time of a file is that of its
	// last use, to the day.
	Cache string
}

// Request says what Lock pins.
type Request struct {
	Mirror Mirror
	// Suite is a codename, "bookworm" or "trixie"; DefaultSuite if empty.
	Suite string
	// Selections have Base, With and Architecture; their Packages are ignored. Repetitions are
	// allowed.
	Selections []plan.DebianSelection
	// Previous is the lock's current entry for the same suite, if there is one: an index older
	// than its index is refused. An entry of another suite is ignored.
	Previous *plan.DebianLock
	// Now is the time for which expiry is checked; on a mirror with snapshots it also selects the
	// snapshot: the last one before it.
	Now time.Time
	// Keyring are trusted OpenPGP public keys, in binary form, which replace Debian's. It is for
	// tests and for private archives.
	Keyring []byte
}
