package signprogram

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/thimble-build/thimble/build/internal/process"
)

// Count counts the packages that the go command compiles.
type Count struct {
	done, all atomic.Int64
	// first is called before the first one is counted.
	first func()
}

// String returns the count as text, such as "12 of 340 packages".
func (c *Count) String() string {
	done, all := c.done.Load(), c.all.Load()
	if all < done {
		return fmt.Sprintf("%d packages", done)
	}
	return fmt.Sprintf("%d of %d packages", done, all)
}

// listing counts the lines that a command prints, while the compiler runs. The returned function
// ends it.
func (c *Count) listing(ctx context.Context, list process.Command) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		if out, err := process.Output(ctx, list); err == nil { // it only shows progress
			c.all.Store(int64(bytes.Count(out, []byte("\n"))))
		}
	})
	return func() {
		cancel()
		wait.Wait()
	}
}

// packageLine is what "go build -v" prints when it compiles a package.
var packageLine = regexp.MustCompile(`^[\w.~/+-]+$`)

// reading returns a writer that counts the compiled packages, and writes every other line to w.
func (c *Count) reading(w io.Writer) io.Writer { return &lines{count: c, w: w} }

type lines struct {
	count *Count
	w     io.Writer
	rest  []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := l.rest[:i]
		l.rest = l.rest[i+1:]
		if packageLine.Match(line) {
			if l.count.done.Add(1) == 1 {
				l.count.first()
			}
		} else if _, err := fmt.Fprintf(l.w, "%s\n", line); err != nil {
			return 0, err
		}
	}
}
