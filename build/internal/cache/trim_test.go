package cache_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/cache"
)

// age makes every file of the cache so old.
func age(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	for _, f := range files(t, dir) {
		if err := os.Chtimes(f, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

func trim(t *testing.T, dir string, limits cache.Options) {
	t.Helper()
	c, err := cache.Open(dir, limits)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Trim(); err != nil {
		t.Fatal(err)
	}
}

const day = 24 * time.Hour

func TestTrimByAge(t *testing.T) {
	dir := t.TempDir()
	layer(t, open(t, dir), "old", "gzip", []byte("old"))
	value(t, open(t, dir), "old", "old")
	layer(t, open(t, dir), "used", "gzip", []byte("used"))
	value(t, open(t, dir), "used", "used")
	age(t, dir, 20*day)
	layer(t, open(t, dir), "used", "gzip", []byte("used")) // which is a use
	value(t, open(t, dir), "used", "used")
	trim(t, dir, cache.Options{Age: 10 * day})

	if _, made := layer(t, open(t, dir), "used", "gzip", []byte("used")); made || value(t, open(t, dir), "used", "used") {
		t.Error("what was used is gone")
	}
	if _, made := layer(t, open(t, dir), "old", "gzip", []byte("old")); !made || !value(t, open(t, dir), "old", "old") {
		t.Error("what nobody used is still there")
	}
}

func TestTrimBySize(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		value(t, open(t, dir), fmt.Sprint(i), string(program(1<<20)))
		then := time.Now().Add(-time.Duration(8-i) * time.Hour)
		for _, f := range files(t, dir) {
			if info, err := os.Stat(f); err != nil {
				t.Fatal(err)
			} else if time.Since(info.ModTime()) < time.Minute {
				if err := os.Chtimes(f, then, then); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	trim(t, dir, cache.Options{Size: 3<<20 + 1<<19})
	for i := range 8 {
		made := false
		if _, err := open(t, dir).Value(fmt.Sprint(i), func() ([]byte, error) { made = true; return program(1 << 20), nil }); err != nil {
			t.Fatal(err)
		}
		if made != (i < 5) {
			t.Errorf("value %d was made again: %v", i, made)
		}
	}
}

// Downloads are trimmed with the rest, by age and by size; their lock stays.
func TestTrimDownloads(t *testing.T) {
	dir, downloads := t.TempDir(), filepath.Join(t.TempDir(), "debian")
	if err := os.Mkdir(downloads, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, hours := range map[string]int{"lock": 1000, "old": 20 * 24, "third": 3, "second": 2, "first": 1} {
		file, then := filepath.Join(downloads, name), time.Now().Add(-time.Duration(hours)*time.Hour)
		if err := os.WriteFile(file, program(1<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
	}
	layer(t, open(t, dir), "layer", "gzip", program(1<<19))
	c, err := cache.Open(dir, cache.Options{Age: 10 * day, Size: 2<<20 + 3<<18})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Trim(downloads, filepath.Join(dir, "nowhere")); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range files(t, downloads) {
		left = append(left, filepath.Base(f))
	}
	if want := []string{"first", "lock", "second"}; !slices.Equal(left, want) {
		t.Errorf("%q is left, want %q", left, want)
	}
	if _, made := layer(t, open(t, dir), "layer", "gzip", program(1<<19)); made {
		t.Error("the newest is gone")
	}
}

// Trim looks once a day, and takes what killed runs left after a day.
func TestTrimOnceADay(t *testing.T) {
	dir := t.TempDir()
	trim(t, dir, cache.Options{})
	left := filepath.Join(dir, "tmp", "layer-1")
	write := func() {
		t.Helper()
		if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-2 * day)
		if err := os.Chtimes(left, then, then); err != nil {
			t.Fatal(err)
		}
	}
	write()
	trim(t, dir, cache.Options{})
	if _, err := os.Stat(left); err != nil {
		t.Errorf("it looked twice in a day: %v", err)
	}
	age(t, dir, 2*day)
	trim(t, dir, cache.Options{})
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed run left is still there: %v", err)
	}

	fresh := filepath.Join(dir, "tmp", "layer-2")
	age(t, dir, 2*day)
	if err := os.WriteFile(fresh, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	trim(t, dir, cache.Options{})
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("what another run is writing is gone: %v", err)
	}
}

func TestTrimAnEmptyOrRemovedCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Trim(); err != nil {
		t.Error(err)
	}
}
