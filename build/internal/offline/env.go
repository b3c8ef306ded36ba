package offline

import (
	"slices"
	"strings"
)

// nowhere is a proxy that is on this machine and takes nothing: the discard port. What
// a child would fetch in spite of all other settings ends there.
const nowhere = "http://127.0.0.1:9"

// Env is the environment of children that must not use the network: the go command
// takes modules and toolchains from its cache and from the file:// parts of goproxy
// (the GOPROXY in force) alone, git speaks no protocol but that of files, and programs
// that heed the usual variables find a proxy that answers nothing.
func Env(env []string, goproxy string) []string {
	settings := []string{
		"GOPROXY=" + fileProxies(goproxy),
		"GONOPROXY=none", // else modules that match GOPRIVATE are fetched where they live
		"GOVCS=*:off",    // no version control command for modules
		"GOCACHEPROG=",   // a program that may keep its cache anywhere
		"GOAUTH=off",     // no program for credentials
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=file", // also keeps a partial clone from fetching what it lacks
		"GIT_NO_LAZY_FETCH=1",
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		settings = append(settings, name+"="+nowhere, strings.ToLower(name)+"="+nowhere)
	}
	const local = "localhost,127.0.0.1,::1"
	return slices.Concat(env, settings, []string{"NO_PROXY=" + local, "no_proxy=" + local})
}

// fileProxies are the proxies of a GOPROXY that are folders, or on this machine; "off"
// where there are none.
func fileProxies(goproxy string) string {
	var kept []string
	for _, p := range strings.FieldsFunc(goproxy, func(r rune) bool { return r == ',' || r == '|' }) {
		p = strings.TrimSpace(p)
		if strings.HasPrefix(p, "file://") || strings.Contains(p, "://") && Check(p) == nil {
			kept = append(kept, p)
		}
	}
	return strings.Join(append(kept, "off"), ",")
}
