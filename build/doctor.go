package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/doctor"
	"github.com/thimble-build/thimble/build/report"
)

// Doctor checks everything that the targets use: Go, git, the module, the container engine, the
// registries, the signing key or identity, clock, caches, disk and memory. A feature that is not
// configured is not a failure. The only errors are that of ctx and, if Config.Release names a key or
// an identity, ErrNotLinked; everything else is a finding.
//
// It writes a file in each cache folder, which it removes. In each repository of a release it
// starts an upload that it cancels, and puts an index whose only manifest does not exist. If the
// registry accepts that index, Doctor asks it to delete the index.
func Doctor(ctx context.Context, o Options) (*report.Diagnosis, error) {
	s, err := o.session(ctx)
	if err != nil {
		return &report.Diagnosis{Findings: []report.Finding{{Check: "settings", State: report.Problem,
			Detail: err.Error()}}}, nil
	}
	found, err := doctor.Examine(ctx, s)
	if err != nil {
		return nil, err
	}
	return &report.Diagnosis{Findings: found}, nil
}
