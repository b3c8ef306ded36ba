package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/singleflight"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/offline"
)

const (
	attempts = 5               // requests for a file, unless the mirror says that it does not exist
	stall    = 1 * time.Minute // time without a byte that ends an attempt
)

// pause is the time before the second attempt; it doubles with each.
var pause = 500 * time.Millisecond

// wanted is a file with a known hash.
type wanted struct {
	urls   []string // tried in order; the next one if a URL has no such file
	size   int64
	sha256 string
}

// permanent is an error that a retry would not change.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

var (
	// errGone says that the mirror has no such file.
	errGone = errors.New("the mirror does not have it")
	// errDiffers says that the mirror has a different file.
	errDiffers = errors.New("the mirror has a different file")
)

// kept says whether the complete file is in the cache, and records the time of use. It removes an
// incomplete file.
func (m Mirror) kept(ctx context.Context, w wanted) (bool, error) {
	name := filepath.Join(m.Cache, w.sha256)
	size, sum, err := hashFile(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if size == w.size && sum == w.sha256 {
		touch(name)
		return true, nil
	}
	return false, remove(name)
}

// fetch puts the file into the cache, unless it is there. The caller holds the cache's lock;
// flight makes sure that two of its goroutines do not fetch the same file, such as a list that
// two architectures share.
func (m Mirror) fetch(ctx context.Context, flight *singleflight.Group, w wanted) error {
	_, err, _ := flight.Do(w.sha256, func() (any, error) {
		kept, err := m.kept(ctx, w)
		if err != nil || kept {
			return nil, err
		}
		return nil, m.download(ctx, w)
	})
	return err
}

func (m Mirror) download(ctx context.Context, w wanted) error {
	var err error
	for _, url := range w.urls {
		if err = m.downloadFrom(ctx, url, w); !errors.Is(err, errGone) {
			return err
		}
	}
	return err
}

func (m Mirror) downloadFrom(ctx context.Context, url string, w wanted) error {
	partial := filepath.Join(m.Cache, w.sha256+".partial")
	var err error
	for try := range attempts {
		if err := waitBefore(ctx, try); err != nil {
			return err
		}
		if err = m.attempt(ctx, url, partial, w); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var p permanent
		if errors.As(err, &p) {
			break
		}
	}
	return fmt.Errorf("fetch %s: %w", redact(url), err)
}

// waitBefore waits before every attempt but the first.
func waitBefore(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause << (try - 1)):
		return nil
	}
}

// attempt requests the missing bytes of partial, and moves it to its place when it is complete
// and has the right hash.
func (m Mirror) attempt(ctx context.Context, url, partial string, w wanted) (err error) {
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return permanent{err}
	}
	have, err := f.Seek(0, io.SeekEnd)
	continued, run := have > 0, ctx // ends later than the context of the request
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = m.place(run, partial, w, continued)
		}
	}()
	if err != nil {
		return permanent{err}
	}
	if have > w.size {
		if have, err = restart(f); err != nil {
			return err
		}
	}
	if have == w.size && have > 0 {
		return nil // complete; its hash decides
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return permanent{err}
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := m.client().Do(request)
	if err != nil {
		return connectError(err)
	}
	defer response.Body.Close() // only read from
	switch {
	case response.StatusCode == http.StatusPartialContent && startsAt(response, have):
	case response.StatusCode == http.StatusOK:
		if response.ContentLength >= 0 && response.ContentLength != w.size {
			return permanent{fmt.Errorf("%w: it has %d bytes instead of %d", errDiffers,
				response.ContentLength, w.size)}
		}
		if have, err = restart(f); err != nil {
			return err
		}
	case response.StatusCode == http.StatusPartialContent,
		response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if _, err := restart(f); err != nil {
			return err
		}
		return fmt.Errorf("the mirror answers %s, not the requested part of the file", response.Status)
	default:
		return statusError(response)
	}
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("no data arrived for %s", stall)) })
	defer watch.Stop()
	n, err := io.Copy(f, io.LimitReader(&watched{response.Body, watch}, w.size-have+1))
	switch have += n; {
	case have > w.size:
		_, err := restart(f)
		return permanent{errors.Join(fmt.Errorf("%w: it has more than the expected %d bytes",
			errDiffers, w.size), err)}
	case err != nil:
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("the mirror sent %d of %d bytes: %w", have, w.size, err)
	case have < w.size:
		return fmt.Errorf("the mirror sent %d of %d bytes; the next run continues there", have, w.size)
	}
	return nil
}

// place checks the hash of a complete file and renames it. A wrong file is removed; if it was
// only continued, the next attempt begins from the start.
func (m Mirror) place(ctx context.Context, partial string, w wanted, continued bool) error {
	_, sum, err := hashFile(ctx, partial)
	if err != nil {
		return permanent{err}
	}
	if sum != w.sha256 {
		err := errors.Join(fmt.Errorf("%w: its SHA-256 is %s instead of %s", errDiffers, sum, w.sha256),
			remove(partial))
		if continued {
			return err
		}
		return permanent{err}
	}
	if err := os.Rename(partial, filepath.Join(m.Cache, w.sha256)); err != nil {
		return permanent{err}
	}
	return nil
}

// read returns the content at a URL, at most limit bytes, and the URL after redirects.
func (m Mirror) read(ctx context.Context, url string, limit int64) (content []byte, from string, err error) {
	for try := range attempts {
		if err := waitBefore(ctx, try); err != nil {
			return nil, "", err
		}
		content, from, err = m.readOnce(ctx, url, limit)
		var p permanent
		if err == nil || ctx.Err() != nil || errors.As(err, &p) {
			break
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("fetch %s: %w", redact(url), err)
	}
	return content, from, nil
}

func (m Mirror) readOnce(ctx context.Context, url string, limit int64) ([]byte, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stall, fmt.Errorf("it did not arrive within %s", stall))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", permanent{err}
	}
	response, err := m.client().Do(request)
	if err != nil {
		return nil, "", connectError(err)
	}
	defer response.Body.Close() // only read from
	if response.StatusCode != http.StatusOK {
		return nil, "", statusError(response)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, "", err
	}
	if int64(len(content)) > limit {
		return nil, "", permanent{fmt.Errorf("it is larger than %d bytes", limit)}
	}
	return content, response.Request.URL.String(), nil
}

// locked runs f while no other run writes into the cache.
func (m Mirror) locked(ctx context.Context, f func() error) (err error) {
	if m.Cache == "" {
		return errors.New("open the cache of Debian's packages: no folder is given")
	}
	if err := os.MkdirAll(m.Cache, 0o755); err != nil {
		return fmt.Errorf("open the cache of Debian's packages: %w", err)
	}
	lock := flock.New(filepath.Join(m.Cache, "lock"))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return f()
}

func (m Mirror) client() *http.Client {
	if m.Client == nil {
		return http.DefaultClient
	}
	return m.Client
}

// connectError returns the cause of a request that got no answer. Retries do not help if
// connections to the host are forbidden, or if its name is unknown.
func connectError(err error) error {
	err = unwrapURL(err)
	if errors.Is(err, offline.ErrOffline) {
		return permanent{err}
	}
	if !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w; check the network and the proxy, or set another mirror in Config.Debian.Mirror",
			err)
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return permanent{err}
	}
	return err
}

func statusError(r *http.Response) error {
	switch {
	case r.StatusCode == http.StatusNotFound, r.StatusCode == http.StatusGone:
		return permanent{errGone}
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusRequestTimeout,
		r.StatusCode >= 500:
		return fmt.Errorf("the mirror answers %s", r.Status)
	}
	return permanent{fmt.Errorf("the mirror answers %s", r.Status)}
}

// startsAt says whether a partial answer begins at the requested offset.
func startsAt(r *http.Response, offset int64) bool {
	rest, ok := strings.CutPrefix(r.Header.Get("Content-Range"), "bytes ")
	from, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(from, 10, 64)
	return ok && err == nil && n == offset && offset > 0
}

func restart(f *os.File) (int64, error) {
	if err := f.Truncate(0); err != nil {
		return 0, permanent{err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, permanent{err}
	}
	return 0, nil
}

// watched extends the time of an attempt with every byte that arrives.
type watched struct {
	r     io.Reader
	watch *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.watch.Reset(stall)
	}
	return n, err
}

// touch records the use of a file, once a day, for the trimming of the cache.
func touch(name string) {
	now := time.Now()
	if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(name, now, now) // without it, the file may be removed too early
	}
}

func hashFile(ctx context.Context, name string) (int64, string, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() // only read from
	h := sha256.New()
	n, err := io.Copy(h, limit.Reader(ctx, f))
	return n, hex.EncodeToString(h.Sum(nil)), err
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
