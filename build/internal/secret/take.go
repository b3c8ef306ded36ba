package secret

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variable names the file descriptor of the pipe through which a process gets its secrets.
const Variable = "THIMBLE_SECRETS"

// Take removes the secrets from the environment of this process, and returns them. The
// environment that the system shows to other processes still has them, so this process executes
// itself again without them: it stays the same process, with the same terminal and arguments, and
// gets them back through a pipe. Windows has no such call; there, removing them is enough.
//
// Call it before anything else starts a process or reads the environment.
func Take() ([]string, error) {
	secrets, err := take()
	if err != nil {
		return nil, fmt.Errorf("hide the secrets of the environment from other processes: %w", err)
	}
	return secrets, nil
}

func take() ([]string, error) {
	if text, ok := os.LookupEnv(Variable); ok {
		if err := os.Unsetenv(Variable); err != nil {
			return nil, err
		}
		secrets, err := receive(text)
		if err != nil {
			return nil, err
		}
		return secrets, protect()
	}
	open, secrets := Split(os.Environ())
	if !slices.ContainsFunc(secrets, func(e string) bool { return !strings.HasSuffix(e, "=") }) {
		return nil, nil
	}
	if err := again(open, secrets); err != nil {
		return nil, err
	}
	for _, name := range Names(secrets) {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// most is the maximum size of secrets in a pipe, in bytes.
const most = 4 << 20

// receive reads the secrets from the pipe of a file descriptor, and closes it.
func receive(descriptor string) ([]string, error) {
	fd, err := strconv.ParseUint(descriptor, 10, 16)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s is %q, which is not a descriptor; unset it", Variable, descriptor)
	}
	f := os.NewFile(uintptr(fd), "the pipe of "+Variable)
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("descriptor %d of %s is not a pipe; unset it", fd, Variable)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, most))
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("%w; unset %s", err, Variable)
	}
	var secrets []string
	for e := range bytes.SplitSeq(text, []byte{0}) {
		if len(e) > 0 {
			secrets = append(secrets, string(e))
		}
	}
	return secrets, nil
}

// Message returns the content of the pipe: the variables, each followed by a zero byte, which no
// variable can contain.
func Message(secrets []string) []byte {
	return []byte(strings.Join(secrets, "\x00") + "\x00")
}

var signing = regexp.MustCompile(`^(THIMBLE_KEY|COSIGN_.*|SIGSTORE_.*|ACTIONS_ID_TOKEN_REQUEST_(TOKEN|URL))$`)

// Signs says whether a secret is for signing, so that only the kit needs it. Other secrets are
// also for libraries and helpers that read them directly: the clients of key management services,
// and the credential helpers of registries.
func Signs(name, value string) bool {
	return signing.MatchString(name) || secretKey.MatchString(value)
}
