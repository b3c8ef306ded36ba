package rootfs

import (
	"path"
	"slices"
	"strings"
)

// usual are folders that the usual bases have.
var usual = []string{"/", "/bin", "/sbin", "/lib", "/etc", "/opt", "/tmp", "/root", "/home", "/srv", "/usr",
	"/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/bin", "/usr/share", "/usr/lib", "/var", "/var/lib",
	"/var/log", "/var/run", "/run", "/mnt", "/media"}

// InUsualBases reports whether the usual bases have a folder.
func InUsualBases(p string) bool { return slices.Contains(usual, p) }

// AddedByThimble reports whether thimble adds a path by itself, if the binary needs it.
func AddedByThimble(p string) bool {
	for _, prefix := range []string{
		"/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
		"/etc/ca-certificates", "/usr/share/zoneinfo", "/etc/passwd", "/etc/group",
		"/etc/shadow", "/etc/nsswitch.conf", "/etc/mime.types", "/etc/services", "/etc/protocols",
		"/usr/local/go/lib/time", "/usr/lib/go/lib/time", "/etc/localtime",
		"/etc/timezone", "/tmp", "/etc/hosts", "/ca-certificates.crt", "/zoneinfo.zip", "/zoneinfo",
	} {
		if p == prefix || strings.HasPrefix(p, prefix+"/") {
			return true
		}
	}
	return strings.Contains(p, "ca-certificates") || path.Base(p) == "zoneinfo.zip" ||
		path.Base(p) == "ca-bundle.crt" || path.Base(p) == "cert.pem"
}
