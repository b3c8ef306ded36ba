package tree

import (
	"bytes"
	"io"
	"io/fs"
)

// The user of the image, as in distroless images, and its home folder.
const (
	nonroot  = 65532
	homePath = "home/nonroot"
)

// Node is one entry of a tree: a regular file, a folder, a symlink or a hard link. Other types
// are not allowed.
type Node struct {
	// Path is relative to the root, clean and with slashes: "etc/passwd".
	Path string
	// Mode has the type, the permissions and the setuid, setgid and sticky bits. A symlink's
	// permissions are written as 0777.
	Mode     fs.FileMode
	UID, GID int
	// Link is the unchanged target of a symlink. For a regular file it is the path of a node with
	// the same content: a hard link. That node must sort before the link and have the same mode
	// and owner.
	Link string
	// Capabilities is the value of a regular file's security.capability, as package capability
	// encodes it; empty for none.
	Capabilities []byte
	// Size is the number of bytes that Open's reader returns; both are for regular files.
	Size int64
	Open func() (io.ReadCloser, error)
}

// folder returns a folder with default mode and owner.
func folder(p string) Node {
	n := Node{Path: p, Mode: fs.ModeDir | 0o755}
	switch p {
	case "tmp":
		n.Mode = fs.ModeDir | fs.ModeSticky | 0o777
	case homePath:
		// Arbitrary users of OpenShift have group 0.
		n.Mode, n.UID = fs.ModeDir|0o770, nonroot
	}
	return n
}

// Folder returns a folder; mode is as in chmod.
func Folder(p string, mode int64, uid, gid int) Node {
	return Node{Path: p, Mode: fs.ModeDir | fileMode(uint32(mode)), UID: uid, GID: gid}
}

// Bytes returns a regular file, owned by root, with the content b.
func Bytes(p string, perm fs.FileMode, b []byte) Node {
	return Node{Path: p, Mode: perm, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// chmodBits returns a mode as in chmod.
func chmodBits(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		bit  int64
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.mode != 0 {
			bits |= b.bit
		}
	}
	return bits
}

// fileMode is the inverse of chmodBits.
func fileMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	if bits&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if bits&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
