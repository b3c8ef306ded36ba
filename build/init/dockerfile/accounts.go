package dockerfile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// account is a user that a RUN instruction adds.
type account struct {
	plan.User
	noHome bool
	from   finding.Place
	line   *finding.Line
}

type group struct {
	name string
	gid  int
}

// accounts are the users and groups that commands of a stage have added.
type accounts struct {
	users  []account
	groups []group
	// alpine says that the tools are those of Alpine, which number system users from 100.
	alpine bool
}

func (a accounts) clone() accounts {
	return accounts{slices.Clone(a.users), slices.Clone(a.groups), a.alpine}
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

// uid returns the number of a user, and that of its group; -1 if it is not known.
func (a accounts) uid(name string) (uid, gid int) {
	if n := atoi(name); n >= 0 {
		for _, u := range a.users {
			if u.UID == n {
				return n, u.GID
			}
		}
		return n, 0
	}
	for _, u := range a.users {
		if u.Name == name {
			return u.UID, u.GID
		}
	}
	if ids, ok := present[name]; ok {
		return ids[0], ids[1]
	}
	return -1, -1
}

// gid returns the number of a group, -1 if it is not known.
func (a accounts) gid(name string) int {
	if n := atoi(name); n >= 0 {
		return n
	}
	for _, g := range a.groups {
		if g.name == name {
			return g.gid
		}
	}
	if a.alpine && name == "nogroup" {
		return 65533
	}
	if gid, ok := presentGroups[name]; ok {
		return gid
	}
	return -1
}

// owner returns the numbers of "user", "user:group", ":group" or numbers.
func (a accounts) owner(spec string) (uid, gid int, ok bool) {
	user, grp, both := strings.Cut(spec, ":")
	if !both {
		user, grp, both = strings.Cut(spec, ".") // as chown accepts it
	}
	if user != "" {
		uid, gid = a.uid(user)
		if uid < 0 {
			return 0, 0, false
		}
	}
	if !both {
		return uid, gid, true
	}
	if grp != "" {
		gid = a.gid(grp)
	}
	return uid, gid, gid >= 0
}

// free returns the first number in a range that no user or group has. If to is less than from,
// it counts down.
func (a accounts) free(from, to int, groupsToo bool) int {
	taken := func(n int) bool {
		return slices.ContainsFunc(a.users, func(u account) bool { return u.UID == n }) ||
			groupsToo && slices.ContainsFunc(a.groups, func(g group) bool { return g.gid == n })
	}
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

func (a accounts) freeGroup(from, to int) int {
	step := 1
	if to < from {
		step = -1
	}
	for n := from; n != to; n += step {
		if !slices.ContainsFunc(a.groups, func(g group) bool { return g.gid == n }) {
			return n
		}
	}
	return from
}

// addGroup reads addgroup and groupadd.
func (a *accounts) addGroup(words []string) {
	name := words[0]
	opts, rest := options(words[1:], "gGKpRP", map[string]byte{"gid": 'g', "system": 'S', "force": 'f'})
	if len(rest) == 0 || len(rest) > 1 { // addgroup USER GROUP: a further group of a user
		return
	}
	gid := -1
	if v, ok := opts['g']; ok {
		gid = atoi(v)
	}
	_, system := opts['S']
	_, r := opts['r']
	if gid < 0 {
		switch {
		case name == "groupadd" && (system || r):
			gid = a.freeGroup(999, 100)
		case system && a.alpine:
			gid = a.freeGroup(101, 999) // 100 is "users"
		case system:
			gid = a.freeGroup(101, 999)
		default:
			gid = a.freeGroup(1000, 60000)
		}
	}
	a.groups = append(a.groups, group{rest[0], gid})
}

var userName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// addUser reads adduser and useradd. It returns the index of the user, or -1.
func (a *accounts) addUser(words []string, from finding.Place) int {
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
		opts, rest = options(words[1:], "ugGdscbkKpefRZbhiyp", map[string]byte{
			"uid": 'u', "gid": 'g', "groups": 'G', "home": 'd', "home-dir": 'd', "shell": 's', "comment": 'c',
			"system": 'r', "create-home": 'm', "no-create-home": 'M',
			"user-group": 'U', "no-user-group": 'N', "no-log-init": 'l', "base-dir": 'b', "password": 'p',
			"skel": 'k', "non-unique": 'o', "key": 'K', "badname": '3',
		})
		opts = translate(opts, map[byte]byte{'g': 'G', 'd': 'h', 'r': 'S', 'M': 'H', 'G': 'y', 'c': 'g'})
	} else {
		opts, rest = options(words[1:], "hgsGukibyp12ef", long)
	}
	if len(rest) != 1 {
		return -1 // adduser USER GROUP
	}
	u := account{User: plan.User{Name: rest[0], UID: -1, GID: -1}, from: from}
	if v, ok := opts['u']; ok {
		u.UID = atoi(v)
	}
	_, system := opts['S']
	_, ownGroup := opts['x'] // Debian's adduser --system --group
	if g, ok := opts['G']; ok {
		u.GID = a.gid(g)
	} else if g, ok := opts['i']; ok {
		u.GID = a.gid(g)
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
		case system && tool == "adduser" && !ownGroup && a.alpine:
			u.GID = 65533
		case system && tool == "adduser" && !ownGroup:
			u.GID = 65534
		default:
			u.GID = u.UID
			a.groups = append(a.groups, group{u.Name, u.GID})
		}
	}
	u.Home = opts['h']
	_, u.noHome = opts['H']
	_, creates := opts['m']
	u.noHome = u.noHome || tool == "useradd" && !creates
	if s, ok := opts['s']; ok && s != "/bin/false" && s != "/usr/sbin/nologin" && s != "/sbin/nologin" &&
		s != "/bin/sh" && s != "/bin/bash" && s != "/bin/ash" {
		u.Shell = s
	}
	a.users = append(a.users, u)
	return len(a.users) - 1
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

// passwd reads a line for /etc/passwd.
func (a *accounts) passwd(line string, from finding.Place) int {
	f := strings.Split(strings.TrimSpace(line), ":")
	if len(f) < 4 || atoi(f[2]) < 0 || atoi(f[3]) < 0 {
		return -1
	}
	u := account{User: plan.User{Name: f[0], UID: atoi(f[2]), GID: atoi(f[3])}, from: from, noHome: true}
	if len(f) > 5 {
		u.Home = f[5]
	}
	a.users = append(a.users, u)
	return len(a.users) - 1
}

// options reads the options of a command: short ones with letters in valued have a value, long
// ones are translated to short ones.
func options(args []string, valued string, long map[string]byte) (opts map[byte]string, rest []string) {
	opts = map[byte]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return opts, append(rest, args[i+1:]...)
		case strings.HasPrefix(arg, "--"):
			name, value, has := strings.Cut(arg[2:], "=")
			short := long[name]
			if !has && short != 0 && strings.IndexByte(valued, short) >= 0 && i+1 < len(args) {
				i++
				value = args[i]
			}
			opts[short] = value
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg); j++ {
				if strings.IndexByte(valued, arg[j]) < 0 {
					opts[arg[j]] = ""
					continue
				}
				value := arg[j+1:]
				if value == "" && i+1 < len(args) {
					i++
					value = args[i]
				}
				opts[arg[j]] = value
				break
			}
		default:
			rest = append(rest, arg)
		}
	}
	return opts, rest
}
