package git

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
)

// protocols are those allowed for a stranger's source.
var protocols = []string{"https", "http", "ssh"}

// strict returns an environment in which git reads only the part of the user's and the system's
// configuration that a source's host needs, runs no hooks and no filters, and uses only HTTP and
// ssh; and files, if from is a folder or local is set. dir is a folder outside of any repository.
// as is from as rewritten by the user's url.….insteadOf, if that names the same host.
func strict(ctx context.Context, env []string, dir, from string,
	local bool) (clean []string, as string, err error) {
	u, isSSH := parseRemote(from)
	config := [][2]string{{"http.followRedirects", "false"}}
	allowed := slices.Clone(protocols)
	if as = from; u == nil || local {
		allowed = append(allowed, "file")
		config = append(config, userConfig(ctx, env, dir, `^safe\.directory$`)...)
	} else {
		if as, err = rewritten(ctx, env, dir, from, u.Hostname()); err != nil {
			return nil, "", err
		}
		if !isSSH {
			config = append(config, forHost(ctx, env, dir, u)...)
		}
	}
	for _, e := range env {
		switch name, value, _ := strings.Cut(e, "="); name {
		case "GIT_ALLOW_PROTOCOL": // it overrides the configuration
			allowed = slices.DeleteFunc(allowed,
				func(p string) bool { return !slices.Contains(strings.Split(value, ":"), p) })
		case "GIT_ASKPASS", "SSH_ASKPASS", "GIT_PROXY_COMMAND": // they answer for every host
		default:
			clean = append(clean, e)
		}
	}
	clean = append(clean, noConfig(config)...)
	return append(clean, "GIT_ALLOW_PROTOCOL="+strings.Join(allowed, ":"),
		"GIT_SSH_COMMAND="+sshCommand(ctx, env, dir)), as, nil
}

// userConfig returns the values of some keys in git's configuration, in its order.
func userConfig(ctx context.Context, env []string, dir, pattern string) [][2]string {
	out, err := process.Output(ctx, process.Command{Args: []string{"git", "config", "-z", "--includes",
		"--get-regexp", pattern}, Dir: dir, Env: env})
	if err != nil {
		return nil // no such keys
	}
	var all [][2]string
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		all = append(all, [2]string{key, value})
	}
	return all
}

// rewritten returns a URL rewritten by the user's url.….insteadOf, if that names the same host.
func rewritten(ctx context.Context, env []string, dir, from, host string) (string, error) {
	out, err := process.Output(ctx, process.Command{Args: []string{"git", "ls-remote", "--get-url", "--",
		from}, Dir: dir, Env: env})
	if err != nil {
		return "", err
	}
	used := strings.TrimSuffix(string(out), "\n")
	if u, _ := parseRemote(used); u != nil && strings.EqualFold(u.Hostname(), host) &&
		!strings.HasPrefix(used, "-") {
		return used, nil
	}
	return from, nil
}

// secret are settings of http.* with credentials. Without a URL in their key they apply to all
// hosts.
var secret = []string{"extraheader", "cookiefile", "savecookies", "sslcert", "sslkey",
	"emptyauth", "delegation"}

// forHost returns the user's settings for one host: how to use HTTP, and the source of its
// credentials.
func forHost(ctx context.Context, env []string, dir string, u *url.URL) (config [][2]string) {
	for _, s := range userConfig(ctx, env, dir, `^(http|credential)\.`) {
		section, rest, _ := strings.Cut(s[0], ".")
		dot := strings.LastIndex(rest, ".")
		name := rest[dot+1:]
		switch {
		case dot >= 0:
			if matches(rest[:dot], u) {
				config = append(config, s)
			}
		case section == "credential": // only for this host
			config = append(config, [2]string{"credential." + u.Scheme + "://" + u.Host + "." + name, s[1]})
		case !slices.Contains(secret, name) && name != "followredirects":
			config = append(config, s)
		}
	}
	return config
}

// matches says whether the URL in a key of the configuration has the host of u; a label may be *.
func matches(pattern string, u *url.URL) bool {
	p, err := url.Parse(pattern)
	if err != nil {
		return false
	}
	if p.Host == "" { // host alone
		p.Host = pattern
	}
	want, got := strings.Split(strings.ToLower(p.Host), "."), strings.Split(strings.ToLower(u.Host), ".")
	return slices.EqualFunc(want, got, func(a, b string) bool { return a == "*" || a == b })
}

// sshCommand returns the user's command, with options that keep the other side from using what
// ssh would forward to it.
func sshCommand(ctx context.Context, env []string, dir string) string {
	command := "ssh"
	for _, s := range userConfig(ctx, env, dir, `^core\.sshcommand$`) {
		command = s[1]
	}
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "GIT_SSH_COMMAND="); ok && v != "" {
			command = v
		}
	}
	program, _, _ := strings.Cut(command, " ")
	if name := strings.TrimSuffix(path.Base(filepath.ToSlash(program)), ".exe"); name == "ssh" {
		command += " -o ForwardAgent=no -o ForwardX11=no -o ClearAllForwardings=yes -o PermitLocalCommand=no"
	}
	return command
}

// NoConfig returns variables with which git, and programs that run it, read no configuration of
// the user and the system, run no hooks and connect to no host: for the clone of a stranger's
// repository after it is fetched. Append them to those of Env.
func NoConfig() []string { return append(noConfig(nil), "GIT_ALLOW_PROTOCOL=file") }

func noConfig(more [][2]string) []string {
	config := slices.Concat(settings, [][2]string{
		{"core.hooksPath", os.DevNull},
		{"core.attributesFile", os.DevNull},
		{"core.excludesFile", os.DevNull},
		{"safe.bareRepository", "explicit"},
		{"submodule.recurse", "false"},
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
	}, more)
	env := []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0",
		"GIT_GRAFT_FILE=" + os.DevNull,
	}
	for i, s := range config {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]),
			fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config)))
}
