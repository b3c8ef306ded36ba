// Package secret finds the variables of an environment that contain secrets, and removes them
// from the environment that the system shows to other processes. It does not interpret secrets,
// writes no file, and prints nothing.
package secret

import (
	"regexp"
	"strings"
)

// Patterns for the names and values of variables with secrets. The launcher has the same
// patterns; a test of package init compares them.
const (
	names = `(?i)TOKEN(S|_.*)?$|PASSW(OR)?D|PASSPHRASE|SECRET|CREDENTIAL|(^|_)(PASS|PAT|JWT|AUTH)$|JWT_|(^|_)(SSH|GPG|AGE|DEPLOY|ENCRYPTION|MASTER)_KEY$|(PRIVATE|ACCESS|ACCOUNT|SIGNING|API)_?KEY|_(PWD|CREDS|DSN)$|^SSHPASS$|^(AWS|AZURE|GOOGLE)_.*(KEY|ID$|STRING|CERTIFICATE|SAS|USER|ASSERTION)|^(THIMBLE_KEY|COSIGN_KEY|DOCKER_AUTH_CONFIG|CI_REPOSITORY_URL)$`
	keys  = `-----BEGIN [A-Z ]*PRIVATE KEY-----|LS0tLS1CRUdJTi[\w+/]*(UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)`
	urls  = `(?i)https?://[^/?#\s@]+@|://[^/?#\s@]*:[^/?#\s@]+@`
	wires = `(?i)^(GOPROXY|GOSUMDB|(HTTPS?|ALL|FTP)_PROXY)$`
)

var secretName, secretKey, secretURL, wireName = regexp.MustCompile(names), regexp.MustCompile(keys),
	regexp.MustCompile(urls), regexp.MustCompile(wires)

// Is says whether a variable counts as a secret: its name contains a word such as TOKEN, or its
// value is a private key, also in base64, or a URL with a password. A URL with only a user
// counts, because HTTP accepts a token as the user, and so does a proxy's address without a
// scheme.
func Is(name, value string) bool {
	return secretName.MatchString(name) || secretKey.MatchString(value) || secretURL.MatchString(value) ||
		IsWire(name) && strings.Contains(value, "@")
}

// IsWire says whether a variable configures how programs connect to other machines. Only programs
// that fetch modules see the password in it; all others get the result of [Bare].
func IsWire(name string) bool { return wireName.MatchString(name) }

// Bare returns a variable that IsWire, without the users and passwords in it.
func Bare(name, value string) string {
	if name != "GOPROXY" { // which is a list
		return userinfo.ReplaceAllString(value, "$1")
	}
	return element.ReplaceAllStringFunc(value,
		func(e string) string { return userinfo.ReplaceAllString(e, "$1") })
}

var userinfo, element = regexp.MustCompile(`^(.*?//|.* )?.*@`), regexp.MustCompile(`[^,|]+`)

// Split divides an environment into the variables that children may see and the secrets, each in
// order. The variables that more names are secrets too, and those that env://NAME refers to.
func Split(env []string, more ...string) (open, secrets []string) {
	named := map[string]bool{}
	for _, name := range more {
		named[name] = true
	}
	for _, e := range env {
		if _, name, ok := strings.Cut(e, "=env://"); ok {
			named[name] = true
		}
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if named[name] || Is(name, value) {
			secrets = append(secrets, e)
			if IsWire(name) {
				open = append(open, name+"="+Bare(name, value))
			}
		} else {
			open = append(open, e)
		}
	}
	return open, secrets
}

// Select returns the variables of env that a list names: a name, or a prefix followed by *.
func Select(env, list []string) []string {
	var found []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		for _, want := range list {
			prefix, open := strings.CutSuffix(want, "*")
			if name == want || open && strings.HasPrefix(name, prefix) {
				found = append(found, e)
				break
			}
		}
	}
	return found
}

// Names returns the names of an environment's variables, in its order.
func Names(env []string) []string {
	all := make([]string, len(env))
	for i, e := range env {
		all[i], _, _ = strings.Cut(e, "=")
	}
	return all
}
