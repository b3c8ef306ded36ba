// Package signing opens the key or identity of a session, and reads its trusted public keys and
// trusted roots. OpenSigner returns both at once, to sign and to verify the result. It signs
// nothing; package attest does.
package signing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Reach checks that every host needed for signing may be connected to.
func Reach(s *session.Session) error {
	cfg := s.Config.Release
	var errs []error
	// Keys are in files and variables, or in a key management service.
	if scheme, _, ok := strings.Cut(cfg.Key, "://"); ok && scheme != "env" && scheme != "file" {
		errs = append(errs, s.Reach("sign with "+cfg.Key, keyService(s, cfg.Key)))
	}
	if k := cfg.Keyless; k != nil && cfg.Key == "" {
		errs = append(errs, s.Reach("get a certificate", k.Fulcio))
		if address, _ := s.LookupEnv("ACTIONS_ID_TOKEN_REQUEST_URL"); address != "" && k.TokenFile == "" {
			errs = append(errs, s.Reach("ask GitHub for an identity token", address))
		}
	}
	for _, l := range cfg.Logs {
		errs = append(errs, s.Reach("log signatures", l.URL))
	}
	for _, url := range cfg.TimestampAuthorities {
		errs = append(errs, s.Reach("get timestamps", url))
	}
	return errors.Join(errs...)
}

// keyService returns the address of the service that has a key, or its name if it is in the cloud.
func keyService(s *session.Session, key string) string {
	switch scheme, rest, _ := strings.Cut(key, "://"); {
	case scheme == "hashivault":
		vault, _ := s.LookupEnv("VAULT_ADDR") // as the provider reads it
		bao, _ := s.LookupEnv("BAO_ADDR")
		return cmp.Or(vault, bao, "Vault")
	case scheme == "awskms" && strings.HasPrefix(rest, "/"): // otherwise it has an endpoint
		return "AWS KMS"
	case scheme == "gcpkms":
		return "Google Cloud KMS"
	}
	return key
}

// CheckKeyless returns an error if something is missing to verify a signature of an identity.
func CheckKeyless(s *session.Session, trust attest.Trust) error {
	switch {
	case trust.TrustedRoot == nil:
		return errors.New(
			"sign: an identity's signature can be verified only with a trusted root; set its file in " +
				"Config.Release.TrustedRoot")
	case len(s.Config.Release.Logs) == 0 && !trust.AllowUnlogged:
		return errors.New(
			"sign: an identity's signature needs an entry in a transparency log; add one to " +
				"Config.Release.Logs, or set Config.Release.Keyless.NoTransparencyLog")
	}
	return nil
}

// Open opens the key or identity that Config names.
func Open(ctx context.Context, s *session.Session) (*attest.Signer, error) {
	cfg := s.Config.Release
	services := attest.Services{TimestampAuthorities: cfg.TimestampAuthorities, Retries: 3,
		Transport: s.Client().Transport}
	if err := Reach(s); err != nil {
		return nil, err
	}
	for _, l := range cfg.Logs {
		if l.Version != 1 && l.Version != 2 {
			return nil, fmt.Errorf(
				"transparency log %s of Config: version %d of its API is not known; use 1 or 2", l.URL,
				l.Version)
		}
		services.Logs = append(services.Logs, attest.Log{URL: l.URL, Version: uint32(l.Version)})
	}
	switch {
	case cfg.Key != "":
		key, err := attest.OpenKey(ctx, KeyPath(s, cfg.Key),
			attest.KeyOptions{Password: s.Password, LookupEnv: s.LookupEnv})
		if err != nil {
			return nil, err
		}
		return attest.NewSigner(key, services)
	case cfg.Keyless != nil:
		return attest.NewKeylessSigner(attest.Keyless{Fulcio: cfg.Keyless.Fulcio,
			Token: Tokens(s, *cfg.Keyless).Token}, services)
	}
	return nil, errors.New(
		`sign: there is no key and no identity; make a key with "mage keys" and set ` +
			`THIMBLE_KEY=cosign.key, or set Config.Release.Keyless`)
}

// Trust returns the keys and identities that Config trusts besides the signer.
func Trust(s *session.Session) (attest.Trust, error) {
	cfg := s.Config.Release
	var t attest.Trust
	for _, file := range cfg.TrustKeys {
		key, err := ReadPublicKey(s.Path(file))
		if err != nil {
			return t, err
		}
		t.Keys = append(t.Keys, key)
	}
	if cfg.TrustedRoot != "" {
		var err error
		if t.TrustedRoot, err = ReadTrustedRoot(s.Path(cfg.TrustedRoot)); err != nil {
			return t, err
		}
	}
	if k := cfg.Keyless; k != nil {
		t.AllowUnlogged, t.AllowNoSCT = k.NoTransparencyLog, k.NoCertificateLog
	}
	return t, nil
}

func ReadPublicKey(file string) (*attest.PublicKey, error) {
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

func ReadTrustedRoot(file string) (any, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read trusted root: %w", err)
	}
	trusted, err := attest.ParseTrustedRoot(b)
	if err != nil {
		return nil, fmt.Errorf("read trusted root %s: %w", file, err)
	}
	return trusted, nil
}

// KeyPath makes the path of a key's file absolute, and does not change URIs.
func KeyPath(s *session.Session, ref string) string {
	if strings.Contains(ref, "://") {
		return ref
	}
	return s.Path(ref)
}

// Tokens returns the source of an identity's token.
func Tokens(s *session.Session, k plan.Keyless) attest.TokenSource {
	source := attest.TokenSource{LookupEnv: s.LookupEnv, Audience: k.Audience,
		Transport: s.Client().Transport}
	if k.TokenFile != "" {
		source.File = s.Path(k.TokenFile)
	}
	if k.Issuer != "" && s.Login != nil {
		source.Interactive = &attest.Interactive{
			Issuer: k.Issuer, ClientID: k.ClientID, ClientSecret: k.ClientSecret,
			Device: true, Prompt: s.Login,
		}
	}
	return source
}
