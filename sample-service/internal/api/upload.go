package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/thimble-build/thimble/sample-service/internal/spool"
)

type uploadResponse struct {
	Bytes       int64  `json:"bytes"`
	SHA256      string `json:"sha256"`
	ContentType string `json:"content_type"` // as the content says, not the client
}

// upload spools the body, whatever its type, and describes it once it is whole.
func (a *API) upload(w http.ResponseWriter, r *http.Request) error {
	file, err := spool.New(http.MaxBytesReader(w, r.Body, a.uploadMax))
	if err != nil {
		return uploadProblem(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			a.log.WarnContext(r.Context(), "close spooled upload", "error", err)
		}
	}()

	head := make([]byte, 512)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read spooled upload: %w", err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("hash spooled upload: %w", err)
	}
	a.metrics.Processed("upload", file.Size)
	return writeJSON(w, http.StatusOK, uploadResponse{
		Bytes:       file.Size,
		SHA256:      hex.EncodeToString(hash.Sum(nil)),
		ContentType: http.DetectContentType(head[:n]),
	})
}

func uploadProblem(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem(http.StatusRequestEntityTooLarge, "more than %d bytes", tooLarge.Limit)
	}
	// An error that names a path is of our own disk; any other is of the body.
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return problem(http.StatusInternalServerError, "%v", err)
	}
	return problem(http.StatusBadRequest, "the body ended early: %v", err)
}
