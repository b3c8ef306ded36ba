package layerfs

import (
	"archive/tar"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Covers returns the needs for which the layers already have the files; uid is the user who runs
// the program. It checks the places that Go's standard library reads. For certificates it accepts
// a bundle, but not a folder of single files.
func (fs *FS) Covers(uid string) []string {
	var covered []string
	for _, need := range plan.Needs { // sorted
		if fs.covers(need, uid) {
			covered = append(covered, need)
		}
	}
	return covered
}

func (fs *FS) covers(need, uid string) bool {
	any := func(paths ...string) bool {
		for _, p := range paths {
			if e, ok := fs.Lookup(p); ok && e.Type == tar.TypeReg && e.Size > 0 {
				return true
			}
		}
		return false
	}
	switch need {
	case plan.NeedCACertificates: // crypto/x509.certFiles
		return any("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
			"/etc/ssl/ca-bundle.pem",
			"/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
			"/etc/ssl/cert.pem")
	case plan.NeedZoneinfo: // time.platformZoneSources
		return any("/usr/share/zoneinfo/UTC", "/usr/share/lib/zoneinfo/UTC", "/usr/lib/locale/TZ/UTC",
			"/etc/zoneinfo/UTC")
	case plan.NeedMIMETypes: // mime.typeFiles, mime.mimeGlobs
		return any("/etc/mime.types", "/usr/share/mime/globs2", "/usr/local/share/mime/globs2",
			"/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types")
	case plan.NeedServices:
		return any("/etc/services") && any("/etc/protocols")
	case plan.NeedUsers:
		return any("/etc/group") && fs.home(uid) != ""
	case plan.NeedHome:
		e, ok := fs.Lookup(fs.home(uid))
		return ok && fs.home(uid) != "" && e.Type == tar.TypeDir
	case plan.NeedTmp:
		e, ok := fs.Lookup("/tmp")
		return ok && e.Type == tar.TypeDir && e.Mode&0o1777 == 0o1777
	}
	return false
}

// Users returns the content of /etc/passwd and /etc/group.
func (fs *FS) Users() (passwd, group []byte) {
	if e, ok := fs.Lookup("/etc/passwd"); ok {
		passwd = e.Content
	}
	if e, ok := fs.Lookup("/etc/group"); ok {
		group = e.Content
	}
	return passwd, group
}

// home returns the home folder of a uid in /etc/passwd; empty if there is none.
func (fs *FS) home(uid string) string {
	passwd, _ := fs.Users()
	for line := range strings.Lines(string(passwd)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 7 && f[2] == uid {
			return f[5]
		}
	}
	return ""
}
