package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/report"
)

// registries asks every repository whether we may push, and for its features; the clock is
// compared with the first registry that returns a time.
func (d *examination) registries(ctx context.Context) []Finding {
	repositories := d.repositories()
	if len(repositories) == 0 {
		detail := "no repository: images and releases stay in " + d.Config.Dist
		if d.resolved == nil && (d.Config.Repository != "" || len(d.Config.Release.Repositories) > 0) {
			detail = "not checked: there is no image to push"
		}
		return []Finding{ok("registry", detail), ok("clock", "not compared: no registry returned its time")}
	}
	found := make([]Finding, len(repositories))
	clocks := make([]*Finding, len(repositories))
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, repository := range repositories {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i], clocks[i] = d.registry(ctx, repository)
		})
	}
	all.Wait()
	clock := ok("clock", "not compared: no registry returned its time")
	for _, c := range clocks {
		if c != nil && clock.State != report.Problem {
			clock = *c
			if c.State == report.OK {
				break
			}
		}
	}
	return append(found, clock)
}

// registry checks a repository, and the clock against the repository's time.
func (d *examination) registry(ctx context.Context, repository string) (Finding, *Finding) {
	fail := func(err error) Finding {
		fix := ""
		if refused := new(distribution.Error); errors.As(err, &refused) &&
			refused.Status == http.StatusUnauthorized {
			host, _, _ := strings.Cut(repository, "/")
			fix = "docker login " + host
			err = errors.New(strings.TrimSuffix(err.Error(), fmt.Sprintf("; log in with %q", fix)))
		}
		return failed("registry", err, fix)
	}
	host, _, _ := strings.Cut(repository, "/")
	if err := d.Reach("open "+repository, host); err != nil {
		return Finding{Check: "registry", State: report.Note,
			Detail: repository + " was not checked, because of -offline"}, nil
	}
	repo, err := store.OpenRepository(ctx, d.Session, repository, nil, false)
	if err != nil {
		return fail(err), nil
	}
	defer repo.Close()
	preflight, err := repo.Preflight(ctx, nil, v1.Hash{})
	if skewed := new(registry.SkewError); errors.As(err, &skewed) {
		clock := failed("clock", err, clockFix())
		return Finding{Check: "registry", State: report.Note,
				Detail: repository + " was not checked further: signatures and logins depend on the clock"},
			&clock
	}
	if err != nil {
		return fail(err), nil
	}
	clock := ok("clock", fmt.Sprintf("within %v of %s", max(preflight.Skew.Abs(), time.Second), host))
	can, err := repo.Capabilities(ctx)
	if err != nil {
		return fail(err), &clock
	}
	referrers := map[registry.ReferrersSupport]string{
		registry.ReferrersNative: "by the registry", registry.ReferrersFallback: "by a tag",
		registry.ReferrersUnknown: "unknown yet",
	}[preflight.Referrers]
	f := ok("registry", fmt.Sprintf("%s: may push; indexes %s, referrers listed %s, mounts %s", repository,
		can.Indexes, referrers, can.Mounts))
	if can.Indexes == registry.Unsupported {
		f.State, f.Fix = report.Problem,
			"choose a registry that accepts OCI image indexes: every image is pushed as one"
	}
	return f, &clock
}

// clockFix returns the command that sets the clock.
func clockFix() string {
	switch runtime.GOOS {
	case "darwin":
		return "sudo sntp -sS time.apple.com"
	case "windows":
		return "w32tm /resync"
	}
	return "sudo timedatectl set-ntp true"
}

// signing opens the key, or checks the identity's token; it signs nothing and requests no
// certificate.
func (d *examination) signing(ctx context.Context) []Finding {
	cfg := d.Config.Release
	var found []Finding
	switch {
	case cfg.Key == "" && cfg.Keyless == nil && len(d.repositories()) == 0:
		found = append(found, ok("signing", "no key: a release that stays in "+d.Config.Dist+
			" is signed with a key that is made for it"))
	case cfg.Key == "" && cfg.Keyless == nil:
		found = append(found, Finding{Check: "signing", State: report.Problem,
			Detail: "there is no key and no identity, but a release to a registry needs one",
			Fix:    "mage keys, and set THIMBLE_KEY=cosign.key; or set Config.Release.Keyless"})
	case cfg.Key != "":
		found = append(found, d.key(ctx))
	default:
		found = append(found, d.identity(ctx))
	}
	trust, err := signing.Trust(d.Session)
	if err != nil {
		found = append(found, failed("trust", err, ""))
	} else if cfg.Key == "" && cfg.Keyless != nil {
		if err := signing.CheckKeyless(d.Session, trust); err != nil {
			found = append(found, failed("trust", err, ""))
		}
	}
	return found
}

func (d *examination) key(ctx context.Context) Finding {
	if err := signing.Reach(d.Session); err != nil {
		return Finding{Check: "signing", State: report.Note, Detail: "not tried: " + err.Error()}
	}
	_, err := attest.OpenKey(ctx, signing.KeyPath(d.Session, d.Config.Release.Key),
		attest.KeyOptions{Password: d.Password, LookupEnv: d.LookupEnv})
	if errors.Is(err, attest.ErrPassword) {
		return failed("signing", err, "set COSIGN_PASSWORD to the password of the key")
	}
	if err != nil {
		return failed("signing", err, "")
	}
	return ok("signing", "the key "+d.Config.Release.Key+" opens")
}

func (d *examination) identity(ctx context.Context) Finding {
	k := *d.Config.Release.Keyless
	if err := signing.Reach(d.Session); err != nil {
		return Finding{Check: "signing", State: report.Note, Detail: "not tried: " + err.Error()}
	}
	source := signing.Tokens(d.Session, k)
	source.Interactive = nil // this check starts no login
	token, err := source.Token(ctx)
	if errors.Is(err, attest.ErrNoToken) && k.Issuer != "" {
		f := Finding{Check: "signing", State: report.Note,
			Detail: "no identity token yet: a release asks you to log in at " + k.Issuer}
		if d.Login == nil {
			f.State, f.Detail, f.Fix = report.Problem,
				"there is no identity token, and no terminal to log in",
				"set SIGSTORE_ID_TOKEN, or Config.Release.Keyless.TokenFile"
		}
		return f
	}
	if err != nil {
		return failed("signing", err, "")
	}
	issuer, err := attest.CheckToken(token)
	if err != nil {
		return failed("signing", err, "")
	}
	if !slices.Contains([]string{"", issuer}, k.Issuer) {
		return Finding{Check: "signing", State: report.Note,
			Detail: fmt.Sprintf("the identity token is from %s, but Config.Release.Keyless.Issuer is %s",
				issuer, k.Issuer)}
	}
	return ok("signing", "an identity token of "+issuer)
}
