package attest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claims are the unverified claims of an identity token; Fulcio verifies them.
type Claims struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"` // a string or several
	Expiry   float64         `json:"exp"` // seconds since 1970
}

// ReadClaims reads a token. Its errors contain no part of the token.
func ReadClaims(token string) (Claims, error) {
	var c Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the identity token is not a JSON Web Token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return c, errors.New("the identity token is not a JSON Web Token")
	}
	return c, nil
}

// Expired returns an error if the token can no longer be used.
func (c Claims) Expired() error {
	if expiry := c.expiry(); !expiry.IsZero() && !time.Now().Before(expiry) {
		return fmt.Errorf("the identity token expired at %s; get a new one",
			expiry.UTC().Format(time.RFC3339))
	}
	return nil
}

// CheckToken returns the issuer of an identity token, or an error if the token is malformed or
// expired. Only Fulcio verifies it.
func CheckToken(token string) (issuer string, err error) {
	c, err := ReadClaims(token)
	if err != nil {
		return "", err
	}
	return c.Issuer, c.Expired()
}

func (c Claims) expiry() time.Time {
	if c.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(int64(c.Expiry), 0)
}

// String returns the claims that Fulcio uses for its decision.
func (c Claims) String() string {
	audience := strings.Trim(string(c.Audience), `[]"`)
	return fmt.Sprintf("a token of issuer %q for audience %q; it must accept both", c.Issuer, audience)
}
