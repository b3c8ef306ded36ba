package rerun

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Choose returns the image of a plan to run, and the Config of a build that makes only this image.
// The name may be empty if there is one image.
func Choose(p *plan.Plan, config plan.Config, name string) (plan.Image, plan.Config, error) {
	if n := len(p.Platforms); n != 1 {
		return plan.Image{}, config, fmt.Errorf("run: there are %d platforms, but an image runs on one", n)
	}
	var names []string
	for _, img := range p.Images {
		if img.Name == name || name == "" && len(p.Images) == 1 {
			return img, only(config, img, p.Module.Path), nil
		}
		names = append(names, img.Name)
	}
	all := strings.Join(names, ", ")
	if name == "" {
		return plan.Image{}, config, fmt.Errorf("run: there are %d images; choose one with -image=NAME: %s",
			len(names), all)
	}
	return plan.Image{}, config, fmt.Errorf("run: there is no image %q; the images are %s", name, all)
}

// only returns the Config with only this image of a module.
func only(config plan.Config, img plan.Image, module string) plan.Config {
	one := config
	one.Images = []plan.ImageConfig{{Package: img.Package}} // as if it were found
	for _, c := range config.Images {
		if c.Name == img.Name || c.Name == "" && isPackage(c.Package, img.Package, module) {
			one.Images = []plan.ImageConfig{c}
		}
	}
	return one
}

// isPackage reports whether a Package of Config is the import path in a module.
func isPackage(named, importPath, module string) bool {
	named = path.Clean(filepath.ToSlash(named))
	return named == importPath || path.Join(module, named) == importPath
}
