package accounts

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// userName is what Runtime.Users accepts.
var userName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Declared returns the users for Runtime.Users, without those of the usual bases. Values that are
// the default there are empty.
func (a Accounts) Declared() []User {
	var all []User
	for _, u := range a.Users {
		if _, isPresent := present[u.Name]; isPresent || !userName.MatchString(u.Name) || u.UID < 1 ||
			slices.ContainsFunc(all, func(o User) bool { return o.Name == u.Name || o.UID == u.UID }) {
			continue
		}
		if u.GID == u.UID {
			u.GID = 0
		}
		if u.Home == "/home/"+u.Name || !path.IsAbs(u.Home) || path.Clean(u.Home) != u.Home {
			u.Home = ""
		}
		all = append(all, u)
	}
	return all
}

// RuntimeUser returns Runtime.User for a USER instruction. declared are the users of
// Runtime.Users. ok is false for a user whose number is not known.
func (a Accounts) RuntimeUser(spec string, declared []User) (value string, ok bool) {
	user, grp, both := strings.Cut(spec, ":")
	if slices.ContainsFunc(declared, func(u User) bool { return u.Name == user }) &&
		(!both || grp == user) {
		_, gid := a.UID(user)
		if !both || a.GID(grp) == gid {
			return user, true
		}
	}
	uid, gid := a.UID(user)
	if uid < 0 {
		return "", false
	}
	if both {
		if gid = a.GID(grp); gid < 0 {
			return "", false
		}
	} else if Number(user) >= 0 && gid == 0 && uid != 0 {
		return user, true
	}
	return strconv.Itoa(uid) + ":" + strconv.Itoa(gid), true
}
