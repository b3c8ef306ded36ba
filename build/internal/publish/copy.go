package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

var errCorrupt = errors.New("the content does not match the digest")

// copyVerified copies content and checks its SHA-256, in hex.
func copyVerified(ctx context.Context, to io.Writer, from io.Reader, want string) error {
	sum := sha256.New()
	if err := copyChunks(ctx, io.MultiWriter(to, sum), from); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: sha256 is %s", errCorrupt, got)
	}
	return nil
}

// chunk is how many bytes are copied or compared between two checks of the context.
const chunk = 1 << 20

func copyChunks(ctx context.Context, to io.Writer, from io.Reader) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, chunk); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
