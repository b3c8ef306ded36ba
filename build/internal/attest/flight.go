package attest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Anybody may attach documents to an image that is not theirs. So of all that are stored,
// a few are in memory at once, and what is kept is what somebody expected has signed.
const (
	// maxBundle is the largest stored bundle, and layer of a .sig or .att image, that is
	// read, in bytes: a service's SBOM has a few hundred KiB.
	maxBundle = 16 << 20
	// maxInFlight bounds the documents that are looked at at once, in bytes.
	maxInFlight = 32 << 20
	// maxParts bounds the lists and objects in the JSON of a bundle or an envelope, whose
	// payload is one string: of a small one, millions of empty entries could be made.
	maxParts = 10_000
	// maxSubjects bounds the subjects of a statement, maxReason the characters of what is
	// said of a document that does not count.
	maxSubjects, maxReason = 1000, 300
)

// look is one document to be looked at. It is read by it.
type look struct {
	size int64
	at   func() *finding
}

// flight is what is looked at at once.
type flight struct{ bytes *semaphore.Weighted }

func newFlight() flight { return flight{semaphore.NewWeighted(maxInFlight)} }

// look looks at all, in any order, and returns what was found, in theirs. What says the
// same by the same signer as one before it is left out.
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
	_ = g.Wait() // none fails: a finding says what is wrong
	kept := out[:0]
	for _, found := range out {
		if found != nil {
			kept = append(kept, found)
		}
	}
	return kept
}

// forget drops what a document says that does not count: it may be large, and there may
// be many of them.
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
		f.statement = &inToto{PredicateType: f.statement.PredicateType[:min(len(f.statement.PredicateType), maxReason)]}
	}
}

// said is what makes two findings the same.
type said struct {
	form                  Form
	signer, predicateType string
	predicate             [sha256.Size]byte
}

// known are the findings that count, each once.
type known struct {
	mu    sync.Mutex
	first map[said]int
}

// add puts a finding into its place, unless the same is there; the first in order stays.
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

// sizeOf is the size of the one layer of a referrer, as its manifest has it.
func sizeOf(img v1.Image) int64 {
	m, err := img.Manifest()
	if err != nil || len(m.Layers) != 1 {
		return 0
	}
	return m.Layers[0].Size
}

// fewParts refuses JSON of many small parts.
func fewParts(document []byte) error {
	if bytes.Count(document, []byte(",")) > maxParts || bytes.Count(document, []byte("{")) > maxParts || bytes.Count(document, []byte("[")) > maxParts {
		return fmt.Errorf("it has more than %d parts", maxParts)
	}
	return nil
}
