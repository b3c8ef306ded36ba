package build

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// The types of a Config, under the names that a magefile uses.
type (
	Config      = plan.Config
	ImageConfig = plan.ImageConfig
	Asset       = plan.Asset
	User        = plan.User
	Runtime     = plan.Runtime
	Healthcheck = plan.Healthcheck
	TestConfig  = plan.TestConfig

	DebianConfig  = plan.DebianConfig
	BaseSignature = plan.BaseSignature

	ReleaseConfig   = plan.ReleaseConfig
	Keyless         = plan.Keyless
	TransparencyLog = plan.TransparencyLog
)

// Options is what one run is asked for, on top of the Config. The zero value
// works.
type Options struct {
	Config Config
	// Workdir is the repository's root; the current folder if empty.
	Workdir string
	// Env is the environment; this process's if nil.
	Env []string
	// Cache is the folder for what later runs can use again; thimble's folder
	// in os.UserCacheDir if empty.
	Cache string

	// Platforms to make, such as "linux/arm64". None means linux on this
	// machine's architecture, and "all" the release's set.
	Platforms []string
	// SkipTests leaves out what Config.Test asks for.
	SkipTests bool
	// Load hands the image to the container engine that answers.
	Load bool
	// Archive is a docker archive to write, with the image for one platform.
	Archive string

	// AllowDirty, AllowUntagged and AllowFailingTests switch off what stops a
	// release; the release's provenance says so.
	AllowDirty, AllowUntagged, AllowFailingTests bool
	// Password gives the password of the signing key when it has one. If nil, it is
	// COSIGN_PASSWORD of Env.
	Password func() ([]byte, error)
	// Offline lets nothing connect to any other machine, children included; what would
	// have been fetched is an error that names it. THIMBLE_OFFLINE sets it too.
	Offline bool
	// Login tells whoever is at the terminal how to log in for a keyless signature;
	// nil where nobody is.
	Login func(message string)

	// Summary gives the text of Dist/summary.md for images that were made; nil for none.
	Summary func(*Result) ([]byte, error)

	// Progress is told what goes on; it may be nil.
	Progress Progress
}

// Progress is told what a run does. Its methods are called from several
// goroutines at once.
type Progress interface {
	// Start is called when a task begins. The function that it returns is
	// called once when the task has ended, with a word on the outcome.
	Start(task string) (end func(outcome string, err error))
	// Notice is something that the user should know and that stops nothing.
	Notice(text string)
}

// settled is Options with every default filled in and the environment's
// settings applied: Config, then environment, then flags; the later wins.
type settled struct {
	Options
	dist    string
	notices []string
	// archives says that this is a release with archives.
	archives bool
}

func settle(o Options) (*settled, error) {
	s := &settled{Options: o}
	if s.Env == nil {
		s.Env = os.Environ()
	}
	var err error
	if s.Workdir, err = filepath.Abs(s.Workdir); err != nil {
		return nil, fmt.Errorf("find the working folder: %w", err)
	}
	if s.Workdir, err = filepath.EvalSymlinks(s.Workdir); err != nil {
		return nil, fmt.Errorf("find the working folder: %w", err)
	}
	if s.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache folder: %w", err)
		}
		s.Cache = filepath.Join(dir, "thimble")
	}
	if s.Progress == nil {
		s.Progress = silent{}
	}
	if err := s.environment(); err != nil {
		return nil, err
	}
	s.closeNetwork()
	cfg := &s.Config
	for _, dir := range []string{cfg.Dir, cfg.Dist} {
		if dir != "" && !filepath.IsLocal(filepath.FromSlash(dir)) {
			return nil, fmt.Errorf("folder %q of Config is not below the working folder; name it relative to the repository's root", dir)
		}
	}
	if cfg.Dist == "" {
		cfg.Dist = "dist"
	}
	if filepath.Clean(cfg.Dist) == "." {
		return nil, fmt.Errorf("folder %q of Config.Dist would replace the working folder; name a folder of its own", cfg.Dist)
	}
	s.dist = filepath.Join(s.Workdir, filepath.FromSlash(cfg.Dist))
	if len(cfg.Platforms) == 0 {
		cfg.Platforms = []string{"linux/amd64", "linux/arm64"}
	}
	if slices.Equal(s.Platforms, []string{"all"}) {
		s.Platforms = cfg.Platforms
	}
	return s, nil
}

// environment applies the THIMBLE_ variables.
func (s *settled) environment() error {
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "THIMBLE_") || value == "" {
			continue
		}
		switch name {
		case "THIMBLE_REPOSITORY":
			s.Config.Repository = value
		case "THIMBLE_PLATFORMS":
			s.Config.Platforms = strings.Split(value, ",")
		case "THIMBLE_COMPRESSION":
			s.Config.Compression = plan.Compression(value)
			if s.Config.Compression != plan.Gzip && s.Config.Compression != plan.Zstd {
				return fmt.Errorf("THIMBLE_COMPRESSION %q is not known; it is gzip or zstd", value)
			}
		case "THIMBLE_BASE":
			s.Config.Images = slices.Clone(s.Config.Images)
			for i := range s.Config.Images {
				s.Config.Images[i].Base = ""
			}
			s.Config.Defaults.Base = value
		case "THIMBLE_DEBIAN_MIRROR":
			s.Config.Debian.Mirror = value
		case "THIMBLE_KEY":
			s.Config.Release.Key = value
		case "THIMBLE_OFFLINE":
			off, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("THIMBLE_OFFLINE %q is not known; it is true or false", value)
			}
			s.Offline = s.Offline || off
		case "THIMBLE_REQUIRE", RoomVariable: // the kit's own tests, and its own processes
		default:
			s.notices = append(s.notices, name+" is not a setting of thimble")
		}
	}
	slices.Sort(s.notices)
	return nil
}

func (s *settled) input() resolve.Input {
	in := resolve.Input{Config: s.Config, Workdir: s.Workdir, Dist: s.dist, Env: s.Env, Kit: kit(), Platforms: s.Platforms}
	if s.archives {
		in.ArchivePlatforms = s.Config.Release.ArchivePlatforms
	}
	return in
}

const kitPath = "github.com/thimble-build/thimble"

// kit is this very thimble, as the magefile's build info has it. In a checkout of
// thimble itself the version is "(devel)".
func kit() plan.Kit {
	k := plan.Kit{Path: kitPath, Version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return k
	}
	for _, m := range info.Deps {
		if m.Path == kitPath && m.Replace == nil && m.Version != "" {
			k.Version = m.Version
		}
	}
	return k
}

type silent struct{}

func (silent) Start(string) func(string, error) { return func(string, error) {} }
func (silent) Notice(string)                    {}
