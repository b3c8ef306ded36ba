package credentials_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/thimble-build/thimble/build/internal/credentials"
)

// entry is an entry of auths, with the user and a password.
func entry(user string) string {
	return fmt.Sprintf(`{"auth":%q}`, base64.StdEncoding.EncodeToString([]byte(user+":secret")))
}

// auths is a config.json with entries for user and key in turn.
func auths(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, fmt.Sprintf("%q:%s", pairs[i+1], entry(pairs[i])))
	}
	return `{"auths":{` + strings.Join(all, ",") + `}}`
}

// in returns a function that reads an environment with its folder's name for $W.
func in(folder string, env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return strings.ReplaceAll(v, "$W", folder), ok
	}
}

func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func resolve(t *testing.T, lookup func(string) (string, bool), repository string) (*credentials.Login, error) {
	t.Helper()
	repo, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	a, err := credentials.Keychain{LookupEnv: lookup}.ResolveContext(t.Context(), repo)
	if err != nil {
		return nil, err
	}
	return a.(*credentials.Login), nil
}

// Of the entries of one file, that with the longest name counts (containers-auth.json(5)).
func TestEntries(t *testing.T) {
	for name, test := range map[string]struct {
		file, repository, user string
	}{
		"the registry":                       {auths("a", "reg.example"), "reg.example/acme/api", "a"},
		"another registry":                   {auths("a", "reg.example"), "other.example/acme/api", ""},
		"a port":                             {auths("a", "reg.example", "b", "reg.example:5000"), "reg.example:5000/api", "b"},
		"another port":                       {auths("a", "reg.example:5000"), "reg.example:5001/api", ""},
		"no port":                            {auths("a", "reg.example:5000"), "reg.example/api", ""},
		"namespaces":                         {auths("z", "reg.example/zzz", "a", "reg.example/acme", "b", "reg.example/aaa"), "reg.example/acme/api", "a"},
		"none of the namespaces":             {auths("z", "reg.example/zzz", "b", "reg.example/aaa"), "reg.example/acme/api", ""},
		"the longest":                        {auths("a", "reg.example", "b", "reg.example/acme", "c", "reg.example/acme/team"), "reg.example/acme/team/api", "c"},
		"the repository itself":              {auths("a", "reg.example/acme", "b", "reg.example/acme/api"), "reg.example/acme/api", "b"},
		"whole elements":                     {auths("a", "reg.example/acme/ap", "b", "reg.example/ac", "c", "reg.example"), "reg.example/acme/api", "c"},
		"a longer name":                      {auths("a", "reg.example/acme/api/more"), "reg.example/acme/api", ""},
		"as docker login writes it":          {auths("a", "https://reg.example"), "reg.example/acme/api", "a"},
		"an old URL":                         {auths("a", "https://reg.example/v1/"), "reg.example/acme/api", "a"},
		"a newer URL":                        {auths("a", "https://reg.example/v2/"), "reg.example/acme/api", "a"},
		"plain HTTP":                         {auths("a", "http://reg.example/"), "reg.example/acme/api", "a"},
		"a slash":                            {auths("a", "reg.example/acme/"), "reg.example/acme/api", "a"},
		"capitals":                           {auths("a", "Reg.Example"), "reg.example/acme/api", "a"},
		"a namespace named v2":               {auths("a", "reg.example/v2", "b", "reg.example"), "reg.example/acme/api", "b"},
		"both ways to write it":              {auths("a", "https://reg.example/v1/", "b", "reg.example", "c", "http://reg.example"), "reg.example/api", "b"},
		"Docker Hub":                         {auths("a", "https://index.docker.io/v1/"), "docker.io/acme/api", "a"},
		"Docker Hub without scheme":          {auths("a", "index.docker.io/v1/"), "index.docker.io/acme/api", "a"},
		"Docker Hub as Podman writes it":     {auths("a", "docker.io"), "index.docker.io/acme/api", "a"},
		"Docker Hub's own host":              {auths("a", "registry-1.docker.io"), "docker.io/acme/api", "a"},
		"a namespace of Docker Hub":          {auths("a", "https://index.docker.io/v1/", "b", "docker.io/acme"), "docker.io/acme/api", "b"},
		"an empty entry":                     {`{"auths":{"reg.example/acme":{},"reg.example":` + entry("a") + `}}`, "reg.example/acme/api", "a"},
		"name and password":                  {`{"auths":{"reg.example":{"username":"a","password":"secret"}}}`, "reg.example/api", "a"},
		"another entry that is malformed":    {`{"auths":{"other.example":{"auth":"%"},"reg.example":` + entry("a") + `}}`, "reg.example/api", "a"},
		"a less specific one that is broken": {`{"auths":{"reg.example":{"auth":"%"},"reg.example/acme":` + entry("a") + `}}`, "reg.example/acme/api", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := t.TempDir()
			write(t, w, map[string]string{"config.json": test.file})
			for range 20 { // the order of a map would show
				got, err := resolve(t, in(w, map[string]string{"DOCKER_CONFIG": "$W"}), test.repository)
				if err != nil {
					t.Fatal(err)
				}
				if got.Username != test.user {
					t.Fatalf("got %q, want %q", got.Username, test.user)
				}
			}
		})
	}
}

func TestIdentityToken(t *testing.T) {
	w := t.TempDir()
	write(t, w, map[string]string{"config.json": `{"auths":{"reg.example":{"auth":"MDAwMDo=","identitytoken":"abc"}}}`})
	got, err := resolve(t, in(w, map[string]string{"DOCKER_CONFIG": "$W"}), "reg.example/api")
	if err != nil || got.IdentityToken != "abc" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPlaces(t *testing.T) {
	reg := func(user string) string { return auths(user, "reg.example") }
	home := map[string]string{"HOME": "$W/home", "USERPROFILE": "$W/home"}
	with := func(pairs ...string) map[string]string {
		env := map[string]string{}
		for k, v := range home {
			env[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	for name, test := range map[string]struct {
		files   map[string]string
		env     map[string]string
		user    string
		missing string
	}{
		"nothing":               {nil, home, "", ""},
		"no environment at all": {nil, nil, "", ""},
		"Docker's":              {map[string]string{"home/.docker/config.json": reg("a"), "home/.dockercfg": `{"reg.example":` + entry("b") + `}`}, home, "a", ""},
		"the oldest":            {map[string]string{"home/.dockercfg": `{"https://reg.example/acme/":` + entry("b") + `}`}, home, "b", ""},
		"DOCKER_CONFIG":         {map[string]string{"d/config.json": reg("a"), "home/.docker/config.json": reg("b")}, with("DOCKER_CONFIG", "$W/d"), "a", ""},
		"DOCKER_CONFIG replaces the one at home": {map[string]string{"home/.docker/config.json": reg("b")},
			with("DOCKER_CONFIG", "$W/d"), "", ""},
		"REGISTRY_AUTH_FILE before an empty config.json": {map[string]string{"f.json": reg("a"), "home/.docker/config.json": "{}"},
			with("REGISTRY_AUTH_FILE", "$W/f.json"), "a", ""},
		"REGISTRY_AUTH_FILE before another login": {map[string]string{"f.json": reg("a"), "d/config.json": reg("b")},
			with("REGISTRY_AUTH_FILE", "$W/f.json", "DOCKER_CONFIG", "$W/d"), "a", ""},
		"REGISTRY_AUTH_FILE with other registries": {map[string]string{"f.json": auths("x", "other.example"), "d/config.json": reg("b")},
			with("REGISTRY_AUTH_FILE", "$W/f.json", "DOCKER_CONFIG", "$W/d"), "b", ""},
		"REGISTRY_AUTH_FILE is not there": {nil, with("REGISTRY_AUTH_FILE", "$W/f.json"), "", "REGISTRY_AUTH_FILE is set to $W/f.json, which does not exist"},
		"a file of no bytes": {map[string]string{"d/config.json": "", "home/.config/containers/auth.json": reg("a")},
			with("DOCKER_CONFIG", "$W/d"), "a", ""},
		"Podman's": {map[string]string{"run/containers/auth.json": reg("a"), "home/.config/containers/auth.json": reg("b"), "home/.docker/config.json": reg("c")},
			with("XDG_RUNTIME_DIR", "$W/run"), "a", ""},
		"Podman's that lasts": {map[string]string{"home/.config/containers/auth.json": reg("b"), "home/.docker/config.json": reg("c")},
			with("XDG_RUNTIME_DIR", "$W/run"), "b", ""},
		"XDG_CONFIG_HOME": {map[string]string{"x/containers/auth.json": reg("a"), "home/.config/containers/auth.json": reg("b")},
			with("XDG_CONFIG_HOME", "$W/x"), "a", ""},
		"the content of a file": {map[string]string{"d/config.json": reg("b")},
			with("DOCKER_AUTH_CONFIG", reg("a"), "DOCKER_CONFIG", "$W/d"), "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := t.TempDir()
			write(t, w, test.files)
			got, err := resolve(t, in(w, test.env), "reg.example/acme/api")
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(test.missing, "$W", w); got.Username != test.user || strings.Join(got.Missing, "; ") != want {
				t.Errorf("got %q and %q, want %q and %q", got.Username, got.Missing, test.user, want)
			}
		})
	}
}

// A helper is a program of the user's; these say what they are asked.
func TestHelpers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helpers are shell scripts")
	}
	helper := func(user string) string {
		return "#!/bin/sh\nread server; echo \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"" + user + "-$server\\\",\\\"Secret\\\":\\\"s\\\"}\"\n"
	}
	both := `{"credsStore":%q,"auths":{"reg.example":` + entry("file") + `,"reg.example/acme":` + entry("namespace") + `}}`
	for name, test := range map[string]struct {
		file, repository, user, missing, fails string
	}{
		"for the registry":                       {`{"credHelpers":{"reg.example":"good"},"auths":{"reg.example/acme":` + entry("x") + `}}`, "reg.example/acme/api", "good-reg.example", "", ""},
		"for another registry":                   {`{"credHelpers":{"other.example":"good"}}`, "reg.example/acme/api", "", "", ""},
		"with a scheme":                          {`{"credHelpers":{"https://reg.example":"good"}}`, "reg.example/acme/api", "good-reg.example", "", ""},
		"for Docker Hub":                         {`{"credHelpers":{"docker.io":"good"}}`, "docker.io/acme/api", "good-https://index.docker.io/v1/", "", ""},
		"for all":                                {`{"credsStore":"good"}`, "reg.example/acme/api", "good-reg.example", "", ""},
		"for all, namespaces":                    {fmt.Sprintf(both, "good"), "reg.example/acme/api", "namespace", "", ""},
		"for all, the registry":                  {fmt.Sprintf(both, "good"), "reg.example/other/api", "good-reg.example", "", ""},
		"the registry's own before that for all": {`{"credsStore":"bad","credHelpers":{"reg.example":"good"}}`, "reg.example/api", "good-reg.example", "", ""},
		"not installed":                          {fmt.Sprintf(both, "gone"), "reg.example/other/api", "file", "", ""},
		"not installed, for the registry":        {`{"credHelpers":{"reg.example":"gone"},"auths":{"reg.example":` + entry("file") + `}}`, "reg.example/api", "file", "", ""},
		"not installed, and no other":            {`{"credsStore":"gone"}`, "reg.example/api", "", "config.json requires the credential helper docker-credential-gone, which is not installed", ""},
		"has nothing":                            {fmt.Sprintf(both, "none"), "reg.example/other/api", "file", "", ""},
		"a token":                                {`{"credsStore":"token"}`, "reg.example/api", "<token>", "", ""},
		"fails":                                  {fmt.Sprintf(both, "bad"), "reg.example/other/api", "", "", "the credential helper docker-credential-bad: exit status 3"},
		"talks nonsense":                         {`{"credsStore":"noise"}`, "reg.example/api", "", "", "the credential helper docker-credential-noise: its answer is not valid"},
		"another program":                        {`{"credsStore":"x/../../../bin/echo"}`, "reg.example/api", "", "", "is not the name of a credential helper"},
	} {
		t.Run(name, func(t *testing.T) {
			w := t.TempDir()
			write(t, w, map[string]string{
				"config.json":                test.file,
				"bin/docker-credential-good": helper("good"), "bin/docker-credential-token": "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"s\"}'\n",
				"bin/docker-credential-none":  "#!/bin/sh\necho 'credentials not found in native keychain'; exit 1\n",
				"bin/docker-credential-bad":   "#!/bin/sh\necho planted; echo planted >&2; exit 3\n",
				"bin/docker-credential-noise": "#!/bin/sh\necho planted\n",
			})
			t.Setenv("PATH", filepath.Join(w, "bin")+":/usr/bin:/bin")
			got, err := resolve(t, in(w, map[string]string{"DOCKER_CONFIG": "$W"}), test.repository)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "planted") {
					t.Errorf("the error is %v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Username != test.user || test.user == "<token>" && got.IdentityToken != "s" {
				t.Errorf("got %+v, want %q", got.AuthConfig, test.user)
			}
			if said := strings.Join(got.Missing, "; "); test.user == "" && test.missing == "" && said != "" || !strings.Contains(said, test.missing) {
				t.Errorf("it says %q, want %q", said, test.missing)
			}
		})
	}
}

// A helper that asks somebody who is not there ends with the run.
func TestHelperEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	w := t.TempDir()
	write(t, w, map[string]string{"config.json": `{"credsStore":"slow"}`, "bin/docker-credential-slow": "#!/bin/sh\nexec sleep 100\n"})
	t.Setenv("PATH", filepath.Join(w, "bin")+":/usr/bin:/bin")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := credentials.Keychain{LookupEnv: in(w, map[string]string{"DOCKER_CONFIG": "$W"})}.ResolveContext(ctx, name.MustParseReference("reg.example/api").Context())
	if err == nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestMalformed(t *testing.T) {
	w := t.TempDir()
	for file, says := range map[string]string{
		`{"auths":planted}`:                             "config.json is not a configuration in JSON",
		`{"auths":{"reg.example":{"auth":"planted%"}}}`: "the entry for reg.example is malformed; log in again",
	} {
		write(t, w, map[string]string{"config.json": file})
		_, err := resolve(t, in(w, map[string]string{"DOCKER_CONFIG": "$W"}), "reg.example/api")
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: the error is %v, want %s", file, err, says)
		}
	}
}

var _ authn.ContextKeychain = credentials.Keychain{}
