package attest

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Anybody may attach documents to an image. So only a few documents are in memory at once, and
// only what an expected signer has signed is kept.
const (
	// maxBundle is the largest bundle, and layer of a .sig or .att image, that is read, in
	// bytes: a service's SBOM has a few hundred KiB.
	maxBundle = 16 << 20
	// maxInFlight limits the documents that are read at once, in bytes.
	maxInFlight = 32 << 20
	// maxParts limits the lists and objects in the JSON of a bundle or an envelope, whose
	// payload is one string. Otherwise a small document could contain millions of empty
	// entries.
	maxParts = 10_000
	// maxSubjects limits the subjects of a statement, maxReason the characters of the reason
	// why a document does not count.
	maxSubjects, maxReason = 1000, 300
)

// look is one document to read; at reads it.
type look struct {
	size int64
	at   func() *finding
}

// flight limits what is read at once.
type flight struct{ bytes *semaphore.Weighted }

func newFlight() flight { return flight{semaphore.NewWeighted(maxInFlight)} }

// look reads all documents, in any order, and returns the findings in the order of looks. It
// omits duplicates: the same content by the same signer as an earlier one.
func (f flight) look(ctx context.Context, looks []look) []*finding {
	out := make([]*finding, len(looks))
	seen := known{first: map[said]int{}}
	var g errgroup.Group
	g.SetLimit(8)
	for i, l := range looks {
		g.Go(func() error {
			size := min(max(l.size, 0), maxBundle) + 1
			if err := f.bytes.Acquire(ctx, size); err != nil {
				out[i] = &finding{damaged: context.Cause(ctx)}
				return nil
			}
			defer f.bytes.Release(size)
			found := l.at()
			found.forget()
			seen.add(out, i, found)
			return nil
		})
	}
	_ = g.Wait() // never fails: a finding contains the error
	kept := out[:0]
	for _, found := range out {
		if found != nil {
			kept = append(kept, found)
		}
	}
	return kept
}

// forget drops the content of a document that does not count: it may be large, and there may be
// many.
func (f *finding) forget() {
	for _, err := range []*error{&f.damaged, &f.foreign, &f.misplaced} {
		if *err == nil {
			continue
		}
		if text := oneLine(*err); len(text) > maxReason {
			*err = errors.New(strings.ToValidUTF8(text[:maxReason], "") + "…")
		}
	}
	if f.ok() {
		return
	}
	f.bundle = nil
	if f.statement != nil {
		f.statement = &inToto{PredicateType: f.statement.PredicateType[:min(len(f.statement.PredicateType),
			maxReason)]}
	}
}

// said identifies equal findings.
type said struct {
	form                  Form
	signer, predicateType string
	predicate             [sha256.Size]byte
}

// known are the findings that count, without duplicates.
type known struct {
	mu    sync.Mutex
	first map[said]int
}

// add stores a finding at its index, unless an equal one exists; the first in order is kept.
func (k *known) add(out []*finding, i int, f *finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !f.ok() {
		out[i] = f
		return
	}
	key := said{f.form, f.signer, f.statement.PredicateType, sha256.Sum256(f.statement.Predicate)}
	at, there := k.first[key]
	switch {
	case !there:
	case at < i:
		return
	default:
		out[at] = nil
	}
	k.first[key], out[i] = i, f
}

// sizeOf returns the size of the only layer of a referrer, from its manifest.
func sizeOf(img v1.Image) int64 {
	m, err := img.Manifest()
	if err != nil || len(m.Layers) != 1 {
		return 0
	}
	return m.Layers[0].Size
}
