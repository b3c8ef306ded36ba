package rootfs

import (
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
)

func TestAt(t *testing.T) {
	f := New(finding.Files{Names: []string{"go.mod", "web/a.html", "web/secret", "web/sub/b.html"}})
	f.Put(Entry{Kind: File, Target: "/srv", Source: "web/", Skip: func(n string) bool { return n == "web/secret" }})
	f.Put(Entry{Kind: Program, Target: "/srv/api", Main: 3})
	for p, want := range map[string]string{
		"/srv": "web/", "/srv/a.html": "web/a.html", "/srv/sub/": "web/sub/", "/srv/sub/b.html": "web/sub/b.html",
		"/srv/secret": "-", "/srv/missing": "-", "/srv/api": "", "/": "-",
	} {
		e, ok := f.At(p)
		if !ok && want != "-" || ok && e.Source != want {
			t.Errorf("at %s is %q, %t; want %q", p, e.Source, ok, want)
		}
	}
	if e, _ := f.At("/srv/api"); e.Kind != Program || e.Main != 3 {
		t.Errorf("at /srv/api is %+v", e)
	}
	if p, ok := f.SourcePath("/srv/dist/x"); !ok || p != "web/dist/x" {
		t.Errorf("the source of /srv/dist/x is %q, %t", p, ok)
	}
	if p, ok := f.TargetPath("web/sub"); !ok || p != "/srv/sub" {
		t.Errorf("the target of web/sub is %q, %t", p, ok)
	}
	if p, ok := f.TargetPath("cmd"); ok {
		t.Errorf("the target of cmd, which is not copied, is %q", p)
	}
}

// What is put later replaces what is there, and says so at the earlier line. A folder stays.
func TestPut(t *testing.T) {
	f := New(finding.Files{})
	first := &finding.Line{Outcome: finding.Imported, Reason: "Assets"}
	f.Put(Entry{Kind: Folder, Target: "/data", UID: 1})
	f.Put(Entry{Kind: Folder, Target: "/data", UID: 2})
	f.Put(Entry{Kind: File, Target: "/etc/app.conf", Source: "a.conf", Line: first})
	f.Put(Entry{Kind: File, Target: "/etc/app.conf", Source: "b.conf", From: finding.Place{Line: 7}})
	if len(f.Entries) != 2 || f.Entries[0].UID != 1 || f.Entries[1].Source != "b.conf" {
		t.Errorf("the entries are %+v", f.Entries)
	}
	if first.Outcome != finding.NotNeeded || first.Reason != "line 7 replaces it" {
		t.Errorf("the first line is %+v", first)
	}
	copied := f.Clone()
	copied.Entries[0].UID = 9
	copied.Put(Entry{Kind: Program, Target: "/api"})
	if f.Entries[0].UID != 1 || len(f.Entries) != 2 {
		t.Errorf("a change of the copy is in the original: %+v", f.Entries)
	}
}
