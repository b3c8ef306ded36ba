package debian

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// ahead is how much a mirror's clock may be ahead of ours.
const ahead = 10 * time.Minute

// index is a verified signed index (InRelease, as in RepositoryFormat of Debian's wiki).
type index struct {
	plan.DebianIndex
	date          time.Time
	architectures []string
	byHash        bool
	// lists are the lists of packages of main by their path below the index.
	lists map[string]list
}

// list is the entry of an index for one of its files.
type list struct {
	size   int64
	sha256 string
}

// readIndex checks and parses an InRelease of the archive's suite: a key of the keyring must have
// signed it, it must be that suite's, not expired, and not older than previous, which may be nil.
// On a snapshot, the snapshot's time replaces now.
func readIndex(message []byte, archive, suite, snapshot string, keyring Keyring, now time.Time,
	previous *plan.DebianLock) (*index, error) {
	text, err := keyring.Verify(message, now)
	if err != nil {
		return nil, fmt.Errorf("its signature is not valid: %w", err)
	}
	return parseIndex(string(text), archive, suite, snapshot, now, previous)
}

// parseIndex is readIndex for the signed text.
func parseIndex(text, archive, suite, snapshot string, now time.Time,
	previous *plan.DebianLock) (*index, error) {
	p, err := first(text)
	if err != nil {
		return nil, err
	}
	if p["codename"] != suite {
		return nil, fmt.Errorf("it is the index of %q", p["codename"])
	}
	x := &index{
		DebianIndex:   plan.DebianIndex{Archive: archive, Suite: suite, Snapshot: snapshot},
		architectures: strings.Fields(p["architectures"]),
		byHash:        p["acquire-by-hash"] == "yes",
	}
	if x.date, err = readDate(p["date"]); err != nil {
		return nil, fmt.Errorf("read its date: %w", err)
	}
	x.Date = x.date.Format(time.RFC3339)
	if snapshot != "" {
		if now, err = time.Parse(snapshotTime, snapshot); err != nil {
			return nil, err
		}
	}
	if err := x.fresh(p["valid-until"], now, previous); err != nil {
		return nil, err
	}
	if x.lists, err = readLists(p["sha256"]); err != nil {
		return nil, err
	}
	return x, nil
}

// fresh returns an error for an index that is expired, from the future, or older than that of the
// lock: such an index hides later updates.
func (x *index) fresh(validUntil string, now time.Time, previous *plan.DebianLock) error {
	if x.date.After(now.Add(ahead)) {
		return fmt.Errorf("it is from %s, which is in the future; check the clock of this machine", x.Date)
	}
	if validUntil != "" {
		until, err := readDate(validUntil)
		if err != nil {
			return fmt.Errorf("read its expiry: %w", err)
		}
		if now.After(until) {
			return fmt.Errorf(
				"it expired at %s; the mirror is out of date, or somebody hides updates; use another mirror",
				until.Format(time.RFC3339))
		}
	}
	if previous == nil {
		return nil
	}
	for _, old := range previous.Indexes {
		if old.Archive != x.Archive || old.Suite != x.Suite {
			continue
		}
		date, err := time.Parse(time.RFC3339, old.Date)
		if err != nil {
			return fmt.Errorf("read the lock's date of it: %w", err)
		}
		if x.date.Before(date) {
			return fmt.Errorf(
				"it is from %s, but the lock's is from %s: the mirror is out of date, or somebody hides "+
					"updates; use another mirror", x.Date, old.Date)
		}
	}
	return nil
}

func readDate(s string) (time.Time, error) {
	t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 MST", s)
	return t.UTC(), err
}

// readLists parses lines of hash, size and path, and keeps those of main's packages.
func readLists(field string) (map[string]list, error) {
	lists := map[string]list{}
	for line := range strings.SplitSeq(field, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			return nil, fmt.Errorf("read its hashes: %.80q is not a hash, a size and a path", line)
		}
		if !strings.HasPrefix(f[2], "main/binary-") || !strings.Contains(f[2], "/Packages") {
			continue
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size < 0 || checkSHA256(f[0]) != nil {
			return nil, fmt.Errorf("read its hashes: %.120q is not a hash, a size and a path", line)
		}
		lists[f[2]] = list{size, f[0]}
	}
	return lists, nil
}

// packages returns the compressed list of an architecture's packages, and its size and hash
// without compression; false if the index has none for the architecture.
func (x *index) packages(architecture string) (path string, compressed, plain list, ok bool, err error) {
	if !slices.Contains(x.architectures, architecture) {
		return "", list{}, list{}, false, nil
	}
	name := "main/binary-" + architecture + "/Packages"
	plain, ok = x.lists[name]
	if !ok {
		return "", list{}, list{}, false, fmt.Errorf("the index has no %s", name)
	}
	for _, suffix := range []string{".gz", ".xz"} { // gz is larger, but five times as fast
		if compressed, ok = x.lists[name+suffix]; ok {
			return name + suffix, compressed, plain, true, nil
		}
	}
	return "", list{}, list{}, false, fmt.Errorf("the index has %s neither as .gz nor as .xz", name)
}

func checkSHA256(s string) error {
	if len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not a SHA-256", s)
	}
	return nil
}
