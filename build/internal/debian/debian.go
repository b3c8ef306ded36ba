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
	"errors"
	"net/http"
	"time"

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
	// URL is the parent of debian/ and debian-security/; empty means Snapshot.
	URL string
	// Snapshots says that below URL/debian/ there are snapshots by time, as on Debian's
	// service. It is implied by an empty URL.
	Snapshots bool
	// Client makes the requests; http.DefaultClient if nil.
	Client *http.Client
	// Cache is the folder where downloads are kept by their SHA-256; it is made if need
	// be. Nothing in it is trusted: a file is hashed whenever it is used. Any number of
	// runs may share it, and anybody may remove anything from it. The time of a file is that
	// of its last use, to the day.
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
