package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// plain is a reporter of which nobody looks at a terminal.
func plain(w io.Writer) *Reporter { return &Reporter{w: w} }

// live is one on a terminal of a width, without the animation.
func live(w io.Writer, width int) *Reporter {
	return &Reporter{w: w, live: true, color: true, width: func() int { return width }, stop: make(chan struct{}), stopped: make(chan struct{})}
}

func TestPlainLines(t *testing.T) {
	var b bytes.Buffer
	p := plain(&b)
	compile, test := p.Start("compile"), p.Start("test")
	p.Notice("look here")
	compile("up to date", nil)
	test("1 test", errors.New("no"))
	p.Start("list")("", fmt.Errorf("list: %w", context.Canceled))
	p.Close()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, want := range [][]string{{"note", "look here"}, {"ok", "compile", "ms", "up to date"}, {"failed", "test"}, {"ended", "list"}} {
		for _, word := range want {
			if i >= len(lines) || !strings.Contains(lines[i], word) {
				t.Fatalf("line %d of %q lacks %q", i, lines, word)
			}
		}
	}
	if strings.Contains(b.String(), "\x1b") || strings.Contains(lines[2], "1 test") {
		t.Errorf("output = %q", b.String())
	}
}

func TestLiveLineIsErasedAndCut(t *testing.T) {
	var b bytes.Buffer
	p := live(&b, 20)
	go p.animate()
	end := p.Start("a task with a very long name indeed")
	p.Start("another one")
	end("a long outcome as well", nil)
	p.Close()
	p.Close()
	for _, drawn := range strings.FieldsFunc(strings.ReplaceAll(b.String(), "\x1b[2K", "\r"), func(r rune) bool { return r == '\r' || r == '\n' }) {
		drawn = strings.NewReplacer("\x1b[32m", "", "\x1b[0m", "").Replace(drawn)
		if utf8.RuneCountInString(drawn) > 20 {
			t.Errorf("%q is wider than the terminal", drawn)
		}
	}
	if !strings.HasSuffix(b.String(), "\r\x1b[2K") {
		t.Errorf("the live line is left: %q", b.String())
	}
	if !strings.Contains(b.String(), "\x1b[32mok") {
		t.Errorf("no line stays: %q", b.String())
	}
}

// A notice is never cut: what it says, such as where to log in, may be at its end.
func TestNoticeIsWhole(t *testing.T) {
	var b bytes.Buffer
	p := live(&b, 20)
	go p.animate()
	const notice = "type WDJB-MJHT in at https://login.example.com/device"
	p.Notice(notice)
	p.Close()
	if !strings.Contains(b.String(), notice+"\n") {
		t.Errorf("output = %q", b.String())
	}
}

func TestManyAtOnce(t *testing.T) {
	var b bytes.Buffer
	p := live(&b, 80)
	go p.animate()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { p.Start(fmt.Sprint("task ", i))("", nil) })
	}
	all.Wait()
	p.Close()
	if n := strings.Count(b.String(), "\n"); n != 50 {
		t.Errorf("%d lines stay, want 50", n)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ms", 87 * time.Millisecond: "87ms", 1349 * time.Millisecond: "1.3s", 125 * time.Second: "2m05s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}
