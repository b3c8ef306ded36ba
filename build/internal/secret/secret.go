// Package secret tells which variables of an environment hold secrets, and takes them out
// of the environment that the system shows to other processes. It reads no secret's
// meaning, writes no file, and prints nothing.
package secret

import (
	"regexp"
	"strings"
)

// What a variable that holds a secret is called, and what it holds. The launcher has the
// same patterns; a test of package init compares them.
const (
	names = `(?i)TOKEN(S|_.*)?$|PASSW(OR)?D|PASSPHRASE|SECRET|CREDENTIAL|(^|_)(PASS|PAT|JWT|AUTH)$|JWT_|(^|_)(SSH|GPG|AGE|DEPLOY|ENCRYPTION|MASTER)_KEY$|(PRIVATE|ACCESS|ACCOUNT|SIGNING|API)_?KEY|_(PWD|CREDS|DSN)$|^SSHPASS$|^(AWS|AZURE|GOOGLE)_|^(THIMBLE_KEY|COSIGN_KEY|DOCKER_AUTH_CONFIG|CI_REPOSITORY_URL)$`
	keys  = `-----BEGIN [A-Z ]*PRIVATE KEY-----|LS0tLS1CRUdJTi[\w+/]*(UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)`
	urls  = `(?i)https?://[^/?#\s@]+@|://[^/?#\s@]*:[^/?#\s@]+@`
	wires = `(?i)^(GOPROXY|GOSUMDB|(HTTPS?|ALL|FTP)_PROXY)$`
)

var secretName, secretKey, secretURL, wireName = regexp.MustCompile(names), regexp.MustCompile(keys), regexp.MustCompile(urls), regexp.MustCompile(wires)

// Is says whether a variable is taken for a secret: by a word in its name, such as TOKEN,
// or because it holds a private key, in base64 too, or a URL with a password in it. HTTP
// takes a token for a user as well, and a proxy's address need not be a whole URL.
func Is(name, value string) bool {
	return secretName.MatchString(name) || secretKey.MatchString(value) || secretURL.MatchString(value) || IsWire(name) && strings.Contains(value, "@")
}

// IsWire says whether a variable says how programs reach other machines. Whoever fetches
// modules sees the password in it, everybody else what [Bare] gives.
func IsWire(name string) bool { return wireName.MatchString(name) }

// Bare is a variable that IsWire, without the users and passwords in it.
func Bare(name, value string) string {
	if name != "GOPROXY" { // which is a list
		return userinfo.ReplaceAllString(value, "$1")
	}
	return element.ReplaceAllStringFunc(value, func(e string) string { return userinfo.ReplaceAllString(e, "$1") })
}

var userinfo, element = regexp.MustCompile(`^(.*?//|.* )?.*@`), regexp.MustCompile(`[^,|]+`)

// Split divides an environment into what children may see and the secrets, each in its
// order. The variables that more names are secrets too, and those that env://NAME does.
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

// Select gives the variables of env that a list names: a name, or the beginning of one
// with a * at its end.
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

// Names are the names of an environment's variables, in its order.
func Names(env []string) []string {
	all := make([]string, len(env))
	for i, e := range env {
		all[i], _, _ = strings.Cut(e, "=")
	}
	return all
}
