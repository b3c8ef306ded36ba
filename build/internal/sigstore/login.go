package sigstore

import (
	"context"

	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// Login returns when ctx ends, although the library waits for the login until the code expires.
// The waiting goroutine then continues alone.
func (Library) Login(ctx context.Context, i attest.Interactive) (string, error) {
	var getter oauthflow.TokenGetter
	if i.Device {
		device := oauthflow.NewDeviceFlowTokenGetterForIssuer(i.Issuer)
		device.MessagePrinter = i.Prompt
		getter = device
	} else {
		getter = &oauthflow.InteractiveIDTokenGetter{HTMLPage: "<p>Logged in. This page can be closed.</p>",
			Output: promptWriter(i.Prompt)}
	}
	var token *oauthflow.OIDCIDToken
	done := make(chan error, 1)
	go func() {
		var err error
		token, err = oauthflow.OIDConnect(i.Issuer, i.ClientID, i.ClientSecret, i.RedirectURL, getter)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return "", err
		}
		return token.RawString, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

type promptWriter func(string)

func (p promptWriter) Write(b []byte) (int, error) {
	p(string(b))
	return len(b), nil
}
