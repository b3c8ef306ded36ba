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

// Error is a registry's refusal. Of the answer's body it contains only the codes that the OCI
// distribution-spec defines.
type Error struct {
	// Doing says what was done, and with what: "push ghcr.io/acme/api".
	Doing string
	// Status is the HTTP status. Codes are those of the specification, such as DENIED.
	Status int
	Codes  []string
	// Hint says how to fix it, if that is known.
	Hint string
}

// Is makes a refusal with 404 an fs.ErrNotExist: the registry does not have it.
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

// codes are those of the specification, plus UNAVAILABLE of distribution. Any other code could
// be arbitrary text.
var codes = []transport.ErrorCode{
	transport.BlobUnknownErrorCode, transport.BlobUploadInvalidErrorCode,
	transport.BlobUploadUnknownErrorCode,
	transport.DigestInvalidErrorCode, transport.ManifestBlobUnknownErrorCode,
	transport.ManifestInvalidErrorCode,
	transport.ManifestUnknownErrorCode, transport.ManifestUnverifiedErrorCode, transport.NameInvalidErrorCode,
	transport.NameUnknownErrorCode, transport.SizeInvalidErrorCode, transport.TagInvalidErrorCode,
	transport.UnauthorizedErrorCode, transport.DeniedErrorCode, transport.UnsupportedErrorCode,
	transport.TooManyRequestsErrorCode, transport.UnknownErrorCode, transport.UnavailableErrorCode,
}

// problem is an error with only text of thimble, which is safe to show.
type problem struct{ text string }

func (p *problem) Error() string { return p.text }

// Problemf returns an error with only text of thimble and no text of a registry. It is shown
// unchanged.
func Problemf(format string, args ...any) error { return &problem{fmt.Sprintf(format, args...)} }

// ErrLost is the cause if a registry answered that it has accepted something but does not have
// it.
var ErrLost = Problemf("the registry accepted it, but does not have it afterwards")

// Hinted is a refusal with a known fix.
type Hinted struct {
	Err  error
	Hint string
}

func (h *Hinted) Error() string { return h.Err.Error() }

func (h *Hinted) Unwrap() error { return h.Err }

// ErrNoImage is the cause if a registry does not have a manifest.
var ErrNoImage = Problemf("there is no such image")

// Unreadable reports whether an error is about the registry's content: it is broken, too large
// or not an image, and will be the same next time. Other errors may be temporary.
func Unreadable(err error) bool { return errors.As(err, new(*problem)) }

// LacksNamed reports whether a registry refused a manifest because it lacks something that the
// manifest names.
func LacksNamed(err error) bool {
	refused := new(transport.Error)
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool {
		switch d.Code {
		case transport.ManifestUnknownErrorCode, transport.ManifestBlobUnknownErrorCode,
			transport.BlobUnknownErrorCode:
			return true
		}
		return false
	})
}

// Plain removes from an error the text of a registry's answer. It is for functions of
// go-containerregistry that were called with [Client.RemoteOptions].
func Plain(err error) error {
	if answer := new(transport.Error); errors.As(err, &answer) {
		return fmt.Errorf("the registry answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return err
}

var errPlain = errors.New("plain HTTP is allowed only for localhost; set Config.Release.Insecure")
