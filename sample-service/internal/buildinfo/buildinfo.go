// Package buildinfo says what this binary was built from, as the Go toolchain
// stamped it.
package buildinfo

import "runtime/debug"

// Info describes the running binary. Version is "(devel)" and Revision empty
// where the toolchain had no version control to stamp.
type Info struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read returns the Info of the running binary.
func Read() Info {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return Info{Version: "unknown"}
	}
	return from(bi)
}

func from(bi *debug.BuildInfo) Info {
	settings := make(map[string]string, len(bi.Settings))
	for _, s := range bi.Settings {
		settings[s.Key] = s.Value
	}
	return Info{
		Module:   bi.Main.Path,
		Version:  bi.Main.Version,
		Revision: settings["vcs.revision"],
		Time:     settings["vcs.time"],
		Modified: settings["vcs.modified"] == "true",
		Go:       bi.GoVersion,
		Platform: settings["GOOS"] + "/" + settings["GOARCH"],
	}
}
