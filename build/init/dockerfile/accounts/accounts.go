// Package accounts contains the users and groups of an image. It takes the commands that add them
// (adduser, useradd, addgroup, groupadd) and lines of /etc/passwd and /etc/group, and returns the
// numbers that the commands would choose on Alpine and Debian. It never reads the files of an
// image: bases have only the usual users.
package accounts

import (
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/getopt"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// User is a user that a command adds.
type User struct {
	plan.User
	// Line is the outcome of the command.
	Line *finding.Line
}

// Group is a group that a command adds.
type Group struct {
	Name string
	GID  int
}

// Accounts are the users and groups that the commands of a stage have added.
type Accounts struct {
	Users  []User
	Groups []Group
	// Alpine says that the tools are those of Alpine, which number system users from 100.
	Alpine bool
}

// Clone returns a copy that shares nothing with the original.
func (a Accounts) Clone() Accounts {
	return Accounts{slices.Clone(a.Users), slices.Clone(a.Groups), a.Alpine}
}

// present are users and groups that the usual bases have.
var present = map[string][2]int{
	"root": {0, 0}, "daemon": {1, 1}, "bin": {2, 2}, "sys": {3, 3}, "mail": {8, 8},
	"www-data": {33, 33}, "nobody": {65534, 65534}, "nonroot": {65532, 65532}, "guest": {405, 100},
}

var presentGroups = map[string]int{
	"root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "mail": 8, "www-data": 33,
	"staff": 50, "users": 100,
	"nogroup": 65534, "nobody": 65534, "nonroot": 65532,
}

// UID returns the number of a user, and that of its group; -1 if it is not known.
func (a Accounts) UID(name string) (uid, gid int) {
	if n := Number(name); n >= 0 {
		for _, u := range a.Users {
			if u.UID == n {
				return n, u.GID
			}
		}
		return n, 0
	}
	for _, u := range a.Users {
		if u.Name == name {
			return u.UID, u.GID
		}
	}
	if ids, ok := present[name]; ok {
		return ids[0], ids[1]
	}
	return -1, -1
}

// GID returns the number of a group, -1 if it is not known.
func (a Accounts) GID(name string) int {
	if n := Number(name); n >= 0 {
		return n
	}
	for _, g := range a.Groups {
		if g.Name == name {
			return g.GID
		}
	}
	if a.Alpine && name == "nogroup" {
		return 65533
	}
	if gid, ok := presentGroups[name]; ok {
		return gid
	}
	return -1
}

// Owner returns the numbers of "user", "user:group", ":group" or numbers.
func (a Accounts) Owner(spec string) (uid, gid int, ok bool) {
	user, grp, both := strings.Cut(spec, ":")
	if !both {
		user, grp, both = strings.Cut(spec, ".") // as chown accepts it
	}
	if user != "" {
		uid, gid = a.UID(user)
		if uid < 0 {
			return 0, 0, false
		}
	}
	if !both {
		return uid, gid, true
	}
	if grp != "" {
		gid = a.GID(grp)
	}
	return uid, gid, gid >= 0
}

// free returns the first number in a range that no user has, and no group if groupsToo is set. If
// to is less than from, it counts down.
func (a Accounts) free(from, to int, groupsToo bool) int {
	return free(from, to, func(n int) bool {
		return slices.ContainsFunc(a.Users, func(u User) bool { return u.UID == n }) ||
			groupsToo && a.hasGroup(n)
	})
}

func (a Accounts) freeGroup(from, to int) int { return free(from, to, a.hasGroup) }

func (a Accounts) hasGroup(n int) bool {
	return slices.ContainsFunc(a.Groups, func(g Group) bool { return g.GID == n })
}

func free(from, to int, taken func(n int) bool) int {
	step := 1
	if to < from {
		step = -1
	}
	for n := from; n != to; n += step {
		if !taken(n) {
			return n
		}
	}
	return from
}

// AddGroup reads addgroup and groupadd.
func (a *Accounts) AddGroup(words []string) {
	name := words[0]
	opts, rest := getopt.Parse(words[1:], "gGKpRP", map[string]byte{"gid": 'g', "system": 'S', "force": 'f'})
	if len(rest) == 0 || len(rest) > 1 { // addgroup USER GROUP: a further group of a user
		return
	}
	gid := -1
	if v, ok := opts['g']; ok {
		gid = Number(v)
	}
	_, system := opts['S']
	_, r := opts['r']
	if gid < 0 {
		switch {
		case name == "groupadd" && (system || r):
			gid = a.freeGroup(999, 100)
		case system:
			gid = a.freeGroup(101, 999) // 100 is "users"
		default:
			gid = a.freeGroup(1000, 60000)
		}
	}
	a.Groups = append(a.Groups, Group{rest[0], gid})
}

// AddUser reads adduser and useradd. line is the outcome of the command.
func (a *Accounts) AddUser(words []string, line *finding.Line) {
	var opts map[byte]string
	var rest []string
	tool := words[0]
	long := map[string]byte{
		"uid": 'u', "gid": 'i', "ingroup": 'G', "home": 'h', "home-dir": 'h', "base-dir": 'b', "shell": 's',
		"system": 'S', "gecos": 'g', "comment": 'g', "group": 'x',
		"disabled-password": 'D', "disabled-login": 'D', "no-create-home": 'H', "create-home": 'm',
		"groups": 'y', "user-group": 'U', "no-user-group": 'N', "no-log-init": 'l', "password": 'p',
		"non-unique": 'o', "skel": 'k', "expiredate": 'e', "inactive": 'f', "firstuid": '1', "lastuid": '2',
		"allow-bad-names": '3', "quiet": '4', "force-badname": '5', "root": 'R',
	}
	if tool == "useradd" {
		opts, rest = getopt.Parse(words[1:], "ugGdscbkKpefRZbhiyp", map[string]byte{
			"uid": 'u', "gid": 'g', "groups": 'G', "home": 'd', "home-dir": 'd', "shell": 's', "comment": 'c',
			"system": 'r', "create-home": 'm', "no-create-home": 'M',
			"user-group": 'U', "no-user-group": 'N', "no-log-init": 'l', "base-dir": 'b', "password": 'p',
			"skel": 'k', "non-unique": 'o', "key": 'K', "badname": '3',
		})
		opts = translate(opts, map[byte]byte{'g': 'G', 'd': 'h', 'r': 'S', 'M': 'H', 'G': 'y', 'c': 'g'})
	} else {
		opts, rest = getopt.Parse(words[1:], "hgsGukibyp12ef", long)
	}
	if len(rest) != 1 {
		return // adduser USER GROUP
	}
	u := User{plan.User{Name: rest[0], UID: -1, GID: -1}, line}
	if v, ok := opts['u']; ok {
		u.UID = Number(v)
	}
	_, system := opts['S']
	_, ownGroup := opts['x'] // Debian's adduser --system --group
	if g, ok := opts['G']; ok {
		u.GID = a.GID(g)
	} else if g, ok := opts['i']; ok {
		u.GID = a.GID(g)
	}
	if u.UID < 0 {
		switch {
		case system && tool == "useradd":
			u.UID = a.free(999, 100, u.GID < 0) // and its own group has the same number
		case system:
			u.UID = a.free(100, 999, false)
		default:
			u.UID = a.free(1000, 60000, false)
		}
	}
	if u.GID < 0 {
		switch {
		case system && tool == "adduser" && !ownGroup && a.Alpine:
			u.GID = 65533
		case system && tool == "adduser" && !ownGroup:
			u.GID = 65534
		default:
			u.GID = u.UID
			a.Groups = append(a.Groups, Group{u.Name, u.GID})
		}
	}
	u.Home = opts['h']
	if s, ok := opts['s']; ok && s != "/bin/false" && s != "/usr/sbin/nologin" && s != "/sbin/nologin" &&
		s != "/bin/sh" && s != "/bin/bash" && s != "/bin/ash" {
		u.Shell = s
	}
	a.Users = append(a.Users, u)
}

func translate(opts map[byte]string, to map[byte]byte) map[byte]string {
	out := map[byte]string{}
	for name, value := range opts {
		if other, ok := to[name]; ok {
			name = other
		}
		out[name] = value
	}
	return out
}

// AddPasswd reads a line for /etc/passwd.
func (a *Accounts) AddPasswd(text string, line *finding.Line) {
	f := strings.Split(strings.TrimSpace(text), ":")
	if len(f) < 4 || Number(f[2]) < 0 || Number(f[3]) < 0 {
		return
	}
	u := User{plan.User{Name: f[0], UID: Number(f[2]), GID: Number(f[3])}, line}
	if len(f) > 5 {
		u.Home = f[5]
	}
	a.Users = append(a.Users, u)
}

// AddGroupLine reads a line for /etc/group.
func (a *Accounts) AddGroupLine(text string) {
	if f := strings.Split(strings.TrimSpace(text), ":"); len(f) > 2 && Number(f[2]) >= 0 {
		a.Groups = append(a.Groups, Group{f[0], Number(f[2])})
	}
}

// Merge adds the users and groups of another stage whose names are not there yet.
func (a *Accounts) Merge(from Accounts) {
	for _, u := range from.Users {
		if uid, _ := a.UID(u.Name); uid < 0 {
			a.Users = append(a.Users, u)
		}
	}
	for _, g := range from.Groups {
		if a.GID(g.Name) < 0 {
			a.Groups = append(a.Groups, g)
		}
	}
}

// Number returns a number that is not negative, or -1.
func Number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return -1
	}
	return n
}
