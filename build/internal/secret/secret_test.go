package secret

import (
	"encoding/base64"
	"slices"
	"testing"
)

func TestIs(t *testing.T) {
	for _, name := range []string{
		"COSIGN_PASSWORD", "COSIGN_KEY", "THIMBLE_KEY", "SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN",
		"GITHUB_TOKEN", "GH_TOKEN", "GH_PAT", "GITLAB_TOKEN", "CI_JOB_TOKEN", "CI_JOB_JWT", "CI_JOB_JWT_V2", "CI_REGISTRY_PASSWORD", "CI_REPOSITORY_URL",
		"CIRCLE_OIDC_TOKEN_V2", "SYSTEM_ACCESSTOKEN", "DOCKER_AUTH_CONFIG", "DOCKER_PASSWORD", "QUAY_PASS", "NPM_AUTH", "MYSQL_PASSWD",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS", "AZURE_CLIENT_CERTIFICATE_PATH", "AWS_WEB_IDENTITY_TOKEN_FILE", "GOOGLE_MAPS_KEY",
		"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_ACCESS_TOKEN", "VAULT_TOKEN", "VAULT_SECRET_ID", "COSIGN_PRIVATE_KEY", "SIGNING_KEY", "API_KEY", "STRIPE_APIKEY",
		"KEY_PASSPHRASE", "api_token", "MYSQL_PWD", "SSHPASS", "SSH_KEY", "DEPLOY_KEY", "GPG_KEY", "RAILS_MASTER_KEY", "ENCRYPTION_KEY", "SOPS_AGE_KEY", "REGISTRY_CREDS", "SENTRY_DSN",
	} {
		if !Is(name, "x") {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range []string{
		"PATH", "PWD", "OLDPWD", "HOME", "USER", "GOPROXY", "GOAUTH", "GOPRIVATE", "GOFLAGS", "GIT_ASKPASS", "SSH_ASKPASS", "SSH_AUTH_SOCK", "COMPASS",
		"TOKENIZERS_PARALLELISM", "HTTPS_PROXY", "VAULT_ADDR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "THIMBLE_REPOSITORY", "THIMBLE_KEYS", "GITHUB_SHA", "CI_JOB_ID",
		"XAUTHORITY", "KEYBOARD", "AWS_REGION", "AWS_PROFILE", "AWS_CA_BUNDLE", "GOOGLE_CLOUD_PROJECT", "AZURE_CONFIG_DIR", "PATTERN", "AUTHOR",
	} {
		if Is(name, "x") {
			t.Errorf("%s is a secret", name)
		}
	}
	for _, kind := range []string{"", "EC ", "ENCRYPTED SIGSTORE ", "OPENSSH "} {
		if !Is("RELEASE", "-----BEGIN "+kind+"PRIVATE KEY-----\nMIH") {
			t.Errorf("a %sprivate key is no secret", kind)
		}
	}
	for _, alignment := range []string{"EC ", "RSA ", "ENCRYPTED SIGSTORE ", ""} {
		if text := base64.StdEncoding.EncodeToString([]byte("-----BEGIN " + alignment + "PRIVATE KEY-----\nMIH")); !Is("RELEASE", text) {
			t.Errorf("%s is no secret", text)
		}
	}
	if text := base64.StdEncoding.EncodeToString([]byte("-----BEGIN PUBLIC KEY-----\nMIH")); Is("RELEASE", text) {
		t.Errorf("%s is a secret", text)
	}
	for value, want := range map[string]bool{
		"postgres://me:pw@db/x": true, "redis://:pw@cache:6379": true, "https://token@git.example.com/x": true, "see HTTPS://me:pw@host": true,
		"ssh://git@github.com/acme/x": false, "git@github.com:acme/x": false, "https://host:8080/x@v1": false, "https://host/?to=me@example.com": false, "a@b": false, "postgres://db/x": false,
	} {
		if Is("ADDRESS", value) != want {
			t.Errorf("%s is a secret: %t", value, !want)
		}
	}
	if Is("CA", "-----BEGIN CERTIFICATE-----\nMIH") || Is("PUB", "-----BEGIN PUBLIC KEY-----\nMIH") {
		t.Error("a certificate or a public key is a secret")
	}
}

func TestSplit(t *testing.T) {
	env := []string{"PATH=/bin", "A_TOKEN=a", "EMPTY_TOKEN=", "MINE=m", "A_TOKEN=b", "=C:=C:\\", "HOME=/"}
	open, secrets := Split(env, "MINE")
	if !slices.Equal(open, []string{"PATH=/bin", "=C:=C:\\", "HOME=/"}) || !slices.Equal(secrets, []string{"A_TOKEN=a", "EMPTY_TOKEN=", "MINE=m", "A_TOKEN=b"}) {
		t.Errorf("split into %q and %q", open, secrets)
	}
	if _, secrets := Split([]string{"RELEASE=r", "SIGNER=env://RELEASE", "THIMBLE_KEY=env://X"}); len(secrets) != 2 {
		t.Errorf("only %q are secrets", secrets)
	}
	if got := Select(secrets, []string{"A_*", "PATH"}); !slices.Equal(got, []string{"A_TOKEN=a", "A_TOKEN=b"}) {
		t.Errorf("selected %q", got)
	}
	if got := Select(secrets, []string{"A_", "*INE"}); got != nil {
		t.Errorf("selected %q", got)
	}
	if got := Names(secrets); !slices.Equal(got, []string{"A_TOKEN", "EMPTY_TOKEN", "MINE", "A_TOKEN"}) {
		t.Errorf("the names are %q", got)
	}
}

// Programs that fetch nothing get proxies without their passwords.
func TestProxies(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"GOPROXY", "https://me:pw@a.example.com/x,https://b.example.com|https://t@c.example.com,direct", "https://a.example.com/x,https://b.example.com|https://c.example.com,direct"},
		{"GOSUMDB", "sum.example.com+12345678+AAAA https://me:pw@sum.example.com", "sum.example.com+12345678+AAAA https://sum.example.com"},
		{"HTTPS_PROXY", "http://me:p@w,/x@proxy:3128", "http://proxy:3128"},
		{"http_proxy", "me:pw@proxy:3128", "proxy:3128"},
		{"all_proxy", "socks5://me:pw@proxy", "socks5://proxy"},
	} {
		if open, secrets := Split([]string{test.name + "=" + test.value}); !slices.Equal(secrets, []string{test.name + "=" + test.value}) || !slices.Equal(open, []string{test.name + "=" + test.want}) {
			t.Errorf("%s=%s is split into %q and %q", test.name, test.value, open, secrets)
		}
		if open, secrets := Split([]string{test.name + "=" + test.want}); len(open) != 1 || secrets != nil {
			t.Errorf("%s=%s is split into %q and %q", test.name, test.want, open, secrets)
		}
		if Signs(test.name, test.value) {
			t.Errorf("%s signs", test.name)
		}
	}
}
