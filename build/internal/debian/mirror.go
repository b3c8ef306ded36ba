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

// snapshotTime is how the snapshot service writes times.
const snapshotTime = "20060102T150405Z"

// The archives below a mirror.
const (
	mainArchive     = "debian"
	securityArchive = "debian-security"
)

// snapshots says whether the mirror has snapshots.
func (m Mirror) snapshots() bool { return m.Snapshots || m.URL == "" }

// base is the mirror's URL without a slash at its end.
func (m Mirror) base() (string, error) {
	if m.URL == "" {
		return Snapshot, nil
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("debian mirror %q is not an http or https URL", redact(m.URL))
	}
	return strings.TrimRight(m.URL, "/"), nil
}

// archiveURL is where an archive's files are: on a mirror with snapshots, those of the
// last one that is not after the time.
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

// redirected finds the time of the snapshot that an answer is from. The service sends
// whoever asks for a time between two snapshots to the earlier.
var redirected = regexp.MustCompile(`/(\d{8}T\d{6}Z)/`)

func snapshotOf(from string) (string, error) {
	match := redirected.FindAllStringSubmatch(from, -1)
	if len(match) == 0 {
		return "", fmt.Errorf("find the time of the snapshot in %s: there is none", from)
	}
	s := match[len(match)-1][1]
	if _, err := time.Parse(snapshotTime, s); err != nil {
		return "", fmt.Errorf("find the time of the snapshot in %s: %w", from, err)
	}
	return s, nil
}

// settled is how long after an index's date the packages that it names are certainly in
// a snapshot. Superseded ones stay in the archive for longer than that.
const settled = 24 * time.Hour

// packageURL is where a locked package is. A lock that was made from a mirror without
// snapshots still finds its packages on one that has them: in the snapshot that follows
// the newest of the archive's indexes.
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

// unwrapURL drops what net/http says before the cause: the URL, which is named already.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// redact is a URL for an error: without a password.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}
