package debian

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// snapshotTime is the time format of the snapshot service.
const snapshotTime = "20060102T150405Z"

// The archives of a mirror.
const (
	mainArchive     = "debian"
	securityArchive = "debian-security"
)

// snapshots says whether the mirror has snapshots.
func (m Mirror) snapshots() bool { return m.Snapshots || m.URL == "" }

// base returns the URL of the folder with the archives, without a slash at its end. It accepts the
// URL in a machine's apt sources too, which is that of the archive debian.
func (m Mirror) base() (string, error) {
	if m.URL == "" {
		return Snapshot, nil
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("debian mirror %q is not an http or https URL", redact(m.URL))
	}
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(m.URL, "/"), "/"+mainArchive), "/"), nil
}

// archiveURL returns the URL of an archive's files: on a mirror with snapshots, in the last
// snapshot that is not after the time.
func (m Mirror) archiveURL(archive, snapshot string) (string, error) {
	base, err := m.base()
	if err != nil {
		return "", err
	}
	if m.snapshots() {
		return base + "/" + archive + "/" + snapshot, nil
	}
	return base + "/" + archive, nil
}

// redirected finds the snapshot's time in the URL of an answer. The service redirects a request
// for a time between two snapshots to the earlier one.
var redirected = regexp.MustCompile(`/(\d{8}T\d{6}Z)/`)

func snapshotOf(from string) (string, error) {
	match := redirected.FindAllStringSubmatch(from, -1)
	if len(match) == 0 {
		return "", fmt.Errorf("find the time of the snapshot in %s: it contains no time", from)
	}
	s := match[len(match)-1][1]
	if _, err := time.Parse(snapshotTime, s); err != nil {
		return "", fmt.Errorf("find the time of the snapshot in %s: %w", from, err)
	}
	return s, nil
}

// settled is the time after an index's date when its packages are certainly in a snapshot.
// Superseded packages stay in the archive for longer.
const settled = 24 * time.Hour

// packageURL returns the URL of a locked package. If the lock was made from a mirror without
// snapshots and this one has them, the package is in the snapshot that follows the newest of the
// archive's indexes.
func (m Mirror) packageURL(p plan.DebianPackage, indexes []plan.DebianIndex) (string, error) {
	snapshot := ""
	for _, x := range indexes {
		if x.Archive != p.Archive {
			continue
		}
		s := x.Snapshot
		if s == "" {
			date, err := time.Parse(time.RFC3339, x.Date)
			if err != nil {
				return "", fmt.Errorf("read the lock's date of %s: %w", x.Suite, err)
			}
			s = date.Add(settled).UTC().Format(snapshotTime)
		}
		snapshot = max(snapshot, s)
	}
	if snapshot == "" {
		return "", fmt.Errorf("the lock has no index of %s, which %s is from", p.Archive, p.Name)
	}
	root, err := m.archiveURL(p.Archive, snapshot)
	return root + "/" + p.Path, err
}

// unwrapURL removes the URL that net/http writes before the cause; our error already names it.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// redact returns a URL without a password, for an error.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}
