package distribution

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// parse reads a repository's name. It must include the registry, so that an incomplete name
// does not mean Docker Hub.
func parse(repository string, insecure bool) (name.Repository, error) {
	const form = "; write it as registry/path, such as ghcr.io/acme/api"
	// Errors contain neither of these: the text before an @ may be a password.
	if strings.Contains(repository, "@") {
		return name.Repository{}, errors.New(
			`parse the repository's name: it has an "@"; leave out credentials (use "docker login") and digest`)
	}
	if strings.ContainsAny(repository, "?#") || strings.Contains(repository, "://") {
		return name.Repository{}, errors.New("parse the repository's name: it is a URL" + form)
	}
	host, _, _ := strings.Cut(repository, "/")
	options := []name.Option{name.StrictValidation}
	if insecure || isLoopback(host) {
		options = append(options, name.Insecure)
	}
	repo, err := name.NewRepository(repository, options...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("parse the repository's name %q: %w%s", repository, err, form)
	}
	return repo, nil
}

// isLoopback reports whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// hostOf returns the registry of a repository as users know it.
func hostOf(repository name.Repository) string {
	if host := repository.RegistryStr(); host != name.DefaultRegistry {
		return host
	}
	return "docker.io"
}

// URL returns the URL of an object in a repository: URL(repo, "manifests", "v1").
func URL(repo name.Repository, kind, what string) string {
	u := url.URL{Scheme: repo.Scheme(), Host: repo.RegistryStr(),
		Path: "/v2/" + repo.RepositoryStr() + "/" + kind + "/" + what}
	return u.String()
}
