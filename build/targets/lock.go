package targets

import (
	"encoding/json"
	"os"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// locked prints what changed in the lock, as a diff or as JSON.
func (s *session) locked(l *build.LockResult) error {
	s.progress.Close()
	if s.json {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(l)
	}
	if len(l.Changes) == 0 {
		_, err := plaintext.Fprintf(os.Stdout, "%s is up to date\n", l.File)
		return err
	}
	for _, c := range l.Changes {
		if _, err := plaintext.Fprintf(os.Stdout, "%s\n", c); err != nil {
			return err
		}
	}
	_, err := plaintext.Fprintf(os.Stdout, "\n%s has changed; commit it\n", l.File)
	return err
}
