package git

import (
	"bytes"
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/process"
)

// scpLike is git's short form of an ssh URL: user@host:path, with the host optionally in
// brackets.
var scpLike = regexp.MustCompile(`^(?:([^@/:\[\]]+)@)?(?:\[([^\[\]]+)\]|([^:/\[\]]+)):([^:].*)$`)

// WebURL returns the web URL of the repository of a remote's URL, without user, password, query
// and ".git". It returns "" for a local path, and for a host that only this machine's
// configuration knows, such as an ssh alias.
func WebURL(remote string) string {
	u, ssh := parseRemote(remote)
	if u == nil || ssh && !public(u.Hostname()) {
		return ""
	}
	return webURL(u, ssh)
}

// parseRemote parses the URL of a remote, or git's short form; nil if it names no host.
func parseRemote(remote string) (u *url.URL, ssh bool) {
	if m := scpLike.FindStringSubmatch(remote); m != nil && !strings.Contains(remote, "://") {
		host := m[3]
		if m[2] != "" { // an IPv6 address, or host:port
			host = strings.TrimPrefix(m[2][strings.Index(m[2], "@")+1:], "[")
			if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
				host = "[" + host + "]"
			}
		}
		if strings.HasPrefix(m[4], "~") || m[1] == "" && len(host) == 1 { // a home, or a disk of Windows
			return nil, false
		}
		remote = "ssh://" + host + "/" + strings.TrimPrefix(m[4], "/")
	}
	u, err := url.Parse(remote)
	if err != nil || u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.Path, "/~") {
		return nil, false
	}
	switch u.Scheme {
	case "ssh", "git", "git+ssh", "ssh+git":
		return u, true
	case "http", "https":
		return u, false
	}
	return nil, false
}

// topLevel matches a top-level domain.
var topLevel = regexp.MustCompile(`^([A-Za-z]{2,}|[Xx][Nn]--[A-Za-z0-9-]+)$`)

// public says whether a host is an address or a public name, and not a name of one label, or an
// alias such as github.com-work.
func public(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	return len(labels) > 1 && topLevel.MatchString(labels[len(labels)-1])
}

// sshHosts are the ssh names of web hosts.
var sshHosts = map[string]string{
	"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com",
	"altssh.bitbucket.org": "bitbucket.org",
}

func webURL(u *url.URL, ssh bool) string {
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")
	if !ssh {
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}).String()
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) // an ssh port is not valid for https
	if web := sshHosts[host]; web != "" {
		host = web
	}
	// Azure: v3/ORGANIZATION/PROJECT/REPOSITORY.
	if p := strings.Split(strings.Trim(u.Path, "/"), "/"); host == "ssh.dev.azure.com" ||
		host == "vs-ssh.visualstudio.com" {
		if len(p) != 4 || p[0] != "v3" {
			return ""
		}
		host, path = "dev.azure.com", "/"+p[1]+"/"+p[2]+"/_git/"+p[3]
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return (&url.URL{Scheme: "https", Host: host, Path: path}).String()
}

// sshLimit bounds the wait for ssh, which may run programs from its configuration.
const sshLimit = 10 * time.Second

// source returns the web URL of origin, given its written URL. It resolves names that only this
// machine's configuration knows: url.….insteadOf of git, and the host of an alias.
func (r *Repo) source(ctx context.Context, written string) string {
	if web := WebURL(written); web != "" {
		return web
	}
	used, err := r.git(ctx, "ls-remote", "--get-url", "origin")
	if err != nil {
		return ""
	}
	remote := strings.TrimSuffix(string(used), "\n")
	u, ssh := parseRemote(remote)
	if u == nil || !ssh || public(u.Hostname()) {
		return WebURL(remote)
	}
	ctx, cancel := context.WithTimeout(ctx, sshLimit)
	defer cancel()
	out, err := process.Output(ctx, process.Command{Args: []string{"ssh", "-G", "--", u.Hostname()},
		Dir: r.Root, Env: r.env})
	if err != nil {
		return "" // without ssh, its aliases are unknown
	}
	for line := range bytes.Lines(out) {
		if name, ok := bytes.CutPrefix(line, []byte("hostname ")); ok {
			host := strings.TrimSpace(string(name))
			if !public(host) {
				return ""
			}
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			u.Host = host
			return webURL(u, true)
		}
	}
	return ""
}
