package tree

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

func TestUsers(t *testing.T) {
	dir := sourceTree(t, map[string]string{"home/x": "x"})
	app := plan.User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app", Shell: "/sbin/nologin"}
	files := func(t *testing.T, img plan.Image, base Accounts) map[string]tarEntry {
		t.Helper()
		tr, err := Assets(dir, img, base, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]tarEntry{}
		for _, e := range readTar(t, tr) {
			all[e.Name] = e
		}
		return all
	}

	t.Run("own base", func(t *testing.T) {
		got := files(t, plan.Image{Users: []plan.User{app}}, MergeAccounts(Accounts{}))
		if want := string(passwd) + "app:x:1000:1000:app:/home/app:/sbin/nologin\n"; got["etc/passwd"].content != want {
			t.Errorf("/etc/passwd is\n%s", got["etc/passwd"].content)
		}
		if want := string(group) + "app:x:1000:\n"; got["etc/group"].content != want {
			t.Errorf("/etc/group is\n%s", got["etc/group"].content)
		}
		if home := got["home/app/"]; home.Uid != 1000 || home.Gid != 1000 || home.Mode != 0o750 {
			t.Errorf("the home has owner %d:%d and mode %o", home.Uid, home.Gid, home.Mode)
		}
	})
	t.Run("a base's group, no last newline, homes", func(t *testing.T) {
		web, none := app, app
		web.Name, web.UID, web.GID, web.Home = "web", 1001, 33, "/srv/web"
		none.Name, none.UID, none.Home = "none", 1002, NoHome
		img := plan.Image{Users: []plan.User{app, web, none}, Assets: []plan.Asset{{Source: "home", Target: "/srv/web", UID: 7}}}
		got := files(t, img, Accounts{Passwd: []byte("root:x:0:0:root:/root:/bin/sh"), Group: []byte("www-data:x:33:")})
		if g := got["etc/group"].content; g != "www-data:x:33:\napp:x:1000:\n" {
			t.Errorf("/etc/group is\n%s", g)
		}
		if p := got["etc/passwd"].content; strings.Count(p, "\n") != 4 || !strings.Contains(p, "web:x:1001:33:") {
			t.Errorf("/etc/passwd is\n%s", p)
		}
		if home := got["srv/web/"]; home.Uid != 7 || home.Mode != 0o755 {
			t.Errorf("the asset's folder has owner %d and mode %o", home.Uid, home.Mode)
		}
		if _, ok := got["nonexistent/"]; ok {
			t.Error("/nonexistent exists")
		}
	})
	for name, test := range map[string]struct {
		change func(*plan.Image)
		want   string
	}{
		"name of the base's": {func(i *plan.Image) { i.Users[0].Name = "nobody" }, "user nobody: the base already has it"},
		"uid of the base's":  {func(i *plan.Image) { i.Users[0].UID = 65532 }, "user app: another user has its uid: nonroot:"},
		"group of the name":  {func(i *plan.Image) { i.Users[0].Name = "www-data" }, "its group exists with another number"},
		"an asset's file": {func(i *plan.Image) {
			i.Assets = []plan.Asset{{Source: "home/x", Target: "/etc/passwd"}}
		}, "set Users instead"},
	} {
		t.Run(name, func(t *testing.T) {
			img := plan.Image{Users: []plan.User{app}}
			test.change(&img)
			base := MergeAccounts(Accounts{})
			base.Group = slices.Concat(base.Group, []byte("www-data:x:33:\n"))
			if _, err := Assets(dir, img, base, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
	if err := (&Tree{}).Add(Node{Path: "d", Mode: fs.ModeDir | 0o755, Capabilities: []byte("x")}); err == nil {
		t.Error("a folder has capabilities")
	}
}

func TestOverlay(t *testing.T) {
	lower := []Component{{Name: "rootfs", Files: []File{{Path: "/etc/group"}, {Path: "/etc/passwd"}, {Path: "/etc/services"}}}}
	got := Overlay(lower, []Component{{Name: "users", Files: []File{{Path: "/etc/group"}, {Path: "/etc/passwd"}}}})
	if len(got) != 2 || len(got[0].Files) != 1 || got[0].Files[0].Path != "/etc/services" || len(got[1].Files) != 2 || len(lower[0].Files) != 3 {
		t.Errorf("Overlay = %+v, of %+v", got, lower)
	}
}
