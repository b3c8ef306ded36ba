package distribution

import (
	"context"
	"io"
	"time"
)

// Pace is how slow a registry may be. The zero value means the defaults below.
type Pace struct {
	// Idle is how long no byte may be sent or received: one minute. An answer to GET and HEAD
	// must begin within this time.
	Idle time.Duration
	// Window is the time over which the speed is measured: one minute. Only time spent waiting
	// for the registry counts.
	Window time.Duration
	// Rate is the lowest speed, in bytes per second: 1 KiB/s.
	Rate int64
	// Answer is how long a registry may take to answer after it has received the body of a
	// request: five minutes, because it hashes a large blob first.
	Answer time.Duration
}

func (p Pace) orUsual() Pace {
	if p.Idle == 0 {
		p.Idle = time.Minute
	}
	if p.Window == 0 {
		p.Window = time.Minute
	}
	if p.Answer == 0 {
		p.Answer = 5 * time.Minute
	}
	if p.Rate == 0 {
		p.Rate = 1 << 10
	}
	return p
}

func (p Pace) idle() error { return Problemf("the registry sent and received nothing for %s", p.Idle) }

func (p Pace) slow() error {
	return Problemf("the registry was slower than %d bytes a second for %s", p.Rate, p.Window)
}

// meter ends a request whose body is transferred too slowly. It measures the time between wait
// and moved, and is used by one goroutine at a time.
type meter struct {
	pace   Pace
	end    context.CancelCauseFunc
	timer  *time.Timer
	began  time.Time
	waited time.Duration // in this window
	bytes  int64         // in this window
}

func newMeter(pace Pace, end context.CancelCauseFunc) *meter { return &meter{pace: pace, end: end} }

func (m *meter) minimum() int64 { return int64(m.pace.Window.Seconds() * float64(m.pace.Rate)) }

// wait starts the time in which we wait for the registry.
func (m *meter) wait() {
	m.began = time.Now()
	limit, err := m.pace.Idle, m.pace.idle()
	if left := m.pace.Window - m.waited; m.bytes < m.minimum() && left < limit {
		limit, err = left, m.pace.slow()
	}
	m.timer = time.AfterFunc(limit, func() { m.end(err) })
}

// moved ends that time: n bytes were transferred.
func (m *meter) moved(n int) {
	m.timer.Stop()
	m.waited += time.Since(m.began)
	m.bytes += int64(n)
	if m.waited < m.pace.Window {
		return
	}
	if m.bytes < m.minimum() {
		m.end(m.pace.slow())
	}
	m.waited, m.bytes = 0, 0
}

// received is the body of an answer.
type received struct {
	io.ReadCloser
	ctx   context.Context
	meter *meter
	left  int64 // bytes still to read; -1 for all
}

func (r *received) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if r.left > 0 {
		p = p[:min(int64(len(p)), r.left)]
	}
	r.meter.wait()
	n, err := r.ReadCloser.Read(p)
	r.meter.moved(n)
	if r.left > 0 {
		r.left -= int64(n)
	}
	if err != nil && err != io.EOF && r.ctx.Err() != nil {
		err = context.Cause(r.ctx) // not only that it ended
	}
	return n, err
}

func (r *received) Close() error {
	err := r.ReadCloser.Close()
	r.meter.end(nil)
	return err
}

// sent is the body of a request. When the next piece is requested, the registry has taken the
// piece before.
type sent struct {
	io.ReadCloser
	meter  *meter
	report func(int64)
	last   int // bytes of the piece being sent; -1 before the first
}

func (s *sent) Read(p []byte) (int, error) {
	s.taken()
	n, err := s.ReadCloser.Read(p)
	if n > 0 && s.report != nil {
		s.report(int64(n))
	}
	if err == nil { // the answer has a separate limit
		s.last = n
		s.meter.wait()
	}
	return n, err
}

func (s *sent) taken() {
	if s.last >= 0 {
		s.meter.moved(s.last)
		s.last = -1
	}
}

func (s *sent) Close() error {
	s.taken()
	return s.ReadCloser.Close()
}
