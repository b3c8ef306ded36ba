package git

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// settings apply to every git that thimble runs, whatever its configuration says: no file system
// monitor, and no more lines and no other encoding in a log.
var settings = [][2]string{
	{"core.fsmonitor", "false"},
	{"i18n.commitEncoding", "UTF-8"},
	{"i18n.logOutputEncoding", "UTF-8"},
	{"log.abbrevCommit", "false"},
	{"log.follow", "false"},
	{"log.mailmap", "false"},
	{"log.showSignature", "false"},
	{"color.ui", "false"},
	{"advice.graftFileDeprecated", "false"},
}

// reach are the variables that say how git connects to another host, and where the user's
// configuration is. None of them changes the content of a commit.
var reach = []string{
	"GIT_ALLOW_PROTOCOL", "GIT_ASKPASS", "GIT_PROTOCOL", "GIT_PROTOCOL_FROM_USER",
	"GIT_PROXY_COMMAND", "GIT_SSH",
	"GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_TERMINAL_PROMPT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM",
	"GIT_CONFIG_SYSTEM",
}

// reachConfig are the sections of the configuration with the same purpose, and safe.directory,
// which git requires for the repository of another user.
var reachConfig = []string{"credential.", "http.", "protocol.", "safe.", "ssh.", "url.", "core.sshcommand",
	"core.gitproxy", excludes}

// excludes names the file that lists the untracked files for git status to ignore. It does not
// change the content of a commit.
const excludes = "core.excludesfile"

// Env returns an environment for git, and for programs that run git. Of the GIT_ variables in env
// it keeps only those that say how git connects to another host and where the user's
// configuration is. Replaced objects and grafts are ignored, missing objects are not fetched, and
// git writes no index.
func Env(env []string) []string {
	kept := make([]string, 0, len(env)+32)
	inherited := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		switch {
		case !strings.HasPrefix(name, "GIT_"), slices.Contains(reach, name),
			strings.HasPrefix(name, "GIT_SSL_"), strings.HasPrefix(name, "GIT_HTTP_"):
			kept = append(kept, e)
		default:
			inherited[name] = value
		}
	}
	config := append(reachable(inherited), settings...)
	for i, s := range config {
		kept = append(kept, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]),
			fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return append(kept, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config)),
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0",
		"GIT_GRAFT_FILE="+os.DevNull)
}

// Exclude is Env with another excludes file.
func Exclude(env []string, file string) []string {
	env = Env(env)
	n := len(settings)
	for _, e := range env {
		if count, ok := strings.CutPrefix(e, "GIT_CONFIG_COUNT="); ok {
			if parsed, err := strconv.Atoi(count); err == nil {
				n = parsed
			}
		}
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, excludes),
		fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, file), fmt.Sprintf("GIT_CONFIG_COUNT=%d", n+1))
}

// reachable returns the settings of GIT_CONFIG_COUNT that say how git connects to another host.
func reachable(env map[string]string) [][2]string {
	var kept [][2]string
	n, err := strconv.Atoi(env["GIT_CONFIG_COUNT"])
	if err != nil {
		return nil // git itself refuses it
	}
	for i := range min(n, len(env)) {
		key, ok := env[fmt.Sprintf("GIT_CONFIG_KEY_%d", i)]
		if ok && slices.ContainsFunc(reachConfig,
			func(section string) bool { return strings.HasPrefix(strings.ToLower(key), section) }) {
			kept = append(kept, [2]string{key, env[fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)]})
		}
	}
	return kept
}
