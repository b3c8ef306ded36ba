package signing

import (
	"errors"
	"os"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// WriteKeyPair makes a key pair in cosign's format, encrypted with the password, in two new files.
func WriteKeyPair(private, public string, password []byte) error {
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
