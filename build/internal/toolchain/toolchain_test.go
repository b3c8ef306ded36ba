package toolchain

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestFaults(t *testing.T) {
	ids := func(version string) (all []string) {
		for _, f := range Faults(version) {
			all = append(all, f.ID)
		}
		return all
	}
	for _, test := range []struct {
		version   string
		has, lack string
	}{
		{"go1.21.0", "GO-2023-2042", "GO-2023-1839"},
		{"go1.21.1", "GO-2023-2095", "GO-2023-2042"},
		{"go1.20.4", "GO-2023-1839", "GO-2023-2042"},
		{"go1.24rc2", "GO-2025-3428", ""},
		{"go1.24rc3", "", "GO-2025-3428"},
		{"go1.24.4", "GO-2025-3828", ""},
		{"go1.24.5", "", "GO-2025-3828"},
		{"go1.25.6", "GO-2026-4871", "GO-2026-4339"},
		{"go1.25", "GO-2026-4338", ""},
	} {
		got := ids(test.version)
		if test.has != "" && !slices.Contains(got, test.has) {
			t.Errorf("%s has %q, and not %s", test.version, got, test.has)
		}
		if test.lack != "" && slices.Contains(got, test.lack) {
			t.Errorf("%s has %q, with %s", test.version, got, test.lack)
		}
	}
	for _, version := range []string{"go1.26.8", "go1.27.1", "devel", ""} {
		if got := ids(version); got != nil {
			t.Errorf("%s has %q", version, got)
		}
	}
}

func read[T any](t *testing.T, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every entry of the vulnerability database about the toolchain is in the list, or
// dismissed with a reason. testdata/toolchain.json are those entries, without their prose;
// where a snapshot of the database is beside the repository, it is compared with that.
func TestDatabase(t *testing.T) {
	entries := read[[]Fault](t, "toolchain.json")
	dismissed := read[map[string]string](t, "dismissed.json")
	listed := map[string]Fault{}
	for _, f := range list() {
		listed[f.ID] = f
	}
	for _, e := range entries {
		f, in := listed[e.ID]
		reason, out := dismissed[e.ID]
		switch {
		case in == out:
			t.Errorf("%s (%s) is listed: %t, dismissed: %t; decide whether building a stranger's source runs code or writes files by it", e.ID, e.Summary, in, out)
		case out && reason == "":
			t.Errorf("%s is dismissed without a reason", e.ID)
		case in && !reflect.DeepEqual(f, e):
			t.Errorf("the list has %+v, the database %+v", f, e)
		}
		delete(listed, e.ID)
		delete(dismissed, e.ID)
	}
	if len(listed)+len(dismissed) > 0 {
		t.Errorf("the database does not know %v, %v", listed, dismissed)
	}

	snapshots, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "vulndb", "*.tar.zst"))
	if err != nil || len(snapshots) == 0 {
		t.Log("no snapshot of the database is there to compare testdata/toolchain.json with")
		return
	}
	if got := snapshot(t, snapshots[len(snapshots)-1]); !reflect.DeepEqual(got, entries) {
		t.Errorf("testdata/toolchain.json is not what the database has of the toolchain: %+v, want %+v", entries, got)
	}
}

// snapshot reads the entries about the toolchain that were not withdrawn.
func snapshot(t *testing.T, file string) (all []Fault) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if path.Base(path.Dir(h.Name)) != "ID" || !strings.HasSuffix(h.Name, ".json") || strings.HasSuffix(h.Name, "index.json") {
			continue
		}
		var report struct {
			ID, Summary string
			Withdrawn   string
			Affected    []struct {
				Package struct{ Name string }
				Ranges  []struct{ Events []Range }
			}
		}
		if err := json.NewDecoder(r).Decode(&report); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		fault := Fault{ID: report.ID, Summary: report.Summary}
		for _, a := range report.Affected {
			if a.Package.Name != "toolchain" {
				continue
			}
			for _, r := range a.Ranges {
				for _, event := range r.Events {
					if event.Introduced != "" {
						fault.Ranges = append(fault.Ranges, event)
					} else {
						fault.Ranges[len(fault.Ranges)-1].Fixed = event.Fixed
					}
				}
			}
		}
		if fault.Ranges != nil && report.Withdrawn == "" {
			all = append(all, fault)
		}
	}
	slices.SortFunc(all, func(a, b Fault) int { return strings.Compare(a.ID, b.ID) })
	return all
}
