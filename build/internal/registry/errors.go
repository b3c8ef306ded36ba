package registry

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

// Error is a registry's refusal. It has nothing of the answer's body but the codes
// that the OCI distribution-spec defines.
type Error struct {
	// Doing says what was done to what: "push ghcr.io/acme/api".
	Doing string
	// Status is that of HTTP; Codes are the specification's, such as DENIED.
	Status int
	Codes  []string
	// Hint is the way out, if there is one.
	Hint string
}

// Is says that a refusal with 404 is an fs.ErrNotExist: the registry does not have it.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && e.Status == http.StatusNotFound
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.Doing, e.Status, strings.ToLower(http.StatusText(e.Status)))
	if len(e.Codes) > 0 {
		text += " (" + strings.Join(e.Codes, ", ") + ")"
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// codes are those of the specification, and UNAVAILABLE of distribution. Whatever
// else stands in a code's place may be anything.
var codes = []transport.ErrorCode{
	transport.BlobUnknownErrorCode, transport.BlobUploadInvalidErrorCode, transport.BlobUploadUnknownErrorCode,
	transport.DigestInvalidErrorCode, transport.ManifestBlobUnknownErrorCode, transport.ManifestInvalidErrorCode,
	transport.ManifestUnknownErrorCode, transport.ManifestUnverifiedErrorCode, transport.NameInvalidErrorCode,
	transport.NameUnknownErrorCode, transport.SizeInvalidErrorCode, transport.TagInvalidErrorCode,
	transport.UnauthorizedErrorCode, transport.DeniedErrorCode, transport.UnsupportedErrorCode,
	transport.TooManyRequestsErrorCode, transport.UnknownErrorCode, transport.UnavailableErrorCode,
}

// problem is an error in our own words, which is safe to show.
type problem struct{ text string }

func (p *problem) Error() string { return p.text }

func problemf(format string, args ...any) error { return &problem{fmt.Sprintf(format, args...)} }

// errLost is the cause where a registry answered that it has taken something.
var errLost = problemf("the registry took it, and does not have it afterwards")

// hinted is a refusal to which we know the way out.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// ErrNoImage is the cause where a registry does not have a manifest.
var ErrNoImage = problemf("there is no such image")

// Unreadable says whether an error is of what the registry has: it is broken, too large or
// no image, and will be that the next time. Other errors may pass.
func Unreadable(err error) bool { return errors.As(err, new(*problem)) }

// explain says what failed, on what, and what to do, and leaves out what a registry
// wrote. what is a tag or a digest of the repository, or nothing.
func (r *Repository) explain(ctx context.Context, verb, what string, err error) error {
	if err == nil {
		return nil
	}
	doing := verb + " " + r.label
	switch {
	case strings.HasPrefix(what, "sha256:"):
		doing += "@" + what
	case what != "":
		doing += ":" + what
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	// A loopback registry is asked over plain HTTP too, and a TLS server refuses that:
	// the certificate is what the user must know of.
	certificate := new(tls.CertificateVerificationError)
	if answer := new(transport.Error); errors.As(err, &answer) && !errors.As(err, &certificate) {
		e := r.refusal(doing, answer)
		if known := new(hinted); errors.As(err, &known) {
			e.Hint = known.hint
		}
		return e
	}
	return fmt.Errorf("%s: %w", doing, r.cause(err))
}

func (r *Repository) refusal(doing string, answer *transport.Error) *Error {
	e := &Error{Doing: doing, Status: answer.StatusCode}
	for _, d := range answer.Errors {
		if slices.Contains(codes, d.Code) && !slices.Contains(e.Codes, string(d.Code)) {
			e.Codes = append(e.Codes, string(d.Code))
		}
	}
	slices.Sort(e.Codes)
	has := func(code transport.ErrorCode) bool { return slices.Contains(e.Codes, string(code)) }
	mediaType := ""
	if answer.Request != nil && answer.Request.Method == http.MethodPut && strings.Contains(answer.Request.URL.Path, "/manifests/") {
		mediaType = answer.Request.Header.Get("Content-Type")
	}
	switch {
	case isImmutable(answer):
		e.Hint = immutableHint(tagOf(answer.Request))
	case e.Status == http.StatusUnauthorized:
		e.Codes = nil // it says the same
		e.Hint = strings.Join(append(slices.Clone(r.missing), fmt.Sprintf("log in with \"docker login %s\"", r.host())), "; ")
	case e.Status == http.StatusForbidden:
		e.Codes = nil
		e.Hint = "the credentials for " + r.host() + " may not do this; ask for the right, or log in as somebody who has it"
	case has(transport.NameUnknownErrorCode):
		e.Hint = "create the repository first"
	case mediaType != "" && lacksNamed(answer):
		e.Hint = "the registry does not have all that it has taken; run it again"
	case mediaType != "" && (e.Status == http.StatusUnsupportedMediaType || has(transport.ManifestInvalidErrorCode) || has(transport.UnsupportedErrorCode)):
		e.Hint = "the registry refuses the media type " + mediaType
	case e.Status == http.StatusMethodNotAllowed:
		e.Hint = "the registry is read-only"
	case e.Status == http.StatusRequestEntityTooLarge:
		e.Hint = "a limit of the registry, or of a proxy before it"
	case slices.Contains(outages, e.Status):
		e.Hint = "an outage of the registry; run it again later, and it goes on from here"
	}
	return e
}

// cause is the part of an error that is known to hold nothing of an answer.
func (r *Repository) cause(err error) error {
	if known := new(problem); errors.As(err, &known) {
		return known
	}
	if errors.Is(err, errPlain) {
		return errPlain
	}
	if refused := new(offline.Error); errors.As(err, &refused) {
		return refused
	}
	unknownCA, wrongHost, badCert, header := x509.UnknownAuthorityError{}, x509.HostnameError{}, x509.CertificateInvalidError{}, tls.RecordHeaderError{}
	switch {
	case errors.As(err, &unknownCA):
		return fmt.Errorf("%w; name the registry's certificate authority in Config.Release.RegistryCAs", unknownCA)
	case errors.As(err, &wrongHost):
		return wrongHost
	case errors.As(err, &badCert):
		return badCert
	case errors.As(err, &header):
		return fmt.Errorf("the registry speaks plain HTTP; allow it with Config.Release.Insecure")
	}
	if file := new(fs.PathError); errors.As(err, &file) {
		return file
	}
	name := new(net.DNSError)
	if errors.As(err, &name) {
		return fmt.Errorf("%w; check the registry's name, the network and the proxy", name)
	}
	if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() {
		return errors.New("the registry did not answer in time; check the network and the proxy, and run it again")
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
		err = inner.Err // the URL may hold a signature
	}
	// Go-containerregistry begins with its own words; an answer's come later, quoted,
	// after a colon or on the next line.
	text := err.Error()
	if end := strings.IndexAny(text, ":\"'`\n{[=<"); end >= 0 {
		text = text[:end]
	}
	if text = strings.TrimSpace(text); text == "" {
		text = "the answer of " + r.host() + " makes no sense"
	}
	return errors.New(text)
}

// Plain leaves out of an error what a registry wrote in its answer, for functions of
// go-containerregistry that were called with [Repository.RemoteOptions].
func Plain(err error) error {
	if answer := new(transport.Error); errors.As(err, &answer) {
		return fmt.Errorf("the registry answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return err
}
