package distribution

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/thimble-build/thimble/build/internal/offline"
)

// Explainer explains failures with a repository to a user.
type Explainer struct {
	// Label is the repository as the user wrote it. Host is its registry as users know it.
	Label, Host string
	// missing lists where a login is missing.
	missing []string
}

// Explain returns an error that says what failed, on what, and what to do, without text of a
// registry. what is a tag or a digest of the repository, or empty.
func (e Explainer) Explain(ctx context.Context, verb, what string, err error) error {
	if err == nil {
		return nil
	}
	doing := verb + " " + e.Label
	switch {
	case strings.HasPrefix(what, "sha256:"):
		doing += "@" + what
	case what != "":
		doing += ":" + what
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	// A registry on localhost is also asked over plain HTTP, and a TLS server refuses that. The
	// user needs to see the certificate error.
	certificate := new(tls.CertificateVerificationError)
	if answer := new(transport.Error); errors.As(err, &answer) && !errors.As(err, &certificate) {
		refused := e.Refusal(doing, answer)
		if known := new(Hinted); errors.As(err, &known) {
			refused.Hint = known.Hint
		}
		return refused
	}
	return fmt.Errorf("%s: %w", doing, e.cause(err))
}

// Refusal returns the error for a registry's answer, without the registry's text.
func (e Explainer) Refusal(doing string, answer *transport.Error) *Error {
	refused := &Error{Doing: doing, Status: answer.StatusCode}
	for _, d := range answer.Errors {
		if slices.Contains(codes, d.Code) && !slices.Contains(refused.Codes, string(d.Code)) {
			refused.Codes = append(refused.Codes, string(d.Code))
		}
	}
	slices.Sort(refused.Codes)
	has := func(code transport.ErrorCode) bool { return slices.Contains(refused.Codes, string(code)) }
	mediaType := ""
	if answer.Request != nil && answer.Request.Method == http.MethodPut &&
		strings.Contains(answer.Request.URL.Path, "/manifests/") {
		mediaType = answer.Request.Header.Get("Content-Type")
	}
	switch {
	case isImmutable(answer):
		refused.Hint = immutableHint(tagOf(answer.Request))
	case refused.Status == http.StatusUnauthorized:
		refused.Codes = nil // the status says the same
		refused.Hint = strings.Join(append(slices.Clone(e.missing),
			fmt.Sprintf("log in with \"docker login %s\"", e.Host)), "; ")
	case refused.Status == http.StatusForbidden:
		refused.Codes = nil
		refused.Hint = "the credentials for " + e.Host +
			" do not allow this; ask for the permission, or log in as a user who has it"
	case has(transport.NameUnknownErrorCode):
		refused.Hint = "create the repository first"
	case mediaType != "" && LacksNamed(answer):
		refused.Hint = "the registry does not have everything that it accepted; run it again"
	case mediaType != "" && (refused.Status == http.StatusUnsupportedMediaType ||
		has(transport.ManifestInvalidErrorCode) || has(transport.UnsupportedErrorCode)):
		refused.Hint = "the registry refuses the media type " + mediaType
	case refused.Status == http.StatusMethodNotAllowed:
		refused.Hint = "the registry is read-only"
	case refused.Status == http.StatusRequestEntityTooLarge:
		refused.Hint = "a limit of the registry, or of a proxy in front of it"
	case slices.Contains(outages, refused.Status):
		refused.Hint = "an outage of the registry; run it again later to continue"
	}
	return refused
}

// cause returns the part of an error that contains no text of an answer.
func (e Explainer) cause(err error) error {
	if known := new(problem); errors.As(err, &known) {
		return known
	}
	if errors.Is(err, errPlain) {
		return errPlain
	}
	if refused := new(offline.Error); errors.As(err, &refused) {
		return refused
	}
	unknownCA, wrongHost, badCert, header := x509.UnknownAuthorityError{}, x509.HostnameError{},
		x509.CertificateInvalidError{}, tls.RecordHeaderError{}
	switch {
	case errors.As(err, &unknownCA):
		return fmt.Errorf("%w; add the registry's certificate authority to Config.Release.RegistryCAs",
			unknownCA)
	case errors.As(err, &wrongHost):
		return wrongHost
	case errors.As(err, &badCert):
		return badCert
	case errors.As(err, &header):
		return fmt.Errorf("the registry uses plain HTTP; allow it with Config.Release.Insecure")
	}
	if file := new(fs.PathError); errors.As(err, &file) {
		return file
	}
	name := new(net.DNSError)
	if errors.As(err, &name) {
		return fmt.Errorf("%w; check the registry's name, the network and the proxy", name)
	}
	if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() {
		return errors.New(
			"the registry did not answer in time; check the network and the proxy, and run it again")
	}
	if network := new(net.OpError); errors.As(err, &network) {
		return fmt.Errorf("%w; check the network and the proxy, and run it again", network)
	}
	for _, broken := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, broken) {
			return fmt.Errorf("the registry ended the connection: %w", broken)
		}
	}
	if inner := new(url.Error); errors.As(err, &inner) {
		err = inner.Err // the URL may contain a signature
	}
	// An error of go-containerregistry begins with fixed text. Text of an answer follows later:
	// in quotes, after a colon or on the next line.
	text := err.Error()
	if end := strings.IndexAny(text, ":\"'`\n{[=<"); end >= 0 {
		text = text[:end]
	}
	if text = strings.TrimSpace(text); text == "" {
		text = "the answer of " + e.Host + " is not valid"
	}
	return errors.New(text)
}
