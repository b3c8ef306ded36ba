package tree

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Accounts are /etc/passwd and /etc/group of a base; nil if it has none.
type Accounts struct{ Passwd, Group []byte }

// thimble's accounts: root, nobody and nonroot, the user of the image.
var (
	//go:embed data/passwd
	passwd []byte
	//go:embed data/group
	group []byte
)

// MergeAccounts returns the accounts of Rootfs: the base's, and those of thimble's whose name the
// base does not have.
func MergeAccounts(base Accounts) Accounts {
	return Accounts{merge(base.Passwd, passwd), merge(base.Group, group)}
}

func merge(file, ours []byte) []byte {
	all := lines(file)
	for line := range bytes.Lines(ours) {
		if name, _, _ := bytes.Cut(line, []byte(":")); find(file, 0, string(name)) == "" {
			all = append(all, line...)
		}
	}
	return all
}

// addUsers adds the base's files with the users appended, and the users' home folders. It is an
// error if the base has the name or number of a user for another one.
func addUsers(t *Tree, base Accounts, users []plan.User) error {
	if len(users) == 0 {
		return nil
	}
	merged := Accounts{lines(base.Passwd), lines(base.Group)}
	for _, u := range users {
		if err := merged.add(u); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	err := t.AddComponent(Component{Name: "users",
		Description: "users and groups of the base and of the service's own"},
		Bytes("etc/group", 0o644, merged.Group), Bytes("etc/passwd", 0o644, merged.Passwd))
	if err != nil {
		return fmt.Errorf("users: %w; set Users instead", err)
	}
	for _, u := range users {
		home := strings.TrimPrefix(u.Home, "/")
		if old, ok := t.nodes[home]; home == "" || u.Home == NoHome || ok && !old.implicit {
			continue // the root, or a folder of an asset
		}
		if err := t.Add(Node{Path: home, Mode: fs.ModeDir | 0o750, UID: u.UID, GID: u.GID}); err != nil {
			return fmt.Errorf("user %s: home: %w", u.Name, err)
		}
	}
	return nil
}

// NoHome is the home of a user without one; it is not made.
const NoHome = "/nonexistent"

// add appends a user, and the primary group unless it is there.
func (a *Accounts) add(u plan.User) error {
	if line := find(a.Passwd, 0, u.Name); line != "" {
		return fmt.Errorf("the base already has it: %s", line)
	}
	if line := find(a.Passwd, 2, strconv.Itoa(u.UID)); line != "" {
		return fmt.Errorf("another user has its uid: %s", line)
	}
	if find(a.Group, 2, strconv.Itoa(u.GID)) == "" {
		if line := find(a.Group, 0, u.Name); line != "" {
			return fmt.Errorf("its group exists with another number: %s", line)
		}
		a.Group = fmt.Appendf(a.Group, "%s:x:%d:\n", u.Name, u.GID)
	}
	a.Passwd = fmt.Appendf(a.Passwd, "%s:x:%d:%d:%s:%s:%s\n", u.Name, u.UID, u.GID, u.Name, u.Home, u.Shell)
	return nil
}

// find returns the line whose field has this value; "" if there is none (passwd(5), group(5)).
func find(file []byte, field int, value string) string {
	for line := range bytes.Lines(file) {
		text := strings.TrimSpace(string(line))
		if fields := strings.Split(text, ":"); len(fields) > field && fields[field] == value {
			return text
		}
	}
	return ""
}

// lines returns a copy of a file that ends with a newline, unless it is empty.
func lines(file []byte) []byte {
	file = bytes.Clone(file)
	if len(file) > 0 && file[len(file)-1] != '\n' {
		file = append(file, '\n')
	}
	return file
}
