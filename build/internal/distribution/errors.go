package distribution

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
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

// Problemf is an error in our own words, which holds nothing that a registry wrote: it is shown
// as it is.
func Problemf(format string, args ...any) error { return &problem{fmt.Sprintf(format, args...)} }

// ErrLost is the cause where a registry answered that it has taken something.
var ErrLost = Problemf("the registry took it, and does not have it afterwards")

// Hinted is a refusal to which we know the way out.
type Hinted struct {
	Err  error
	Hint string
}

func (h *Hinted) Error() string { return h.Err.Error() }

func (h *Hinted) Unwrap() error { return h.Err }

// ErrNoImage is the cause where a registry does not have a manifest.
var ErrNoImage = Problemf("there is no such image")

// Unreadable says whether an error is of what the registry has: it is broken, too large or
// no image, and will be that the next time. Other errors may pass.
func Unreadable(err error) bool { return errors.As(err, new(*problem)) }

// LacksNamed says whether a registry refused a manifest because it does not have what
// the manifest names.
func LacksNamed(err error) bool {
	refused := new(transport.Error)
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool {
		switch d.Code {
		case transport.ManifestUnknownErrorCode, transport.ManifestBlobUnknownErrorCode, transport.BlobUnknownErrorCode:
			return true
		}
		return false
	})
}

// Plain leaves out of an error what a registry wrote in its answer, for functions of
// go-containerregistry that were called with [Client.RemoteOptions].
func Plain(err error) error {
	if answer := new(transport.Error); errors.As(err, &answer) {
		return fmt.Errorf("the registry answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return err
}

var errPlain = errors.New("plain HTTP is allowed only for localhost; set Config.Release.Insecure")
