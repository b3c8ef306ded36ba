package describe

import (
	"go/version"
	"net/url"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// party is a person or organisation that makes software, with its web page.
type party struct{ name, url string }

// owners are the hosts where the first part of a path is the account that owns a repository, and
// the second the repository's name.
var owners = map[string]bool{"github.com": true, "bitbucket.org": true, "codeberg.org": true, "gitea.com": true, "gitee.com": true}

// supplier returns the supplier of a Go module according to its path: on a code host the account,
// elsewhere the host, which the module's author controls. A path without a host has no supplier.
func supplier(path string) party {
	parts := strings.Split(path, "/")
	host := parts[0]
	switch {
	case path == "std", host == "golang.org":
		return party{"The Go Authors", "https://go.dev"}
	case !strings.Contains(host, "."):
		return party{}
	case len(parts) > 1 && (owners[host] || host == "gitlab.com" || host == "git.sr.ht"):
		return party{host + "/" + parts[1], "https://" + host + "/" + parts[1]}
	case host == "gopkg.in" && len(parts) == 3: // gopkg.in/account/name.v1
		return party{"github.com/" + parts[1], "https://github.com/" + parts[1]}
	case host == "gopkg.in" && len(parts) == 2: // gopkg.in/name.v1
		name, _, _ := strings.Cut(parts[1], ".v")
		return party{"github.com/go-" + name, "https://github.com/go-" + name}
	}
	return party{host, "https://" + host}
}

// source is the location of a module's source.
type source struct {
	repository string // URL of a git repository
	revision   string // tag or commit
	folder     string // inside the repository; empty for its root
}

// location returns the source in the form for version control systems of SPDX 2.3 clause 7.7:
// git+https://host/repository@revision#folder. It is empty for no source.
func (s source) location() string {
	if s.repository == "" {
		return ""
	}
	l := "git+" + s.repository
	if s.revision != "" {
		l += "@" + s.revision
	}
	if s.folder != "" {
		l += "#" + s.folder
	}
	return l
}

// moduleSource returns the source of a module version if path and version are enough to find it,
// otherwise it is empty: only the host of a vanity path knows its repository.
func moduleSource(path, v string) source {
	if path == "std" {
		if !version.IsValid(v) {
			return source{}
		}
		return source{"https://go.googlesource.com/go", v, "src"}
	}
	if !semver.IsValid(v) || strings.HasSuffix(v, "+dirty") {
		return source{}
	}
	prefix, _, ok := module.SplitPathVersion(path)
	if !ok {
		return source{}
	}
	parts := strings.Split(prefix, "/")
	var s source
	switch {
	case owners[parts[0]] && len(parts) >= 3:
		s = source{repository: "https://" + strings.Join(parts[:3], "/"), folder: strings.Join(parts[3:], "/")}
	case parts[0] == "gitlab.com" && len(parts) == 3: // more parts may be nested groups
		s = source{repository: "https://" + prefix}
	case strings.HasPrefix(prefix, "golang.org/x/") && len(parts) >= 3:
		s = source{repository: "https://go.googlesource.com/" + parts[2], folder: strings.Join(parts[3:], "/")}
	case parts[0] == "gopkg.in":
		s = source{repository: "https://" + path}
	default:
		return source{}
	}
	v = strings.TrimSuffix(v, "+incompatible")
	if module.IsPseudoVersion(v) {
		rev, err := module.PseudoVersionRev(v)
		if err != nil {
			return source{}
		}
		s.revision = rev
	} else {
		s.revision = v
		if s.folder != "" { // tags of a module in a folder begin with its path
			s.revision = s.folder + "/" + v
		}
	}
	return s
}

// gitSource returns a repository's URL, as git knows it, at a revision. It drops every part of
// the URL that can contain a secret; of credentials it keeps only the user name for ssh.
func gitSource(raw, revision string) source {
	if host, path, ok := strings.Cut(raw, ":"); ok && !strings.Contains(host, "/") && !strings.HasPrefix(path, "//") {
		if strings.Contains(path, "@") {
			return source{} // user:password@host:path
		}
		raw = "ssh://" + host + "/" + strings.TrimPrefix(path, "/") // git@host:path
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return source{}
	}
	public := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	switch u.Scheme {
	case "ssh":
		if name := u.User.Username(); name != "" {
			public.User = url.User(name)
		}
	case "https", "http":
	default:
		return source{}
	}
	return source{repository: public.String(), revision: revision}
}

// pageOf returns the start page of a URL's host; empty if it is not a web URL.
func pageOf(location string) string {
	u, err := url.Parse(strings.TrimPrefix(location, "git+"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
