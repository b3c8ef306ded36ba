package targets

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// password asks for the password of a key, without echo.
func password() ([]byte, error) { return ask("password of the key: ") }

// newPassword asks twice.
func newPassword() ([]byte, error) {
	first, err := ask("password for the new key: ")
	if err != nil {
		return nil, err
	}
	second, err := ask("repeat it: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, errors.New("the two passwords differ; no key was made")
	}
	return first, nil
}

func ask(prompt string) ([]byte, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return nil, errors.New("there is no terminal to ask for the key's password; set COSIGN_PASSWORD")
	}
	if _, err := fmt.Fprint(os.Stderr, prompt); err != nil {
		return nil, err
	}
	b, err := term.ReadPassword(in)
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	return b, nil
}
