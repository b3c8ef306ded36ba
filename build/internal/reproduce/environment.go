package reproduce

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/session"
)

// kept are the user's variables that every process needs, or that Config.Before may need to
// connect to servers.
var kept = []string{
	"PATH", "PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "NUMBER_OF_PROCESSORS",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
}

// environment returns the complete environment of the clean room, and what in it differs from
// the first build's, for a reader.
func (r *Room) environment(s *session.Session, g *gocmd.Go) (env, differs []string) {
	for _, e := range g.UserEnv() {
		name, _, _ := strings.Cut(e, "=")
		if r.source.stranger() && strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			continue // it may contain a password, and there is no network
		}
		if slices.Contains(kept, name) {
			env = append(env, e)
		}
	}
	env = append(env, g.CEnvironment()...)
	zone, language := "Asia/Kathmandu", "tr_TR.UTF-8"
	if v, _ := s.LookupEnv("TZ"); v == zone {
		zone = "America/St_Johns"
	}
	if v, _ := s.LookupEnv("LANG"); v == language {
		language = "C"
	}
	processors := fmt.Sprint(runtime.GOMAXPROCS(0) + 1)
	modules := filepath.ToSlash(filepath.Join(g.Setting("GOMODCACHE"), "cache", "download"))
	proxy := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(modules, "/")}
	env = append(env,
		"HOME="+r.below("home"), "USERPROFILE="+r.below("home"), "XDG_CACHE_HOME="+r.below("cache"),
		"LOCALAPPDATA="+r.below("cache"),
		"TMPDIR="+r.below("tmp"), "TMP="+r.below("tmp"), "TEMP="+r.below("tmp"),
		"TZ="+zone, "LANG="+language, "LC_ALL="+language, "GOMAXPROCS="+processors,
		"GOENV=off", "GOPATH="+r.below("gopath"), "GOMODCACHE="+r.below("modules"),
		"GOCACHE="+r.below("gocache"),
		// Everything needed was downloaded and verified, and is verified again with go.sum.
		"GOPROXY="+proxy.String(), "GOSUMDB=off",
	)
	if r.source.stranger() {
		env = append(env, git.NoConfig()...)
	}
	if s.Offline { // for programs started by Config.Before
		env = append(offline.Env(env, "off"), "GOPROXY="+proxy.String())
	}
	env = append(env, r.source.settings(s, r.source.module(r.tree()))...)
	differs = []string{"folder", "HOME", "TZ=" + zone, "LANG=" + language, "GOMAXPROCS=" + processors,
		"empty caches of Go and thimble"}
	return append(env, r.changes.Env...), differs
}

// vary starts a program so that settings outside of the environment also differ from the first
// build: the umask, and the clock of programs that link a C library, such as git and programs
// of Config.Before.
func (r *Room) vary(program []string) (args, differs []string) {
	if runtime.GOOS == "windows" {
		return program, nil
	}
	args = program
	if sh, err := exec.LookPath("sh"); err == nil {
		args = append([]string{sh, "-c", `umask 0037 && exec "$@"`, "sh"}, args...)
		differs = append(differs, "umask 0037")
	}
	// faketime writes to /dev/shm, which a sandbox does not allow.
	if faketime, err := exec.LookPath("faketime"); err == nil && runtime.GOOS == "linux" &&
		!r.source.stranger() {
		args = append([]string{faketime, "-f", "+400d"}, args...)
		differs = append(differs, "clock +400 days")
	}
	return args, differs
}
