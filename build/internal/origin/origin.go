// Package origin says who makes a Go module, and where its source is. It takes the path and version
// of a module, or the URL of a git repository, and returns names and URLs without credentials.
// It decides by these texts alone: it asks no host and runs no git.
package origin

import (
	"go/version"
	"net/url"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Party is a person or organisation that makes software, with its web page.
type Party struct{ Name, URL string }

// owners are the hosts where the first part of a path is the account that owns a repository, and
// the second the repository's name.
var owners = map[string]bool{
	"github.com": true, "bitbucket.org": true, "codeberg.org": true, "gitea.com": true, "gitee.com": true,
}

// Supplier returns the supplier of a Go module according to its path: on a code host the account,
// elsewhere the host, which the module's author controls. A path without a host has no supplier.
func Supplier(path string) Party {
	parts := strings.Split(path, "/")
	host := parts[0]
	switch {
	case path == "std", host == "golang.org":
		return Party{"The Go Authors", "https://go.dev"}
	case !strings.Contains(host, "."):
		return Party{}
	case len(parts) > 1 && (owners[host] || host == "gitlab.com" || host == "git.sr.ht"):
		return Party{host + "/" + parts[1], "https://" + host + "/" + parts[1]}
	case host == "gopkg.in" && len(parts) == 3: // gopkg.in/account/name.v1
		return Party{"github.com/" + parts[1], "https://github.com/" + parts[1]}
	case host == "gopkg.in" && len(parts) == 2: // gopkg.in/name.v1
		name, _, _ := strings.Cut(parts[1], ".v")
		return Party{"github.com/go-" + name, "https://github.com/go-" + name}
	}
	return Party{host, "https://" + host}
}

// Owner returns the supplier of a git repository according to its URL.
func Owner(repository string) Party {
	u, err := url.Parse(GitSource(repository, "").Repository)
	if err != nil || u.Hostname() == "" {
		return Party{}
	}
	return Supplier(u.Hostname() + u.Path)
}

// Source is the location of a module's source.
type Source struct {
	Repository string // URL of a git repository
	Revision   string // tag or commit
	Folder     string // inside the repository; empty for its root
}

// Location returns the source in the form for version control systems of SPDX 2.3 clause 7.7:
// git+https://host/repository@revision#folder. It is empty for no source.
func (s Source) Location() string {
	if s.Repository == "" {
		return ""
	}
	l := "git+" + s.Repository
	if s.Revision != "" {
		l += "@" + s.Revision
	}
	if s.Folder != "" {
		l += "#" + s.Folder
	}
	return l
}

// ModuleSource returns the source of a module version if path and version are enough to find it,
// otherwise it is empty: only the host of a vanity path knows its repository.
func ModuleSource(path, v string) Source {
	if path == "std" {
		if !version.IsValid(v) {
			return Source{}
		}
		return Source{"https://go.googlesource.com/go", v, "src"}
	}
	if !semver.IsValid(v) || strings.HasSuffix(v, "+dirty") {
		return Source{}
	}
	prefix, _, ok := module.SplitPathVersion(path)
	if !ok {
		return Source{}
	}
	parts := strings.Split(prefix, "/")
	var s Source
	switch {
	case owners[parts[0]] && len(parts) >= 3:
		s = Source{Repository: "https://" + strings.Join(parts[:3], "/"),
			Folder: strings.Join(parts[3:], "/")}
	case parts[0] == "gitlab.com" && len(parts) == 3: // more parts may be nested groups
		s = Source{Repository: "https://" + prefix}
	case strings.HasPrefix(prefix, "golang.org/x/") && len(parts) >= 3:
		s = Source{Repository: "https://go.googlesource.com/" + parts[2],
			Folder: strings.Join(parts[3:], "/")}
	case parts[0] == "gopkg.in":
		s = Source{Repository: "https://" + path}
	default:
		return Source{}
	}
	v = strings.TrimSuffix(v, "+incompatible")
	if module.IsPseudoVersion(v) {
		rev, err := module.PseudoVersionRev(v)
		if err != nil {
			return Source{}
		}
		s.Revision = rev
	} else {
		s.Revision = v
		if s.Folder != "" { // tags of a module in a folder begin with its path
			s.Revision = s.Folder + "/" + v
		}
	}
	return s
}

// GitSource returns a repository's URL, as git knows it, at a revision. It drops every part of
// the URL that can contain a secret; of credentials it keeps only the user name for ssh.
func GitSource(raw, revision string) Source {
	host, path, ok := strings.Cut(raw, ":")
	if ok && !strings.Contains(host, "/") && !strings.HasPrefix(path, "//") {
		if strings.Contains(path, "@") {
			return Source{} // user:password@host:path
		}
		raw = "ssh://" + host + "/" + strings.TrimPrefix(path, "/") // git@host:path
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return Source{}
	}
	public := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	switch u.Scheme {
	case "ssh":
		if name := u.User.Username(); name != "" {
			public.User = url.User(name)
		}
	case "https", "http":
	default:
		return Source{}
	}
	return Source{Repository: public.String(), Revision: revision}
}
