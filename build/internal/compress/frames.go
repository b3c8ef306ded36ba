package compress

import (
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// zstdFrame is how much of the content is in one frame (RFC 8878, 3.1), and part of the
// format. Frames know nothing of each other, so that they can be compressed at once, as
// gzip's blocks are; a stream of one frame would be 0.6 % smaller.
const zstdFrame = 2 << 20

// zstdFrames bounds how many frames are under way, and with it the memory: each takes about
// seven MiB.
const zstdFrames = 4

// frames is a writer of zstd frames, in their order.
type frames struct {
	encoder *zstd.Encoder
	current *frame
	idle    chan *frame // all frames that nobody uses
	queue   chan *frame // full ones, in order
	written chan error  // the outcome, once the queue is closed and empty
	some    bool
}

type frame struct {
	content, compressed []byte
	ready               chan struct{}
}

func newFrames(w io.Writer) (*frames, error) {
	n := min(runtime.GOMAXPROCS(0)+1, zstdFrames)
	// No checksum: a layer's digest is one, and a better.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(n), zstd.WithWindowSize(zstdFrame), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	f := &frames{encoder: encoder, idle: make(chan *frame, n), queue: make(chan *frame, n), written: make(chan error, 1)}
	for range n {
		f.idle <- &frame{ready: make(chan struct{}, 1)}
	}
	f.current = <-f.idle
	go func() {
		var err error
		for next := range f.queue {
			<-next.ready
			if err == nil { // else there is nobody to write for
				_, err = w.Write(next.compressed)
			}
			next.content = next.content[:0]
			f.idle <- next
		}
		f.written <- err
	}()
	return f, nil
}

func (f *frames) Write(p []byte) (n int, err error) {
	n = len(p)
	for len(p) > 0 {
		if f.current.content == nil {
			f.current.content = make([]byte, 0, zstdFrame)
		}
		part := p[:min(len(p), zstdFrame-len(f.current.content))]
		f.current.content = append(f.current.content, part...)
		p = p[len(part):]
		if len(f.current.content) == zstdFrame {
			f.compress()
			f.current = <-f.idle
		}
	}
	return n, nil
}

// compress has the current frame compressed, and written when its turn comes.
func (f *frames) compress() {
	f.some = true
	next := f.current
	f.queue <- next
	go func() {
		next.compressed = f.encoder.EncodeAll(next.content, next.compressed[:0])
		next.ready <- struct{}{}
	}()
}

// Close writes what is left, and returns the first error of the writer below.
func (f *frames) Close() error {
	if len(f.current.content) > 0 || !f.some {
		f.compress()
	}
	close(f.queue)
	return <-f.written
}
