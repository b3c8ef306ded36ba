package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// ports are the operating systems and architectures that Go builds programs for without a C
// compiler, from `go tool dist list`. A container image can use those of linux. The others can
// have an archive. WebAssembly is missing because it has no place for the build info, mobile
// systems because nobody unpacks archives there.
var ports = map[string][]string{
	"linux": {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
		"ppc64le", "riscv64", "s390x"},
	"aix":       {"ppc64"},
	"darwin":    {"amd64", "arm64"},
	"dragonfly": {"amd64"},
	"freebsd":   {"386", "amd64", "arm", "arm64"},
	"illumos":   {"amd64"},
	"netbsd":    {"386", "amd64", "arm", "arm64"},
	"openbsd":   {"386", "amd64", "arm", "arm64", "ppc64", "riscv64"},
	"plan9":     {"386", "amd64", "arm"},
	"solaris":   {"amd64"},
	"windows":   {"386", "amd64", "arm64"},
}

// platforms reads the platforms of this run; without names it returns this machine's platform.
func platforms(g *gocmd.Go, names []string) ([]plan.Platform, error) {
	if len(names) == 0 {
		_, arch := g.Host()
		names = []string{"linux/" + arch}
	}
	var all []plan.Platform
	for _, name := range names {
		p, err := platform(g, name)
		if err != nil {
			return nil, err
		}
		if p.OS != "linux" {
			return nil, fmt.Errorf(
				"platform %q: images are only for linux; add %s to Config.Release.ArchivePlatforms to "+
					"release archives for it", name, p)
		}
		if slices.Contains(all, p) {
			return nil, fmt.Errorf("platform %s appears twice", p)
		}
		all = append(all, p)
	}
	return all, nil
}

// archivePlatforms reads the platforms that have a release archive and no image. images are
// those that have an image.
func archivePlatforms(g *gocmd.Go, names []string, images []plan.Platform) ([]plan.Platform, error) {
	var all []plan.Platform
	for _, name := range names {
		p, err := platform(g, name)
		if err != nil {
			return nil, fmt.Errorf("read Config.Release.ArchivePlatforms: %w", err)
		}
		if slices.Contains(all, p) {
			return nil, fmt.Errorf("read Config.Release.ArchivePlatforms: platform %s appears twice", p)
		}
		all = append(all, p)
	}
	return slices.DeleteFunc(all, func(p plan.Platform) bool { return slices.Contains(images, p) }), nil
}

// platform reads a platform that Go supports. A platform without a variant gets the variant
// that the user's GOAMD64 or similar setting selects.
func platform(g *gocmd.Go, name string) (plan.Platform, error) {
	name = strings.TrimSpace(name)
	p, err := plan.ParsePlatform(name)
	if err != nil {
		return p, err
	}
	known, ok := ports[p.OS]
	if !ok {
		return p, fmt.Errorf("platform %q: Go has no port for it; its systems are %s", name,
			strings.Join(slices.Sorted(maps.Keys(ports)), ", "))
	}
	if !slices.Contains(known, p.Architecture) {
		return p, fmt.Errorf("platform %q: Go has no port for it; it has %s/%s", name, p.OS,
			strings.Join(known, ", "+p.OS+"/"))
	}
	if strings.Count(name, "/") == 1 {
		return p.WithSetting(g.Setting(p.Setting()))
	}
	return p, nil
}
