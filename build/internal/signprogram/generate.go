package signprogram

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/session"
)

// generate writes a folder that replaces the magefiles, for a program whose magefiles were removed
// or moved. The kit and all replaced modules have the versions of the running program. Config comes
// with the job. Only the magefiles' own imports are missing, such as a provider of keys.
func generate(info *debug.BuildInfo) (magefiles, error) {
	module, err := moduleOf(info)
	if err != nil {
		return magefiles{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return magefiles{}, err
	}
	m := magefiles{generated: true}
	files := map[string]string{"go.mod": module.text,
		"doc.go": "// Package main signs and verifies.\npackage main\n"}
	if module.dir != "" { // otherwise the go command fetches the sums with the modules
		sums, err := os.ReadFile(filepath.Join(module.dir, "go.sum"))
		if err != nil {
			return m, err
		}
		files["go.sum"] = string(sums)
	}
	key := launcherKey(files["go.mod"] + files["go.sum"])
	m.dir = filepath.Join(cache, "thimble-magefiles", "sign-"+key, "magefiles")
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return m, err
	}
	for name, text := range files {
		file := filepath.Join(m.dir, name)
		if _, err := os.Stat(file); err == nil {
			continue // the go command has completed it
		}
		if err := atomicfile.Write(file, []byte(text), 0o644); err != nil {
			return m, err
		}
	}
	return m, nil
}

// generatedModule is the text of go.mod, and the kit's folder if the kit is replaced by one.
type generatedModule struct{ text, dir string }

// moduleOf returns the go.mod of a module that requires the kit as the running program does.
func moduleOf(info *debug.BuildInfo) (m generatedModule, err error) {
	kit := session.Kit().Path
	at := slices.IndexFunc(info.Deps, func(d *debug.Module) bool { return d.Path == kit })
	if at < 0 {
		return m, errUnknown
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module signing\n\ngo %s\n\nrequire %s %s\n", goVersion, kit, info.Deps[at].Version)
	for _, d := range info.Deps {
		if d.Replace == nil {
			continue
		}
		to := d.Replace.Path + " " + d.Replace.Version
		if d.Replace.Version == "" || d.Replace.Version == "(devel)" {
			if to = d.Replace.Path; !filepath.IsAbs(to) {
				return m, errors.Join(errUnknown, fmt.Errorf("it replaces %s by %s", d.Path, to))
			}
			if d.Path == kit {
				m.dir = to
			}
			to = fmt.Sprintf("%q", filepath.ToSlash(to))
		}
		fmt.Fprintf(&b, "\nreplace %s => %s\n", d.Path, to)
	}
	m.text = b.String()
	return m, nil
}

// goVersion is the go line of the kit's go.mod.
const goVersion = "1.26.0"
