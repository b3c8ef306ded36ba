package targets

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/report"
)

// Doctor says what this machine and this repository lack, and how to fix it
func Doctor(ctx context.Context,
	json *bool, // prints the findings for programs
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"doctor", json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		end := s.progress.Start("look at this machine")
		d, err := build.Doctor(ctx, s.options)
		end("", err)
		if err != nil {
			return err
		}
		s.progress.Close()
		if err := s.diagnosis(os.Stdout, d); err != nil {
			return err
		}
		if n := d.Failed(); n > 0 {
			return fmt.Errorf("doctor: %d of %d checks failed", n, len(d.Findings))
		}
		return nil
	})
}

// diagnosis prints the findings, each fix on a separate line.
func (s *session) diagnosis(out io.Writer, d *report.Diagnosis) error {
	if s.json {
		b, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		_, err = out.Write(append(b, '\n'))
		return err
	}
	w := bufio.NewWriter(out)
	for _, f := range d.Findings {
		plaintext.Fprintf(w, "%-6s  %-10s  %s\n", f.State, f.Check, f.Detail)
		if f.Fix != "" {
			plaintext.Fprintf(w, "        %-10s  fix: %s\n", "", f.Fix)
		}
	}
	return w.Flush()
}
