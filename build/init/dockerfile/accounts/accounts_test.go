package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		alpine   bool
		commands string
		want     string
	}{
		{true, "adduser -D app", "app 1000:1000"},
		{true, "adduser -S app", "app 100:65533"},
		{true, "addgroup -S app; adduser -S -G app app", "app 100:101"},
		{true, "addgroup -g 3000 app; adduser -D -u 2000 -G app -h /data app", "app 2000:3000 /data"},
		{false, "useradd app", "app 1000:1000"},
		{false, "useradd -r app", "app 999:999"},
		{false, "groupadd -r app; useradd -r -g app app", "app 999:999"},
		{false, "adduser --system app", "app 100:65534"},
		{false, "adduser --system --group app", "app 100:100"},
		{false, "useradd -u 4000 -s /usr/bin/zsh app", "app 4000:4000"},
		{false, "adduser app staff", ""},
	} {
		a := Accounts{Alpine: c.alpine}
		for command := range strings.SplitSeq(c.commands, "; ") {
			words := strings.Fields(command)
			if strings.Contains(words[0], "group") {
				a.AddGroup(words)
			} else {
				a.AddUser(words, &finding.Line{})
			}
		}
		got := ""
		for _, u := range a.Users {
			got += strings.TrimSpace(fmt.Sprintf("%s %d:%d %s", u.Name, u.UID, u.GID, u.Home))
		}
		if got != c.want {
			t.Errorf("%s: the user is %q, want %q", c.commands, got, c.want)
		}
	}
}

func TestRuntimeUser(t *testing.T) {
	var a Accounts
	a.AddPasswd("app:x:1000:1000::/home/app:/bin/sh", &finding.Line{})
	a.AddPasswd("other:x:1000:7::/data:/bin/sh", &finding.Line{})
	a.AddPasswd("nobody:x:5:5::/:/bin/sh", &finding.Line{})
	a.AddGroupLine("team:x:2000:")
	declared := a.Declared()
	if len(declared) != 1 || declared[0].Name != "app" || declared[0].GID != 0 || declared[0].Home != "" {
		t.Errorf("the declared users are %+v", declared)
	}
	for spec, want := range map[string]string{
		"app": "app", "app:app": "1000:-", "app:team": "1000:2000", "root": "0:0", "0": "0:0",
		"2000": "2000", "2000:2000": "2000:2000", "someone": "-", "1000": "1000:1000",
	} {
		got, ok := a.RuntimeUser(spec, declared)
		if strings.HasSuffix(want, "-") {
			if ok {
				t.Errorf("%s is %q, want an error", spec, got)
			}
		} else if !ok || got != want {
			t.Errorf("%s is %q, %t; want %q", spec, got, ok, want)
		}
	}
}
