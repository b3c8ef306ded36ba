package credentials

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// file is a config.json, auth.json or .dockercfg.
type file struct {
	place   place
	Auths   map[string]json.RawMessage `json:"auths"`
	Helpers map[string]string          `json:"credHelpers"`
	Store   string                     `json:"credsStore"`
}

func parse(content []byte, legacy bool) (*file, error) {
	f := &file{}
	to := any(f)
	if legacy {
		to = &f.Auths
	}
	if err := json.Unmarshal(content, to); err != nil {
		// The error's text may contain a part of the content.
		return nil, errors.New("is not a configuration in JSON")
	}
	return f, nil
}

// find finds the login for a repository or registry; nil if there is none. missing is the
// required helper if it is not installed.
func (f *file) find(ctx context.Context, of authn.Resource) (
	found *authn.AuthConfig, missing string, err error) {
	host := canonical(of.RegistryStr())
	entries := f.entries(host, repositoryOf(of))
	helper := f.helper(host)
	if helper != "" {
		if found, missing, err = ask(ctx, helper, host); found != nil || err != nil {
			return found, missing, err
		}
	}
	inNamespaces := slices.IndexFunc(entries, func(e entry) bool { return e.path == "" })
	if inNamespaces < 0 {
		inNamespaces = len(entries)
	}
	if found, err = f.first(entries[:inNamespaces]); found != nil || err != nil {
		return found, missing, err
	}
	if helper == "" && f.Store != "" {
		if found, missing, err = ask(ctx, f.Store, host); found != nil || err != nil {
			return found, missing, err
		}
	}
	found, err = f.first(entries[inNamespaces:])
	return found, missing, err
}

// first returns the first entry that has a login. Docker leaves empty entries for logins in a
// helper.
func (f *file) first(entries []entry) (*authn.AuthConfig, error) {
	for _, e := range entries {
		var c authn.AuthConfig
		if err := json.Unmarshal(f.Auths[e.key], &c); err != nil {
			return nil, fmt.Errorf("%s: the entry for %s is malformed; log in again", f.place, e.key)
		}
		if c != (authn.AuthConfig{}) {
			return &c, nil
		}
	}
	return nil, nil
}

// entry is a key of auths that may have the login.
type entry struct {
	key, path string
	exact     bool // written without scheme and slash
}

// entries returns those for a repository, the longest first; of two with the same meaning, first
// the one without a scheme, then in alphabetical order.
func (f *file) entries(host, repository string) []entry {
	var all []entry
	for key := range f.Auths {
		e := entry{key: key}
		name, rest, scheme := key, "", false
		for _, s := range []string{"https://", "http://"} {
			if after, ok := strings.CutPrefix(name, s); ok {
				name, scheme = after, true
			}
		}
		trimmed := strings.TrimRight(name, "/")
		e.exact = !scheme && trimmed == name
		name, rest, _ = strings.Cut(trimmed, "/")
		if canonical(name) != host {
			continue
		}
		// Docker writes https://index.docker.io/v1/ for the registry, and has no namespaces: the
		// path after a host in .dockercfg, or v1 and v2 in a URL, belongs to the API.
		if f.place.legacy || !e.exact && (rest == "v1" || rest == "v2") {
			rest = ""
		}
		if rest != "" && rest != repository && !strings.HasPrefix(repository, rest+"/") {
			continue
		}
		e.path = rest
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.exact != b.exact && len(a.path) == len(b.path) {
			if a.exact {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.key, b.key))
	})
	return all
}

// helper returns the helper that credHelpers names for a registry.
func (f *file) helper(host string) string {
	var keys []string
	for key := range f.Helpers {
		name := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
		if name, _, _ = strings.Cut(name, "/"); canonical(name) == host {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return f.Helpers[slices.Min(keys)]
}

// canonical returns one name for a registry that has several.
func canonical(host string) string {
	host = strings.ToLower(host)
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return dockerHub
	}
	return host
}

const dockerHub = "docker.io"

// repositoryOf returns the path of a repository, without its registry.
func repositoryOf(of authn.Resource) string {
	path, _ := strings.CutPrefix(of.String(), of.RegistryStr())
	return strings.Trim(path, "/")
}
