// Package progress shows the progress of tasks. On a terminal the running tasks are one live line
// at the bottom; a finished task leaves a line. Elsewhere there are only these plain lines.
// Everything goes to one writer, which should be stderr: stdout is for results.
//
// The rules of a line: the task, its duration, one word for the outcome. No line is longer than
// the terminal is wide, and only the mark in front has a colour, which NO_COLOR disables. Names,
// outcomes and notices may contain untrusted text, and are cleaned here.
package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// Reporter shows tasks. It is safe for concurrent use.
type Reporter struct {
	// Elsewhere is the error of a task that another process does instead: it leaves no line. It may
	// be nil.
	Elsewhere error

	w     io.Writer
	live  bool
	color bool
	width func() int

	mu      sync.Mutex
	group   grouping
	grouped bool // the group has been started and not ended
	running []*task
	frame   int
	closed  bool
	stop    chan struct{}
	stopped chan struct{}
}

type task struct {
	name  string
	began time.Time
	// detail is shown while the task runs; it may be nil.
	detail fmt.Stringer
}

// New returns a reporter that writes to f. It is live if f is a terminal that can move its cursor
// and no CI is running. env reads the environment.
func New(f *os.File, env func(string) string) *Reporter {
	fd := int(f.Fd())
	p := &Reporter{w: f, live: term.IsTerminal(fd) && env("TERM") != "dumb" && env("CI") == ""}
	p.group = newGrouping(env, time.Now)
	p.color = p.live && env("NO_COLOR") == ""
	p.width = func() int {
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			return w
		}
		return 80
	}
	if p.live {
		p.stop, p.stopped = make(chan struct{}), make(chan struct{})
		go p.animate()
	}
	return p
}

// Start shows that a task runs, until the returned function is called.
func (p *Reporter) Start(name string) (end func(outcome string, err error)) {
	return p.StartWith(name, nil)
}

// StartWith is Start, and shows how far the task is.
func (p *Reporter) StartWith(name string, detail fmt.Stringer) (end func(outcome string, err error)) {
	name = plaintext.Line(name)
	t := &task{name: name, began: time.Now(), detail: detail}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, t)
	p.draw()
	return func(outcome string, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, other := range p.running {
			if other == t {
				p.running = append(p.running[:i:i], p.running[i+1:]...)
				break
			}
		}
		if p.Elsewhere != nil && errors.Is(err, p.Elsewhere) {
			p.erase()
			p.draw()
			return
		}
		mark, color := "ok", "\x1b[32m"
		switch {
		case errors.Is(err, context.Canceled): // because another one failed
			mark, color, outcome = "ended", "\x1b[33m", ""
		case err != nil:
			mark, color, outcome = "failed", "\x1b[31m", ""
		}
		line := strings.TrimRight(fmt.Sprintf("%-28s %6s  %s", name, Duration(time.Since(t.began)),
			plaintext.Line(outcome)), " ")
		if p.live {
			line = cut(line, p.width()-11)
		}
		p.line(mark, color, line)
	}
}

// Notice shows a notice to the user without shortening it: it may contain a URL.
func (p *Reporter) Notice(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("note", "\x1b[33m", plaintext.Lines(text))
}

// Close removes the live line. Nothing may be shown after it; a second call does nothing.
func (p *Reporter) Close() {
	p.mu.Lock()
	if p.grouped {
		p.grouped = false
		fmt.Fprint(p.w, p.group.end())
	}
	p.mu.Unlock()
	if !p.live || p.closed {
		return
	}
	p.closed = true
	close(p.stop)
	<-p.stopped
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// line writes a line that stays. The caller holds the lock.
func (p *Reporter) line(mark, color, text string) {
	p.erase()
	if !p.grouped && p.group.start != "" {
		p.grouped = true
		fmt.Fprint(p.w, p.group.start)
	}
	mark = fmt.Sprintf("%-6s", mark)
	if p.color {
		mark = color + mark + "\x1b[0m"
	}
	fmt.Fprintf(p.w, "%s  %s\n", mark, text) // a closed terminal is not an error
	p.draw()
}

var frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

func (p *Reporter) animate() {
	defer close(p.stopped)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.frame++
			p.draw()
			p.mu.Unlock()
		}
	}
}

func (p *Reporter) erase() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[2K")
	}
}

// draw writes the live line, cut to the terminal's width. The caller holds the
// lock.
func (p *Reporter) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	names := make([]string, len(p.running))
	for i, t := range p.running {
		names[i] = t.name + " " + Duration(time.Since(t.began).Truncate(100*time.Millisecond))
		if t.detail != nil {
			names[i] += ", " + plaintext.Line(t.detail.String())
		}
	}
	text := string(frames[p.frame%len(frames)]) + " " + strings.Join(names, " · ")
	fmt.Fprint(p.w, "\r\x1b[2K"+cut(text, p.width()-1))
}

// cut shortens a text to a number of columns.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:max(columns-1, 0)]) + "…"
}

// Duration returns a duration as a line shows it: 87ms, 1.3s, 2m05s.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
