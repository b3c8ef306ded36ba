package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestFrom(t *testing.T) {
	got := from(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/m", Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
			{Key: "vcs.modified", Value: "true"},
			{Key: "GOOS", Value: "linux"},
			{Key: "GOARCH", Value: "arm64"},
		},
	})
	want := Info{
		Module: "example.com/m", Version: "v1.2.3", Revision: "abc", Time: "2026-01-02T03:04:05Z",
		Modified: true, Go: "go1.26.8", Platform: "linux/arm64",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
