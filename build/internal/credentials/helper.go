package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
)

// helperLimit is the maximum time for a helper: it may ask a user to unlock a key ring.
const helperLimit = 2 * time.Minute

// ask runs the credential helper docker-credential-<name> for a registry's login; nil if it has
// none. missing is the program's name if it is not installed.
func ask(ctx context.Context, name, host string) (found *authn.AuthConfig, missing string, err error) {
	program := "docker-credential-" + name
	if strings.ContainsAny(name, `/\`) {
		return nil, "", fmt.Errorf("%q is not the name of a credential helper", name)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, program, nil
	}
	server := host
	if host == dockerHub {
		server = authn.DefaultAuthKey
	}
	limited, cancel := context.WithTimeoutCause(ctx, helperLimit,
		fmt.Errorf("it did not answer within %s", helperLimit))
	defer cancel()
	run := &helperProgram{}
	got, err := client.Get(func(args ...string) client.Program {
		run.Cmd = exec.CommandContext(limited, path, args...)
		run.WaitDelay = time.Second
		return run
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err) || credentials.IsCredentialsMissingServerURL(err):
		return nil, "", nil
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	case limited.Err() != nil:
		err = context.Cause(limited)
	case run.err != nil:
		err = run.err // without any of its output
	case err != nil:
		err = errors.New("its answer is not valid")
	}
	if err != nil {
		return nil, "", fmt.Errorf("the credential helper %s: %w", program, err)
	}
	if got.Username == "<token>" {
		return &authn.AuthConfig{Username: got.Username, IdentityToken: got.Secret}, "", nil
	}
	if got.Username == "" && got.Secret == "" {
		return nil, "", nil
	}
	return &authn.AuthConfig{Username: got.Username, Password: got.Secret}, "", nil
}

// helperProgram is a helper's process. Its standard error may contain a secret, and is never
// shown.
type helperProgram struct {
	*exec.Cmd
	err error
}

func (p *helperProgram) Input(in io.Reader) { p.Stdin = in }

func (p *helperProgram) Output() (out []byte, err error) {
	out, p.err = p.Cmd.Output()
	return out, p.err
}
