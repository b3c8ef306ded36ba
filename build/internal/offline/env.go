package offline

import (
	"slices"
	"strings"
)

// nowhere is a proxy on this machine that serves nothing: the discard port. Requests of a
// child that ignores all other settings end there.
const nowhere = "http://127.0.0.1:9"

// Env returns the environment of children that must not use the network: the go command takes
// modules and toolchains only from its cache and from the file:// parts of goproxy (the active
// GOPROXY), git uses only the file protocol, and programs that use the usual variables get a
// proxy that does not answer.
func Env(env []string, goproxy string) []string {
	settings := []string{
		"GOPROXY=" + fileProxies(goproxy),
		"GONOPROXY=none", // otherwise modules that match GOPRIVATE are fetched from their hosts
		"GOVCS=*:off",    // no version control command for modules
		"GOCACHEPROG=",   // a program that may keep its cache anywhere
		"GOAUTH=off",     // no program for credentials
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=file", // also keeps a partial clone from fetching missing objects
		"GIT_NO_LAZY_FETCH=1",
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		settings = append(settings, name+"="+nowhere, strings.ToLower(name)+"="+nowhere)
	}
	const local = "localhost,127.0.0.1,::1"
	return slices.Concat(env, settings, []string{"NO_PROXY=" + local, "no_proxy=" + local})
}

// fileProxies returns the proxies of a GOPROXY that are folders, or on this machine; "off" if
// there are none.
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
