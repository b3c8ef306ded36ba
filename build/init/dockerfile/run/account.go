package run

import (
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// accountCommand handles commands that add users and groups.
func accountCommand(c command, st *state.State, lines *outcome.Lines) bool {
	if c.To == "/etc/passwd" || c.To == "/etc/group" {
		line := c.say(lines, finding.NotNeeded, "no setting names the user")
		for text := range strings.SplitSeq(strings.ReplaceAll(strings.Join(c.args, " "), `\n`, "\n"), "\n") {
			if c.To == "/etc/group" {
				st.Accounts.AddGroupLine(text)
			} else {
				st.Accounts.AddPasswd(text, line)
			}
		}
		return true
	}
	switch c.name {
	case "adduser", "useradd":
		st.Accounts.AddUser(c.words(), c.say(lines, finding.NotNeeded, "no setting names the user"))
	case "addgroup", "groupadd":
		st.Accounts.AddGroup(c.words())
		c.say(lines, finding.NotNeeded, "users and owners have the group by its number")
	case "usermod", "groupmod", "passwd", "chpasswd", "chage", "deluser", "userdel", "delgroup", "groupdel":
		c.say(lines, finding.NotNeeded, "an image has only the users of Users")
	default:
		return false
	}
	return true
}
