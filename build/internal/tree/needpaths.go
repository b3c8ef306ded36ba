package tree

import "github.com/thimble-build/thimble/build/plan"

// needPaths are the files and, with a slash at the end, folders that Rootfs adds for each need.
var needPaths = map[string][]string{
	plan.NeedCACertificates: {"/etc/ssl/certs/ca-certificates.crt"},
	plan.NeedHome:           {"/home/nonroot/"},
	plan.NeedMIMETypes:      {"/etc/mime.types"},
	plan.NeedServices:       {"/etc/protocols", "/etc/services"},
	plan.NeedTmp:            {"/tmp/"},
	plan.NeedUsers:          {"/etc/group", "/etc/passwd"},
	plan.NeedZoneinfo:       {"/usr/share/zoneinfo/"},
}

// NeedPaths returns the absolute paths that Rootfs adds for a need, sorted; a path that ends with
// a slash is a folder with all its content. The list is empty, and not nil, for a need without
// files.
func NeedPaths(need string) []string {
	return append([]string{}, needPaths[need]...)
}
