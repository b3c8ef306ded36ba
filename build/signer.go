package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/plan"
)

// openSigner opens the key or the identity that signs, and says whose signatures
// count when the release is verified.
func (rel *release) openSigner(ctx context.Context) error {
	cfg := rel.Config.Release
	if cfg.Key == "" && cfg.Keyless == nil && len(rel.destinations) == 0 {
		return rel.developmentKey()
	}
	return rel.useSigner(ctx)
}

// useSigner opens what Config names.
func (rel *release) useSigner(ctx context.Context) error {
	cfg := rel.Config.Release
	var err error
	if rel.signer, err = rel.newSigner(ctx); err != nil {
		return err
	}
	rel.trust, err = rel.baseTrust()
	if err != nil {
		return err
	}
	rel.trust.TagsUnlogged = !slices.ContainsFunc(cfg.Logs, func(l plan.TransparencyLog) bool { return l.Version == 1 })
	if len(cfg.Logs) > 0 && rel.trust.TagsUnlogged && rel.writes(attest.Tags) {
		rel.Progress.Notice("cosign's tags have no place for an entry of a Rekor log of version 2: what is stored in that form has none")
	}
	if key := rel.signer.PublicKey(); key != nil {
		rel.trust.Keys = append([]*attest.PublicKey{key}, rel.trust.Keys...)
		// Without a trusted root, nobody could tell a record from a forged one.
		rel.trust.RequireLog = len(cfg.Logs) > 0 && rel.trust.TrustedRoot != nil
		rel.trust.RequireTimestamp = len(cfg.TimestampAuthorities) > 0 && rel.trust.TrustedRoot != nil
		return nil
	}
	if err := rel.mayBeKeyless(rel.trust); err != nil {
		return err
	}
	// The certificate is asked for now: a release without an identity, or with one that
	// its own trusted root does not know, ends here.
	identity, err := rel.signer.Identity(ctx)
	if err != nil {
		return err
	}
	rel.trust.Identities = []attest.Identity{identity}
	return rel.trust.CheckCertificate(ctx, rel.signer)
}

// mayBeKeyless says what is missing for a signature of an identity to be verified.
func (r *settled) mayBeKeyless(trust attest.Trust) error {
	switch {
	case trust.TrustedRoot == nil:
		return errors.New("sign: what an identity signs can be verified only with a trusted root; name its file in Config.Release.TrustedRoot")
	case len(r.Config.Release.Logs) == 0 && !trust.AllowUnlogged:
		return errors.New("sign: what an identity signs needs an entry in a transparency log; name one in Config.Release.Logs, or set Config.Release.Keyless.NoTransparencyLog")
	}
	return nil
}

// newSigner opens what Config names.
func (r *settled) newSigner(ctx context.Context) (*attest.Signer, error) {
	cfg := r.Config.Release
	services := attest.Services{TimestampAuthorities: cfg.TimestampAuthorities, Retries: 3}
	if err := r.reachServices(); err != nil {
		return nil, err
	}
	if r.Offline {
		services.Transport = r.client().Transport
	}
	for _, l := range cfg.Logs {
		if l.Version != 1 && l.Version != 2 {
			return nil, fmt.Errorf("transparency log %s of Config: version %d of its API is not known; it is 1 or 2", l.URL, l.Version)
		}
		services.Logs = append(services.Logs, attest.Log{URL: l.URL, Version: uint32(l.Version)})
	}
	switch {
	case cfg.Key != "":
		key, err := attest.OpenKey(ctx, r.keyPath(cfg.Key), attest.KeyOptions{Password: r.password, LookupEnv: r.lookupEnv})
		if err != nil {
			return nil, err
		}
		return attest.NewSigner(key, services)
	case cfg.Keyless != nil:
		return attest.NewKeylessSigner(attest.Keyless{Fulcio: cfg.Keyless.Fulcio, Token: r.tokens(*cfg.Keyless).Token}, services)
	}
	return nil, errors.New(`sign: there is no key and no identity; make a key with "mage keys" and set THIMBLE_KEY=cosign.key, or set Config.Release.Keyless`)
}

// developmentKey makes a key that only this run has.
func (rel *release) developmentKey() error {
	key, err := attest.NewDevelopmentKey()
	if err != nil {
		return err
	}
	if rel.signer, err = attest.NewSigner(key, attest.Services{}); err != nil {
		return err
	}
	rel.trust = attest.Trust{Keys: []*attest.PublicKey{rel.signer.PublicKey()}}
	rel.development = true
	return nil
}

// baseTrust is what Config trusts besides the signer.
func (r *settled) baseTrust() (attest.Trust, error) {
	cfg := r.Config.Release
	var t attest.Trust
	for _, file := range cfg.TrustKeys {
		key, err := readPublicKey(r.abs(file))
		if err != nil {
			return t, err
		}
		t.Keys = append(t.Keys, key)
	}
	if cfg.TrustedRoot != "" {
		var err error
		if t.TrustedRoot, err = readTrustedRoot(r.abs(cfg.TrustedRoot)); err != nil {
			return t, err
		}
	}
	if k := cfg.Keyless; k != nil {
		t.AllowUnlogged, t.AllowNoSCT = k.NoTransparencyLog, k.NoCertificateLog
	}
	return t, nil
}

func readPublicKey(file string) (*attest.PublicKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, err := attest.ParsePublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("read public key %s: %w", file, err)
	}
	return key, nil
}

func readTrustedRoot(file string) (root.TrustedMaterial, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read trusted root: %w", err)
	}
	trusted, err := root.NewTrustedRootFromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("read trusted root %s: %w", file, err)
	}
	return trusted, nil
}

// keyPath makes the path of a key's file absolute, and leaves URIs alone.
func (r *settled) keyPath(ref string) string {
	if strings.Contains(ref, "://") {
		return ref
	}
	return r.abs(ref)
}

func (r *settled) password() ([]byte, error) {
	if p, ok := r.lookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(p), nil
	}
	if r.Password != nil {
		return r.Password()
	}
	return nil, errors.New("the key has a password; set COSIGN_PASSWORD")
}

// tokens is where an identity's token comes from.
func (r *settled) tokens(k plan.Keyless) attest.TokenSource {
	s := attest.TokenSource{LookupEnv: r.lookupEnv, Audience: k.Audience}
	if r.Offline {
		s.Client = r.client()
	}
	if k.TokenFile != "" {
		s.File = r.abs(k.TokenFile)
	}
	if k.Issuer != "" && r.Login != nil {
		s.Interactive = &attest.Interactive{
			Issuer: k.Issuer, ClientID: k.ClientID, ClientSecret: k.ClientSecret, Device: true, Prompt: r.Login,
		}
	}
	return s
}

// lookupEnv is os.LookupEnv for the run's environment.
func (r *settled) lookupEnv(name string) (string, bool) {
	for i := len(r.Env) - 1; i >= 0; i-- { // the last one counts
		if n, value, ok := strings.Cut(r.Env[i], "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}
