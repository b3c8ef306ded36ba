package debian

import (
	"fmt"
	"io/fs"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Files that the distroless project adds to Debian's packages (its common/BUILD.bazel,
// common/variables.bzl and static/nsswitch.conf).
const (
	nonroot = 65532

	passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`
	group = `root:x:0:
nobody:x:65534:
tty:x:5:
staff:x:50:
nonroot:x:65532:
`
	nsswitch = `passwd:         compat
group:          compat
shadow:         compat
gshadow:        files

hosts:          files dns
networks:       files

protocols:      db files
services:       db files
ethers:         db files
rpc:            db files

netgroup:       nis
`
)

// osRelease replaces that of base-files, as in distroless images; the URLs are thimble's, since
// the distroless project has not made this image.
const osRelease = `PRETTY_NAME="Distroless"
NAME="Debian GNU/Linux"
ID="debian"
VERSION_ID="%[1]s"
VERSION="Debian GNU/Linux %[1]s (%[2]s)"
HOME_URL="https://github.com/thimble-build/thimble"
SUPPORT_URL="https://github.com/thimble-build/thimble/blob/main/docs/bases.md"
BUG_REPORT_URL="https://github.com/thimble-build/thimble/issues/new"
`

const osReleasePath = "usr/lib/os-release"

// distrolessComponent is the component of these files.
var distrolessComponent = tree.Component{
	Name:             "thimble-distroless",
	Version:          "1", // changes with the files, and with format
	PURL:             "pkg:generic/thimble-distroless@1",
	License:          "Apache-2.0",
	Supplier:         "The thimble authors",
	DownloadLocation: "https://github.com/thimble-build/thimble",
	Description:      "users, groups, name services and os-release, as distroless images have them",
}

// distroless returns the nodes of a distroless base that are in no package.
func distroless(suite string) []tree.Node {
	folder := func(p string, mode fs.FileMode, owner int) tree.Node {
		return tree.Node{Path: p, Mode: fs.ModeDir | mode, UID: owner, GID: owner}
	}
	return []tree.Node{
		tree.Bytes("etc/group", 0o644, []byte(group)),
		tree.Bytes("etc/nsswitch.conf", 0o644, []byte(nsswitch)),
		tree.Bytes("etc/passwd", 0o644, []byte(passwd)),
		folder("home", 0o755, 0),
		folder("home/nonroot", 0o700, nonroot),
		folder("root", 0o700, 0),
		folder("tmp", 0o777|fs.ModeSticky, 0),
		tree.Bytes(osReleasePath, 0o644, fmt.Appendf(nil, osRelease, release[suite], suite)),
	}
}

// replaces says whether distroless replaces a package's file.
func (s Selection) replaces(p string) bool { return s.Base != plan.BaseDebian && p == osReleasePath }
