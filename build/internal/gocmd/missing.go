package gocmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/process"
)

// Fetch fetches the modules of go.mod, or of the workspace, with some more variables, which
// commands that compile or test do not get. Without such variables, and without a password in
// GOPROXY, it does nothing: the commands that need a module then fetch it.
func (g *Go) Fetch(ctx context.Context, more []string) error {
	if len(more) == 0 && len(g.ForFetching()) == 0 || g.ModMode == "vendor" ||
		g.setting["GOPROXY"] == "off" || g.Mod == "" {
		return nil
	}
	cmd := g.User("mod", "download")
	cmd.Env = append(cmd.Env, more...)
	if err := g.Explain(process.Run(ctx, cmd)); err != nil {
		return fmt.Errorf("fetch modules: %w", err)
	}
	return nil
}

// Missing returns the modules that go.mod, or those of the workspace, requires and that are not
// in the module cache, as path@version, sorted. It uses no network. A go.mod of Go 1.17 or later
// requires every module that a package can come from.
func (g *Go) Missing() ([]string, error) {
	mods := []string{g.Mod}
	replaced := map[module.Version]module.Version{}
	if g.Work != "" {
		b, err := os.ReadFile(g.Work)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		work, err := modfile.ParseWork(g.Work, b, nil)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		mods = nil
		for _, use := range work.Use {
			dir := filepath.FromSlash(use.Path)
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(filepath.Dir(g.Work), dir)
			}
			mods = append(mods, filepath.Join(dir, "go.mod"))
		}
		for _, r := range work.Replace {
			replaced[r.Old] = r.New
		}
	}
	var required []module.Version
	own := map[string]bool{} // modules of the workspace
	for _, name := range mods {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		mod, err := modfile.Parse(name, b, nil)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		if mod.Module != nil {
			own[mod.Module.Mod.Path] = true
		}
		for _, r := range mod.Require {
			required = append(required, r.Mod)
		}
		for _, r := range mod.Replace {
			replaced[r.Old] = r.New
		}
	}
	var missing []string
	for _, m := range required {
		for _, old := range []module.Version{{Path: m.Path}, m} { // the one with a version takes precedence
			if r, ok := replaced[old]; ok {
				m = r
			}
		}
		if m.Version == "" || own[m.Path] { // a folder
			continue
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		version, err := module.EscapeVersion(m.Version)
		if err != nil {
			return nil, fmt.Errorf("find the modules that are missing: %w", err)
		}
		if !isFile(filepath.Join(g.setting["GOMODCACHE"], "cache", "download", filepath.FromSlash(path),
			"@v", version+".zip")) {
			missing = append(missing, m.String())
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}
