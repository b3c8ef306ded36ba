// Package credentials finds the login for a repository in the files of Docker and Podman, and
// runs the credential helpers that they name. It takes an environment and returns a keychain for
// go-containerregistry; it writes no file.
//
// The places are checked in this order, and the first login for the repository is used:
//
//	DOCKER_AUTH_CONFIG                        the content of a file
//	REGISTRY_AUTH_FILE                        a file
//	DOCKER_CONFIG/config.json                 if DOCKER_CONFIG is set
//	XDG_RUNTIME_DIR/containers/auth.json
//	XDG_CONFIG_HOME/containers/auth.json      or ~/.config/containers/auth.json
//	~/.docker/config.json, ~/.dockercfg       if DOCKER_CONFIG is not set
//
// In a file, the entry with the longest matching name is used: the repository, one of its parent
// namespaces, or the registry (containers-auth.json(5)). The helper that "credHelpers" names for
// the registry is asked first. The one of "credsStore" is asked after the namespaces, in place of
// the registry's entry.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Keychain finds logins.
type Keychain struct {
	// LookupEnv reads the environment, as os.LookupEnv does.
	LookupEnv func(name string) (string, bool)
}

// Login is the login found for a repository. It is an authn.Authenticator.
type Login struct {
	authn.AuthConfig
	// Missing names a missing source of a login, such as a helper that is not installed. It is
	// used in the error if the registry refuses access.
	Missing []string
}

// Authorization returns the login for go-containerregistry, or anonymous access.
func (l *Login) Authorization() (*authn.AuthConfig, error) { return &l.AuthConfig, nil }

// Resolve is ResolveContext without a context.
func (k Keychain) Resolve(of authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), of)
}

// ResolveContext finds the login for a repository or a registry; ctx cancels a helper. If there
// is none, the [Login] is empty, which means anonymous access. A file that cannot be parsed, and
// a helper that fails, are errors; a file without read permission is [Login.Missing]. Errors
// contain no output of a helper.
func (k Keychain) ResolveContext(ctx context.Context, of authn.Resource) (authn.Authenticator, error) {
	login := &Login{}
	for _, p := range k.places() {
		f, err := p.read()
		if errors.Is(err, fs.ErrNotExist) {
			if p.named != "" {
				login.Missing = append(login.Missing,
					fmt.Sprintf("%s is set to %s, which does not exist", p.named, p.path))
			}
			continue
		}
		if errors.Is(err, fs.ErrPermission) { // such as a file of root
			login.Missing = append(login.Missing, err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		found, missing, err := f.find(ctx, of)
		if err != nil {
			return nil, err
		}
		if missing != "" {
			login.Missing = append(login.Missing,
				fmt.Sprintf("%s requires the credential helper %s, which is not installed", p, missing))
		}
		if found != nil {
			login.AuthConfig = *found
			return login, nil
		}
	}
	return login, nil
}

// place is a possible location of logins.
type place struct {
	path    string
	content string // instead of a path
	legacy  bool   // ~/.dockercfg: only the registries, at the top level
	named   string // the variable that names the file
}

func (p place) String() string {
	if p.path == "" {
		return p.named
	}
	return p.path
}

// places returns all places in order.
func (k Keychain) places() []place {
	env := func(name string) string {
		if k.LookupEnv == nil {
			return ""
		}
		v, _ := k.LookupEnv(name)
		return v
	}
	var all []place
	add := func(folder string, p place) {
		if folder != "" {
			p.path = filepath.Join(folder, p.path)
			all = append(all, p)
		}
	}
	if content := env("DOCKER_AUTH_CONFIG"); content != "" {
		all = append(all, place{content: content, named: "DOCKER_AUTH_CONFIG"})
	}
	if file := env("REGISTRY_AUTH_FILE"); file != "" {
		all = append(all, place{path: file, named: "REGISTRY_AUTH_FILE"})
	}
	docker := env("DOCKER_CONFIG")
	add(docker, place{path: "config.json"})
	auth := place{path: filepath.Join("containers", "auth.json")}
	add(env("XDG_RUNTIME_DIR"), auth)
	home := env("HOME")
	if runtime.GOOS == "windows" {
		home = env("USERPROFILE")
	}
	if config := env("XDG_CONFIG_HOME"); config != "" {
		add(config, auth)
	} else if home != "" {
		add(filepath.Join(home, ".config"), auth)
	}
	if docker == "" {
		add(home, place{path: filepath.Join(".docker", "config.json")})
		add(home, place{path: ".dockercfg", legacy: true})
	}
	return all
}

func (p place) read() (*file, error) {
	content := []byte(p.content)
	if p.path != "" {
		var err error
		if content, err = os.ReadFile(p.path); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(string(content)) == "" {
		return &file{}, nil
	}
	f, err := parse(content, p.legacy)
	if err != nil {
		return nil, fmt.Errorf("%s %w", p, err)
	}
	f.place = p
	return f, nil
}
