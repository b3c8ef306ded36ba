package resolve

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// checkUsers returns the users with all defaults: the group has the user's number, the home is
// below /home, there is no login shell.
func checkUsers(users []plan.User) ([]plan.User, error) {
	var checked []plan.User
	names, uids := map[string]bool{}, map[int]bool{}
	for _, u := range users {
		if u.GID == 0 {
			u.GID = u.UID
		}
		if u.Home == "" {
			u.Home = "/home/" + u.Name
		}
		if u.Shell == "" {
			u.Shell = "/sbin/nologin"
		}
		if err := checkUser(u); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
		if names[u.Name] || uids[u.UID] {
			return nil, fmt.Errorf("user %q: its name or its uid %d appears twice", u.Name, u.UID)
		}
		names[u.Name], uids[u.UID] = true, true
		checked = append(checked, u)
	}
	return checked, nil
}

// userName matches names that Debian's useradd accepts. maxID is the greatest usable number:
// system calls interpret the next one as "none".
var userName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

const maxID = 1<<32 - 2

func checkUser(u plan.User) error {
	if !userName.MatchString(u.Name) {
		return errors.New(
			"a name is up to 32 lower-case letters, digits, '_' and '-', and begins with a letter")
	}
	for _, id := range []struct {
		what string
		n    int
	}{{"uid", u.UID}, {"gid", u.GID}} {
		if id.n < 1 || int64(id.n) > maxID {
			return fmt.Errorf("%s %d is not from 1 to %d", id.what, id.n, int64(maxID))
		}
	}
	for _, at := range []struct{ what, path string }{{"home", u.Home}, {"shell", u.Shell}} {
		if !path.IsAbs(at.path) || path.Clean(at.path) != at.path || strings.ContainsAny(at.path, ":\n") {
			return fmt.Errorf("%s %q is not a clean absolute path", at.what, at.path)
		}
	}
	return nil
}

var userPattern = regexp.MustCompile(`^[0-9]+(:[0-9]+)?$`)

// numericUser returns Runtime.User in numbers, so that a cluster can check for root without
// reading the image's /etc/passwd. A user's name without a group selects the primary group.
func numericUser(user string, users []plan.User) (string, error) {
	if user == "" {
		return "", nil
	}
	if userPattern.MatchString(user) {
		return user, checkIDs(user)
	}
	number := func(name string, of func(plan.User) int) (string, bool) {
		for _, u := range users {
			if u.Name == name {
				return strconv.Itoa(of(u)), true
			}
		}
		return name, userPattern.MatchString(name) && !strings.Contains(name, ":")
	}
	name, group, both := strings.Cut(user, ":")
	if !both {
		group = name
	}
	uid, ok := number(name, func(u plan.User) int { return u.UID })
	gid, groupOK := number(group, func(u plan.User) int { return u.GID })
	if !ok || !groupOK {
		return "", fmt.Errorf("user %q is neither a uid, a uid:gid, nor the name of one of Users", user)
	}
	user = uid + ":" + gid
	return user, checkIDs(user)
}

// checkIDs refuses a uid or gid that engines and clusters do not accept.
func checkIDs(user string) error {
	for id := range strings.SplitSeq(user, ":") {
		if _, err := strconv.ParseUint(id, 10, 31); err != nil {
			return fmt.Errorf("user %q: %s is not from 0 to %d", user, id, 1<<31-1)
		}
	}
	return nil
}
