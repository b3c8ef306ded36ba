package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// ports are the operating systems and architectures that Go can build a static
// program for and that a container image can name, as `go tool dist list` has
// them for linux.
var ports = []string{
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",
}

// platforms reads the platforms of this run. One without a variant gets the one
// that the user's own GOAMD64 and its like ask for.
func (r *Resolved) platforms(names []string) ([]plan.Platform, error) {
	if len(names) == 0 {
		_, arch := r.Go.Host()
		names = []string{"linux/" + arch}
	}
	var platforms []plan.Platform
	for _, name := range names {
		p, err := plan.ParsePlatform(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if p.OS != "linux" {
			return nil, fmt.Errorf("platform %q: an image is made for linux; %s is not supported", name, p.OS)
		}
		if !slices.Contains(ports, p.Architecture) {
			return nil, fmt.Errorf("platform %q: Go has no port for it; it has linux/%s", name, strings.Join(ports, ", linux/"))
		}
		if strings.Count(name, "/") == 1 {
			if p, err = p.WithSetting(r.Go.Setting(p.Setting())); err != nil {
				return nil, err
			}
		}
		if slices.Contains(platforms, p) {
			return nil, fmt.Errorf("platform %s is asked for twice", p)
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}
