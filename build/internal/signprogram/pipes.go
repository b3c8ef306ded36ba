package signprogram

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
)

// pipes are the pipes between two processes. err is the first error.
type pipes struct {
	err     error
	open    []*os.File
	writers sync.WaitGroup
}

type pipe struct{ r, w *os.File }

func (p *pipes) from() pipe {
	r, w, err := os.Pipe()
	if err != nil {
		p.err = errors.Join(p.err, err)
		return pipe{}
	}
	p.open = append(p.open, r, w)
	return pipe{r, w}
}

// to returns a pipe to read the content from.
func (p *pipes) to(content []byte) *os.File {
	both := p.from()
	if both.w != nil {
		p.writers.Go(func() {
			_, _ = both.w.Write(content) // if nobody reads it, the other process has failed
			_ = both.w.Close()
		})
	}
	return both.r
}

// started closes what the other process has now.
func (p *pipes) started(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// close ends all pipes.
func (p *pipes) close() error {
	for _, f := range p.open {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			p.err = errors.Join(p.err, err)
		}
	}
	p.writers.Wait()
	return p.err
}

// inheritedFile opens a descriptor that the parent process named.
func inheritedFile(number string) (*os.File, error) {
	fd, err := strconv.ParseUint(number, 10, 32)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s names %q, which is not a descriptor; unset it", Variable, number)
	}
	keep(uintptr(fd))
	return os.NewFile(uintptr(fd), "the pipe of "+Variable), nil
}
