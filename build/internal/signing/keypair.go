package signing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/session"
)

// NewKeyPair makes a key pair in cosign's format, encrypted with the password, in two new files:
// prefix.key and prefix.pub, which must not exist yet. It returns the two paths.
func NewKeyPair(s *session.Session, prefix string) (private, public string, err error) {
	private, public = prefix+".key", prefix+".pub"
	for _, file := range []string{private, public} {
		if _, err := os.Lstat(s.Path(file)); err == nil {
			return "", "", fmt.Errorf("make a key pair: %s already exists and is never overwritten; "+
				"move it, or choose another name with -name", file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("make a key pair: %w", err)
		}
	}
	password, err := s.Password()
	if err != nil {
		return "", "", err
	}
	if err := writeKeyPair(s.Path(private), s.Path(public), password); err != nil {
		return "", "", fmt.Errorf("make a key pair: %w", err)
	}
	return private, public, nil
}

func writeKeyPair(private, public string, password []byte) error {
	key, pub, err := attest.GenerateKey(password)
	if err != nil {
		return err
	}
	if err := create(private, key); err != nil {
		return err
	}
	if err := create(public, pub); err != nil {
		return errors.Join(err, os.Remove(private))
	}
	return nil
}

// create writes a new file that only this user may read. It fails if the path exists, so nobody
// can place a file or link there first.
func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
