package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Platform is an operating system, an architecture and its variant, with the names of the OCI
// image-spec and of Go (GOOS, GOARCH): linux/arm/v7. In JSON it is that string.
type Platform struct {
	OS, Architecture, Variant string
}

// archSetting says how the go command gets a variant: the environment variable, and its value
// for each variant that OCI and Docker define.
type archSetting struct {
	env      string
	variants map[string]string
}

var archSettings = map[string]archSetting{
	"amd64":   {"GOAMD64", map[string]string{"v1": "v1", "v2": "v2", "v3": "v3", "v4": "v4"}},
	"arm":     {"GOARM", map[string]string{"v5": "5", "v6": "6", "v7": "7"}},
	"arm64":   {"GOARM64", map[string]string{"v8": "v8.0", "v9": "v9.0"}},
	"386":     {"GO386", map[string]string{"sse2": "sse2", "softfloat": "softfloat"}},
	"ppc64le": {"GOPPC64", map[string]string{"power8": "power8", "power9": "power9", "power10": "power10"}},
	"riscv64": {"GORISCV64", map[string]string{"rva20u64": "rva20u64", "rva22u64": "rva22u64",
		"rva23u64": "rva23u64"}},
}

// baseline is the variant that the go command builds for by default. A platform with this
// variant and one without a variant are the same.
var baseline = map[string]string{"amd64": "v1", "arm64": "v8", "386": "sse2", "ppc64le": "power8",
	"riscv64": "rva20u64"}

// ParsePlatform reads "os/arch" or "os/arch/variant". It removes a variant that is the
// architecture's baseline, except for arm, where "linux/arm" means v7, as in Docker. It checks
// the variant, but not whether Go supports the operating system and architecture.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return Platform{}, fmt.Errorf(
			"platform %q is not os/arch or os/arch/variant, such as linux/amd64 or linux/arm/v7", s)
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	if p.Architecture == "arm" && p.Variant == "" {
		p.Variant = "v7"
	}
	if p.Variant == "" {
		return p, nil
	}
	known := archSettings[p.Architecture].variants
	if _, ok := known[p.Variant]; !ok {
		if len(known) == 0 {
			return Platform{}, fmt.Errorf("platform %q: %s has no variants", s, p.Architecture)
		}
		names := make([]string, 0, len(known))
		for v := range known {
			names = append(names, v)
		}
		slices.Sort(names)
		return Platform{}, fmt.Errorf("platform %q: unknown variant of %s; the known ones are %s", s,
			p.Architecture, strings.Join(names, ", "))
	}
	if p.Variant == baseline[p.Architecture] {
		p.Variant = ""
	}
	return p, nil
}

// String returns "os/arch" or "os/arch/variant".
func (p Platform) String() string { return p.join("/") }

// Key returns String with underscores, for file names.
func (p Platform) Key() string { return p.join("_") }

func (p Platform) join(sep string) string {
	s := p.OS + sep + p.Architecture
	if p.Variant != "" {
		s += sep + p.Variant
	}
	return s
}

// Env returns GOOS, GOARCH and, if the architecture has variants, their setting (GOARM,
// GOAMD64, …), as NAME=value.
func (p Platform) Env() []string {
	env := []string{"GOOS=" + p.OS, "GOARCH=" + p.Architecture}
	set, ok := archSettings[p.Architecture]
	if !ok {
		return env
	}
	v := p.Variant
	if v == "" {
		v = baseline[p.Architecture]
	}
	return append(env, set.env+"="+set.variants[v])
}

// MarshalText returns String.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (p *Platform) UnmarshalText(b []byte) error {
	parsed, err := ParsePlatform(string(b))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// Executable returns the file name of a program on the platform.
func (p Platform) Executable(program string) string {
	if p.OS == "windows" {
		return program + ".exe"
	}
	return program
}

// Setting returns the go command's variable for this architecture's variants, such as GOAMD64;
// empty if there is none.
func (p Platform) Setting() string { return archSettings[p.Architecture].env }

// WithSetting returns the platform with the variant for a value of Setting: GOAMD64=v3 turns
// linux/amd64 into linux/amd64/v3. The empty value changes nothing.
func (p Platform) WithSetting(value string) (Platform, error) {
	if value == "" {
		return p, nil
	}
	for variant, v := range archSettings[p.Architecture].variants {
		if v == value {
			return ParsePlatform(p.OS + "/" + p.Architecture + "/" + variant)
		}
	}
	return Platform{}, fmt.Errorf(
		"platform %s: %s=%s has no variant in an image; name the variant, or unset %s", p,
		p.Setting(), value, p.Setting())
}
